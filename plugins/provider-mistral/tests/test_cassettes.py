"""Recorded traffic of Mistral: every recorded answer is read right, and what is sent is what was recorded."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from heavenbase import errors
from heavenbase.http.transport.protocol import HTTPResponse
from heavenbase.types import Completion

from .support import Replay, ask, body_of, kernel

FOLDER = os.environ.get("HB_CASSETTES")
pytestmark = pytest.mark.skipif(not FOLDER, reason="needs recordings: HB_CASSETTES=FOLDER pytest -k cassettes")
GZIP = b"\x1f\x8b"
_DROPPED = ("content-encoding", "content-length", "transfer-encoding")


def names() -> list[str]:
    return sorted(path.stem for path in Path(FOLDER or os.devnull).glob("mistral--*.yaml"))


def interactions(name: str) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml")
    # Tags that the safe loader does not know are read as plain data.
    Loader: Any = type("Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
    Loader.add_multi_constructor("", lambda loader, suffix, node: loader.construct_scalar(node))
    data = yaml.load(Path(str(FOLDER), f"{name}.yaml").read_text(encoding="utf-8"), Loader=Loader)
    return [found for found in data["interactions"] if "mistral" in found["request"]["uri"]]


def sent_of(interaction: dict[str, Any]) -> dict[str, Any]:
    body = interaction["request"].get("parsed_body") or interaction["request"].get("body") or {}
    found: dict[str, Any] = json.loads(body) if isinstance(body, str | bytes) else body
    return found


def response_of(interaction: dict[str, Any]) -> HTTPResponse:
    response = interaction["response"]
    headers = [
        (name, values[0] if isinstance(values, list) else values)
        for name, values in response["headers"].items()
        if name.lower() not in _DROPPED
    ]
    if "parsed_body" in response:
        return HTTPResponse(response["status"]["code"], headers, json.dumps(response["parsed_body"]).encode())
    body = response.get("body", response.get("content", ""))
    found = body.get("string", "") if isinstance(body, dict) else body
    data = found if isinstance(found, bytes) else str(found).encode()
    if data.startswith(GZIP):
        data = gzip.decompress(data)
    return HTTPResponse(response["status"]["code"], headers, data)


def read(interaction: dict[str, Any], **options: Any) -> Completion:
    sent = sent_of(interaction)
    mode = "stream" if sent.get("stream") else "chat"
    return ask(mode, Replay(response_of(interaction)), model=sent["model"], **options)


def replay(interaction: dict[str, Any]) -> None:
    """Make the recorded request's call and read its answer, whatever the operation."""
    sent = sent_of(interaction)
    if "input" in sent:
        with kernel(Replay(response_of(interaction))) as made:
            texts = sent["input"] if isinstance(sent["input"], list) else [sent["input"]]
            vectors = hb.LLM(model=sent["model"], provider="mistral", kernel=made).embed(texts)
        assert len(vectors) == len(texts)
        return
    answer = read(interaction)
    assert answer.text or answer.tool_calls
    assert answer.finish_reason in ("stop", "tool_calls", "length")
    assert answer.id
    assert answer.model
    assert answer.usage is not None
    assert answer.usage.total_tokens is not None
    for call in answer.tool_calls:
        assert isinstance(call.parse(), dict)


@pytest.mark.parametrize("name", names())
def test_every_recording_is_read(name: str) -> None:
    found = interactions(name)
    assert found
    for interaction in found:
        if interaction["response"]["status"]["code"] < 400:
            replay(interaction)
            continue
        with pytest.raises(errors.StatusError) as caught:
            replay(interaction)
        assert caught.value.status == interaction["response"]["status"]["code"]


def test_an_answer_and_its_usage() -> None:
    [interaction] = interactions("mistral--chat")
    sent = sent_of(interaction)
    replayed = Replay(response_of(interaction))
    answer = ask("chat", replayed, sent["messages"], model=sent["model"], n=1, stop=["Paris"], top_p=1.0)
    assert {name: replayed.body()[name] for name in sent} == sent
    assert answer.text == "The capital of France is "
    assert (answer.finish_reason, answer.id) == ("stop", "59bee455a928496eb22bbf8b8b817252")
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output) == (28, 6)


def test_a_stream_and_its_usage() -> None:
    [interaction] = interactions("mistral--stream")
    answer = read(interaction)
    assert answer.text.startswith("Why did OpenTelemetry bring a map to the party?")
    assert answer.model == "mistral-tiny"
    assert answer.usage is not None
    assert answer.usage.output


def test_a_tool_call_and_cached_tokens() -> None:
    [interaction] = interactions("mistral--tools")
    sent = sent_of(interaction)
    body = body_of(sent["messages"], sent["model"], tools=sent["tools"], tool_choice="required")
    assert body["tool_choice"] == sent["tool_choice"]
    assert [tool["function"] for tool in body["tools"]] == [tool["function"] for tool in sent["tools"]]
    answer = read(interaction)
    assert [(call.id, call.name, call.parse()) for call in answer.tool_calls] == [
        ("pcZFHqej8", "get_weather", {"city": "Paris"})
    ]
    assert answer.finish_reason == "tool_calls"
    assert answer.request_id == "019c0b9c-4932-7ded-880c-2e4b7e08787e"
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.cache_read, answer.usage.output) == (1, 69, 12)


def test_thoughts_are_read_and_go_back_as_they_came() -> None:
    [interaction] = interactions("mistral--thinking")
    sent = sent_of(interaction)
    answer = read(interaction, think=True)
    assert answer.text == "4"
    assert answer.reasoning.startswith("The user is asking for the result of 2+2.")
    body = body_of([*sent["messages"], answer.message, {"role": "user", "content": "sure?"}], think=True)
    recorded = interaction["response"]["parsed_body"]["choices"][0]["message"]["content"]
    assert body["messages"][1] == {"role": "assistant", "content": recorded}
    assert body["reasoning_effort"] == sent["reasoning_effort"]
