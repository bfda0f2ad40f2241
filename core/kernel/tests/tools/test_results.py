"""What tools give back, as the content of a message."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from heavenbase.image.image import LLMImage
from heavenbase.image.pixels import make_png
from heavenbase.tools.results import failure_of, result_content

PNG = make_png(2, 2, (1, 2, 3))
ENCODED = base64.b64encode(PNG).decode()
IMAGE = LLMImage.from_bytes(PNG)
FILE = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}


@dataclass
class Report:
    title: str
    chart: Any


def shown(content: Any) -> list[Any]:
    """The parts of a content, images as their bytes."""
    assert isinstance(content, list)
    return [part["image"].to_bytes() if part["type"] == "image" else part.get("text", part) for part in content]


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        (IMAGE, [PNG]),
        (PNG, [PNG]),
        ([IMAGE], [PNG]),
        (["two", IMAGE, {"a": 1}], ["two", PNG, '{"a": 1}']),
        (({"type": "text", "text": "two"}, IMAGE), ["two", PNG]),
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{ENCODED}"}}, [PNG]),
        ({"type": "image", "data": ENCODED, "mimeType": "image/png"}, [PNG]),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ENCODED}}, [PNG]),
        (SimpleNamespace(type="image", data=ENCODED, mime_type="image/png"), [PNG]),
        (FILE, [FILE]),
        (["a", FILE], ["a", FILE]),
        ({"n": 1, "chart": IMAGE}, ['{"n":1,"chart":"[image 1]"}', PNG]),
        (Report("q", [IMAGE]), ['{"title":"q","chart":["[image 1]"]}', PNG]),
    ],
)
def test_c3_pictures_and_files_are_parts(value: Any, parts: list[Any]) -> None:
    assert shown(result_content(value)) == parts


def test_c3_bytes_of_a_document_are_a_file() -> None:
    (part,) = result_content(b"%PDF-1.7 x")
    assert isinstance(part, dict)
    assert part["file"]["file_data"].startswith("data:application/pdf;base64,")


@pytest.mark.parametrize(
    "value",
    [
        [{"type": "file", "name": "a.txt"}, {"type": "image", "name": "b.png"}],
        {"type": "image_url", "image_url": "/etc/passwd"},
        {"type": "image", "data": "no image", "mimeType": "image/png"},
        {"type": "text", "text": "x"},
        [],
        None,
        [1, 2.5, True, None, {"a": []}],
    ],
)
def test_c3_data_of_the_tool_stays_json(value: Any) -> None:
    assert json.loads(str(result_content(value))) == value


def test_c7_an_error_without_words_is_told_by_its_name() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    told = json.loads(failure_of(Mute()))
    assert told["error"] == {"type": "Mute", "message": "the error has no text: its __str__ raised RuntimeError"}
    assert result_content(Mute()) == failure_of(Mute())
