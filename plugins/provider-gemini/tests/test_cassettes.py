"""Recorded traffic of Gemini: every recorded answer is read right, and what is sent back is what was recorded."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from heavenbase import errors
from heavenbase.http.transport.protocol import HTTPResponse
from heavenbase.types import Completion

from .support import Replay, ask, kernel, made_call

FOLDER = os.environ.get("HB_CASSETTES")
pytestmark = [
    pytest.mark.skipif(not FOLDER, reason="needs recordings: HB_CASSETTES=FOLDER pytest -k cassettes"),
    pytest.mark.filterwarnings("ignore::heavenbase.errors.UnknownModelWarning"),  # one was asked for a slip
]
_DROPPED = ("content-encoding", "content-length", "transfer-encoding")


def names() -> list[str]:
    folder = Path(FOLDER or os.devnull)
    return sorted(p.stem for p in folder.glob("gemini--*.yaml")) + sorted(p.stem for p in folder.glob("vertex--*.yaml"))


def interactions(name: str) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml")
    # Tags that the safe loader does not know are read as plain data.
    Loader: Any = type("Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
    Loader.add_multi_constructor("", lambda loader, suffix, node: loader.construct_scalar(node))
    data = yaml.load(Path(str(FOLDER), f"{name}.yaml").read_text(encoding="utf-8"), Loader=Loader)
    return [found for found in data["interactions"] if "/models/" in found["request"]["uri"]]


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
    text = body.get("string", "") if isinstance(body, dict) else body
    return HTTPResponse(response["status"]["code"], headers, text if isinstance(text, bytes) else str(text).encode())


def model_and_verb(interaction: dict[str, Any]) -> tuple[str, str]:
    match = re.search(r"/models/([^:/?]+):(\w+)", interaction["request"]["uri"])
    assert match is not None
    return match[1], match[2]


def read(interaction: dict[str, Any]) -> Completion:
    model, verb = model_and_verb(interaction)
    return ask("stream" if verb.startswith("stream") else "chat", Replay(response_of(interaction)), model=model)


@pytest.mark.parametrize("name", names())
def test_every_recording_is_read(name: str) -> None:
    found = interactions(name)
    assert found
    for interaction in found:
        model, verb = model_and_verb(interaction)
        if interaction["response"]["status"]["code"] >= 400:
            with pytest.raises(errors.StatusError) as caught:
                read(interaction)
            assert caught.value.status == interaction["response"]["status"]["code"]
            continue
        if "mbed" in verb:
            with kernel(Replay(response_of(interaction))) as made:
                inputs = [str(place) for place in range(len(sent_of(interaction)["requests"]))]
                vectors = hb.LLM(model=model, provider="gemini", kernel=made).embed(inputs)
            assert len(vectors) == len(inputs)
            continue
        answer = read(interaction)
        assert answer.text or answer.tool_calls or answer.images
        assert answer.finish_reason in ("stop", "tool_calls", "length")
        assert answer.id
        assert answer.model == model
        assert answer.usage is not None
        assert answer.usage.total_tokens is not None
        for call in answer.tool_calls:
            assert isinstance(call.parse(), dict)


def test_an_answer_and_its_usage() -> None:
    [interaction] = interactions("gemini--chat")
    answer = read(interaction)
    assert answer.text == "Hello there! How can I help you today?\n"
    assert (answer.finish_reason, answer.raw_finish_reason) == ("stop", "STOP")
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output, answer.usage.reasoning) == (2, 11, None)


def test_thoughts_are_a_bucket_of_their_own() -> None:
    [interaction] = interactions("gemini--tools")
    usage = read(interaction).usage
    assert usage is not None
    assert (usage.input, usage.output, usage.reasoning, usage.total_tokens) == (46, 15, 48, 109)


def test_a_streamed_tool_call_goes_back_with_its_signature() -> None:
    first, second = interactions("gemini--stream-tools-thinking")
    answer = read(first)
    assert [(call.name, call.parse()) for call in answer.tool_calls] == [("get_country", {})]
    recorded = sent_of(second)["contents"]
    messages = [
        {"role": "user", "content": recorded[0]["parts"][0]["text"]},
        answer.message,
        {"role": "tool", "tool_call_id": answer.tool_calls[0].id, "content": '{"return_value": "Mexico"}'},
    ]
    with kernel() as made:
        call = made_call(made, messages, "gemini-3-pro-preview")
        contents = made.gateway(call.spec).prepare(call).body["contents"]
    assert [content["role"] for content in contents] == ["user", "model", "user"]
    [part] = contents[1]["parts"]
    signature = recorded[1]["parts"][0]["thoughtSignature"].replace("-", "+").replace("_", "/").rstrip("=")
    assert part["thoughtSignature"].rstrip("=") == signature
    assert part["functionCall"]["name"] == "get_country"
    [result] = contents[2]["parts"]
    assert result["functionResponse"]["name"] == "get_country"
    assert result["functionResponse"]["response"] == recorded[2]["parts"][0]["functionResponse"]["response"]
    assert read(second).text == "The capital of Mexico is Mexico City."


def test_the_image_of_an_answer_is_an_image() -> None:
    [interaction] = interactions("vertex--imagegen")
    answer = read(interaction)
    [image] = answer.images
    assert image.format == "jpeg"


def test_an_unknown_model_is_told() -> None:
    [interaction] = interactions("gemini--err404")
    with pytest.raises(errors.ModelNotFound) as caught:
        read(interaction)
    assert caught.value.code == "NOT_FOUND"
