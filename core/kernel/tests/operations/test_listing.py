"""Lists in pages: followed up to what was asked for, and never without end; dates and numbers in them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from heavenbase.errors import InputError, InputTypeError, ResponseShapeError
from heavenbase.operations import id_of, listed, number_of, seconds_of
from heavenbase.operations.files import to_upload
from heavenbase.operations.listing import PAGES

from ..http.test_status import make_call
from ..support import scripted

Page = tuple[list[str], str | None]


def call(limit: int = 10_000) -> Any:
    made = scripted()
    return made.kernel.call("models", made.llm.spec, {}, is_async=False, subject=limit)


class Pages:
    """Answers one page after the other, the last one for ever; `asked` are the cursors."""

    def __init__(self, *pages: Page) -> None:
        self.pages = list(pages)
        self.asked: list[str | None] = []

    async def exchange(self, call: Any, cursor: str | None, read: Any) -> Any:
        self.asked.append(cursor)
        return read(None, self.pages.pop(0) if len(self.pages) > 1 else self.pages[0])


def read(gateway: Any, limit: int = 10_000) -> Any:
    request: Any = lambda cursor: cursor  # noqa: E731
    found = asyncio.run(listed(gateway, call(limit), request, lambda _, page: page))
    return SimpleNamespace(items=list(found), more=found.has_more, raw=found.raw)


def test_v3_pages_are_followed() -> None:
    gateway = Pages((["a"], "x"), (["b"], None))
    found = read(gateway)
    assert (found.items, found.more, gateway.asked) == (["a", "b"], False, [None, "x"])
    assert found.raw == [(["a"], "x"), (["b"], None)]
    assert read(Pages(([], None))).raw == ([], None)


def test_v3_no_more_pages_are_read_than_asked_for() -> None:
    gateway = Pages((["a", "b"], "x"))
    found = read(gateway, 1)
    assert (found.items, found.more, len(gateway.asked)) == (["a"], True, 1)
    assert read(Pages((["a", "b"], None)), 2).more is False
    assert read(Pages((["a", "b", "c"], None)), 2).more is True


def test_v3_a_list_without_an_end_ends() -> None:
    found = read(Pages((["a"], "same")))
    assert (found.items, found.more) == (["a", "a"], False)

    class Endless(Pages):
        async def exchange(self, call: Any, cursor: str | None, read: Any) -> Any:
            self.asked.append(cursor)
            return read(None, (["a"], str(len(self.asked))))

    gateway = Endless(([], None))
    found = read(gateway)
    assert (len(gateway.asked), len(found.items), found.more) == (PAGES, PAGES, True)


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"a": 3}, 3),
        ({"a": 3.7}, 3),
        ({"a": "12"}, 12),
        ({"a": 0, "b": 4}, 4),
        ({"a": True, "b": "x"}, None),
        ({"a": None, "b": -1}, None),
        ({}, None),
    ],
)
def test_v3_a_number_is_the_first_that_is_one(row: dict[str, Any], wanted: int | None) -> None:
    assert number_of(row, "a", "b") == wanted


def test_v3_an_item_of_a_list_has_a_name() -> None:
    assert id_of(make_call(), {"id": "a"}) == "a"
    assert id_of(make_call(), {"model": None, "name": "b"}, "model", "name") == "b"
    for row in ({}, {"name": 3}, {"name": None, "id": "a"}):
        with pytest.raises(ResponseShapeError, match="no `name`"):
            id_of(make_call(), row, "name")


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"a": 17}, 17.0),
        ({"a": "2025-09-29T00:00:00Z"}, 1759104000.0),
        ({"a": "2025-09-29T02:00:00.123456789+02:00"}, 1759104000.123456),
        ({"a": "soon", "b": 5}, 5.0),
        ({"a": None}, None),
        ({"a": {}}, None),
    ],
)
def test_v3_a_date_is_read_in_each_form(row: dict[str, Any], wanted: float | None) -> None:
    assert seconds_of(row, "a", "b") == wanted


def test_v5_a_file_to_be_uploaded_is_read_from_each_form(tmp_path: Any) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF")
    for given in (path, str(path)):
        made = to_upload(given, None, None)
        assert (made.name, made.data, made.media_type, made.purpose) == ("a.pdf", b"%PDF", "application/pdf", None)
    with path.open("rb") as opened:
        assert to_upload(opened, None, "ocr").name == "a.pdf"
    with path.open("r") as opened, pytest.raises(InputTypeError, match="binary"):
        to_upload(opened, None, None)
    assert to_upload(bytearray(b"x"), "notes", None).media_type == "application/octet-stream"
    assert to_upload(path, "other.txt", None).media_type == "text/plain"
    with pytest.raises(InputError, match="cannot be read"):
        to_upload(tmp_path, None, None)
    assert "PDF" not in repr(to_upload(path, None, None))
