"""Recorded traffic of Ollama: every recorded answer is read, and read right."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from heavenbase import errors
from heavenbase.http.transport.protocol import HTTPResponse
from heavenbase.types import Completion

from .support import Replay, ask, kernel

FOLDER = os.environ.get("HB_CASSETTES")
pytestmark = pytest.mark.skipif(not FOLDER, reason="needs recordings: HB_CASSETTES=FOLDER pytest -k cassettes")


def names() -> list[str]:
    return sorted(path.stem for path in Path(FOLDER or os.devnull).glob("ollama--*.yaml"))


def interactions(name: str) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml")
    # Tags that the safe loader does not know are read as plain data.
    Loader: Any = type("Loader", (yaml.SafeLoader,), {})
    Loader.add_multi_constructor("", lambda loader, suffix, node: loader.construct_scalar(node))
    data = yaml.load(Path(str(FOLDER), f"{name}.yaml").read_text(encoding="utf-8"), Loader=Loader)
    wanted = ("/api/chat", "/api/embed")
    return [found for found in data["interactions"] if found["request"]["uri"].partition("?")[0].endswith(wanted)]


def sent_of(interaction: dict[str, Any]) -> dict[str, Any]:
    body = interaction["request"].get("parsed_body") or interaction["request"].get("body") or {}
    found: dict[str, Any] = json.loads(body) if isinstance(body, str | bytes) else body
    return found


def response_of(interaction: dict[str, Any]) -> HTTPResponse:
    response = interaction["response"]
    headers = [
        (name, values[0] if isinstance(values, list) else values)
        for name, values in response["headers"].items()
        if name.lower() not in ("content-encoding", "content-length", "transfer-encoding")
    ]
    if "parsed_body" in response:
        return HTTPResponse(response["status"]["code"], headers, json.dumps(response["parsed_body"]).encode())
    body = response.get("body", response.get("content", ""))
    text = body.get("string", "") if isinstance(body, dict) else body
    return HTTPResponse(response["status"]["code"], headers, text if isinstance(text, bytes) else str(text).encode())


def read(interaction: dict[str, Any]) -> Completion:
    sent = sent_of(interaction)
    mode = "stream" if sent.get("stream", True) else "chat"
    return ask(mode, Replay(response_of(interaction)), model=sent["model"])


@pytest.mark.parametrize("name", names())
def test_every_recording_is_read(name: str) -> None:
    for interaction in interactions(name):
        if interaction["response"]["status"]["code"] >= 400:
            with pytest.raises(errors.StatusError):
                read(interaction)
            continue
        if "embed" in interaction["request"]["uri"]:
            with kernel(Replay(response_of(interaction))) as made:
                given = sent_of(interaction)["input"]
                llm = hb.LLM(model=sent_of(interaction)["model"], provider="ollama", kernel=made)
                assert llm.embed(given)
            continue
        answer = read(interaction)
        assert answer.text or answer.tool_calls or answer.reasoning
        assert answer.finish_reason in ("stop", "tool_calls", "length")
        assert answer.model == sent_of(interaction)["model"]
        assert answer.usage is not None


def test_a_whole_answer() -> None:
    [interaction] = interactions("ollama--chat")
    answer = read(interaction)
    assert answer.text.startswith("A joke about OpenTelemetry!")
    assert (answer.finish_reason, answer.raw_finish_reason) == ("stop", "stop")
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output) == (17, 66)


def test_a_streamed_answer() -> None:
    [interaction] = interactions("ollama--stream")
    answer = read(interaction)
    assert answer.text.startswith("Why did the OpenTelemetry agent go to therapy?\n\nBecause it was")
    assert answer.finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.output
