"""Recorded traffic of Anthropic: every recorded answer is read, and read right; recorded requests are made alike."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from hb_gateway_anthropic import AnthropicGateway
from hb_vision_anthropic import encode
from heavenbase import errors
from heavenbase.colour import drive
from heavenbase.http.transport.protocol import HTTPRequest, HTTPResponse
from heavenbase.image.image import LLMImage
from heavenbase.types import Completion, Message, Usage

from .support import Caller, body_of, make_call, make_spec, prepared

FOLDER = os.environ.get("HB_CASSETTES")
pytestmark = pytest.mark.skipif(not FOLDER, reason="needs recordings: HB_CASSETTES=FOLDER pytest -k cassettes")
NAMES = sorted(path.stem for path in Path(FOLDER).glob("anthropic--*.yaml")) if FOLDER else []
MODES = ["chat", "achat"]
STREAM_MODES = ["stream", "astream"]


class Replay:
    """A transport that answers with one recording."""

    def __init__(self, response: dict[str, Any]) -> None:
        self.response = response
        self.requests: list[HTTPRequest] = []

    def send(self, request: HTTPRequest) -> HTTPResponse:
        self.requests.append(request)
        headers = [
            (name, values[0] if isinstance(values, list) else values)
            for name, values in self.response["headers"].items()
            if name.lower() not in ("content-encoding", "content-length", "transfer-encoding")
        ]
        return HTTPResponse(self.response["status"]["code"], headers, _body(self.response))

    async def asend(self, request: HTTPRequest) -> HTTPResponse:
        return self.send(request)


def _body(recorded: dict[str, Any]) -> bytes:
    if "parsed_body" in recorded:
        return json.dumps(recorded["parsed_body"]).encode()
    body = recorded.get("body", recorded.get("content")) or b""
    found = body.get("string") or b"" if isinstance(body, dict) else body
    raw = found if isinstance(found, bytes) else str(found).encode()
    return gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw


def interactions(name: str) -> list[dict[str, Any]]:
    """What was sent and what came back, for each message asked for."""
    yaml = pytest.importorskip("yaml")

    # Tags that the safe loader does not know are read as plain data.
    Loader: Any = type("Loader", (yaml.SafeLoader,), {})
    Loader.add_multi_constructor("", lambda loader, suffix, node: loader.construct_scalar(node))
    data = yaml.load(Path(str(FOLDER), f"{name}.yaml").read_text(encoding="utf-8"), Loader=Loader)
    found = []
    for interaction in data["interactions"]:
        uri = interaction["request"]["uri"].partition("?")[0]
        if uri.endswith(("/v1/messages", "/v1/messages/count_tokens")):
            sent = json.loads(_body(interaction["request"]))
            found.append({"sent": sent, "response": interaction["response"], "counts": uri.endswith("tokens")})
    return found


def read(found: dict[str, Any], mode: str) -> Completion:
    spec = make_spec("https://api.anthropic.com", model=found["sent"]["model"])
    return Caller(transport=Replay(found["response"])).run(mode, spec)


def first(name: str, place: int = 0) -> Completion:
    found = interactions(name)[place]
    return read(found, "stream" if found["sent"].get("stream") else "chat")


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_answer_is_read_in_both_colours(name: str) -> None:
    found = interactions(name)
    assert found, "no request for a message is in this recording"
    for one in found:
        if one["counts"] or one["response"]["status"]["code"] >= 400:
            continue
        streams = bool(one["sent"].get("stream"))
        answers = [read(one, mode) for mode in (STREAM_MODES if streams else MODES)]
        answer = answers[0]
        assert answers[1].to_dict() == answer.to_dict()
        assert answer.text or answer.tool_calls
        assert answer.finish_reason in ("stop", "length", "tool_calls", "refusal", "pause")
        assert answer.id is not None
        assert answer.id.startswith("msg_")
        assert answer.usage is not None
        assert (answer.usage.prompt_tokens or 0) > 0
        assert (answer.usage.completion_tokens or 0) > 0
        for call in answer.tool_calls:
            assert isinstance(call.parse(), dict)
        if not streams:
            _says_what_was_recorded(answer, json.loads(_body(one["response"])))
            # A stream that the server answers whole says the same.
            assert read(one, "stream").text == answer.text


def _says_what_was_recorded(answer: Completion, message: dict[str, Any]) -> None:
    blocks = message["content"]
    assert answer.text == "".join(block["text"] for block in blocks if block["type"] == "text")
    assert answer.reasoning == "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
    uses = [block for block in blocks if block["type"] == "tool_use"]
    assert [(c.id, c.name, c.parse()) for c in answer.tool_calls] == [(u["id"], u["name"], u["input"]) for u in uses]
    assert answer.raw_finish_reason == message["stop_reason"]


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_answer_can_go_back(name: str) -> None:
    for one in interactions(name):
        if one["counts"] or one["response"]["status"]["code"] >= 400:
            continue
        answer = read(one, "stream" if one["sent"].get("stream") else "chat")
        results = [{"role": "tool", "tool_call_id": call.id, "content": "x"} for call in answer.tool_calls]
        messages: list[Message] = [{"role": "user", "content": "hi"}, answer.message, *results]
        body = body_of(make_spec(model=one["sent"]["model"]), messages=[*messages, {"role": "user", "content": "more"}])
        written = body["messages"][1]["content"]
        if "parsed_body" in one["response"]:
            assert written == one["response"]["parsed_body"]["content"]
        assert "".join(block.get("text", "") for block in written) == answer.text


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_refusal_is_told(name: str) -> None:
    for one in interactions(name):
        status = one["response"]["status"]["code"]
        if one["counts"] or status < 400:
            continue
        for mode in MODES + STREAM_MODES:
            with pytest.raises(errors.HBError) as caught:
                read(one, mode)
            assert caught.value.status == status
            assert one["response"]["parsed_body"]["error"]["message"] in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_count_is_read(name: str) -> None:
    for one in interactions(name):
        if one["counts"]:
            call = make_call(make_spec("https://api.anthropic.com", model=one["sent"]["model"]))
            replay = Replay(one["response"])
            counted = drive.run(Caller(transport=replay).gateway.count_tokens(call))
            assert counted.tokens == one["response"]["parsed_body"]["input_tokens"]
            assert replay.requests[0].url == "https://api.anthropic.com/v1/messages/count_tokens"


# What these recordings say in particular


def test_errors_have_their_classes() -> None:
    with pytest.raises(errors.RequestRejected, match="does not support effort level 'xhigh'"):
        first("anthropic--err400")
    with pytest.raises(errors.ModelNotFound, match="claude-sonet-4-5"):
        first("anthropic--err404")


def test_the_refused_effort_would_not_have_been_sent() -> None:
    request, entries = prepared(model="claude-opus-4-6", reasoning_effort="xhigh")
    assert request.body["output_config"] == {"effort": "high"}
    assert entries["reasoning_effort"].outcome == "clamped"


def test_a_stream_is_whole() -> None:
    answer = first("anthropic--stream")
    assert (answer.text, answer.finish_reason, answer.model) == ("2", "stop", "claude-sonnet-4-5-20250929")
    assert answer.usage == Usage(20, 5, cache_read=0, cache_write=0, tier="standard")


def test_redacted_thoughts_of_a_stream_are_kept() -> None:
    answer = first("anthropic--thinking-stream")
    assert answer.reasoning == ""
    blocks = answer.reasoning_parts[0]["value"]
    assert blocks[0]["type"] == "redacted_thinking"
    assert blocks[0]["data"].startswith("EqkECkYIBxgCKkA8AZ4n")
    assert "".join(block.get("text", "") for block in blocks) == answer.text != ""


def native(sent: dict[str, Any], *names: str) -> dict[str, Any]:
    """The recorded request, with contents that are one plain text written as hb writes them."""
    found = {name: sent[name] for name in ("messages", *names) if name in sent}
    for message in found["messages"]:
        content = message["content"]
        if len(content) == 1 and content[0].keys() == {"type", "text"} and message["role"] == "user":
            message["content"] = content[0]["text"]
    return found


def made(sent: dict[str, Any], messages: list[Message], *names: str, **options: Any) -> dict[str, Any]:
    body = body_of(make_spec(model=sent["model"]), messages=messages, max_tokens=sent["max_tokens"], **options)
    return {name: body[name] for name in ("messages", *names) if name in body}


def test_a_prompt_is_sent_as_it_was_recorded() -> None:
    sent = interactions("anthropic--chat")[0]["sent"]
    messages = [
        {"role": "system", "content": sent["system"]},
        {"role": "user", "content": "What is the capital of France?"},
    ]
    assert made(sent, messages, "system", "max_tokens") == native(sent, "system", "max_tokens")


def test_a_forced_tool_is_sent_as_it_was_recorded() -> None:
    sent = interactions("anthropic--tools")[0]["sent"]
    [tool] = sent["tools"]
    function = {"name": tool["name"], "description": tool["description"], "parameters": tool["input_schema"]}
    body = made(
        sent,
        [{"role": "user", "content": "What's the weather in Paris?"}],
        "tools",
        "tool_choice",
        tools=[{"type": "function", "function": function}],
        tool_choice="required",
    )
    recorded = native(sent, "tools", "tool_choice")
    recorded["tools"][0]["input_schema"]["type"] = "object"
    assert body == recorded


def test_an_image_is_sent_as_it_was_recorded() -> None:
    sent = interactions("anthropic--vision")[0]["sent"]
    text, image = sent["messages"][0]["content"]
    content = [text, encode(LLMImage.from_url(image["source"]["url"]))]
    assert made(sent, [{"role": "user", "content": content}]) == native(sent)


def test_a_document_is_sent_as_it_was_recorded() -> None:
    sent = interactions("anthropic--document")[0]["sent"]
    text, document = sent["messages"][0]["content"]
    data = f"data:application/pdf;base64,{document['source']['data']}"
    content = [text, {"type": "file", "file": {"file_data": data}}]
    assert made(sent, [{"role": "user", "content": content}]) == native(sent)


def test_a_marked_system_message_in_mid_conversation_is_sent_as_it_was_recorded() -> None:
    sent = interactions("anthropic--prompt-cache")[0]["sent"]
    recorded = native(sent, "system")
    assert made(sent, [{"role": "system", "content": sent["system"]}, *recorded["messages"]], "system") == recorded


def test_thoughts_go_back_as_they_were_recorded() -> None:
    one, two = interactions("anthropic--thinking-tools")
    answer = first("anthropic--thinking-tools")
    result = {"role": "tool", "tool_call_id": answer.tool_calls[0].id, "content": "Mexico"}
    messages = [{"role": "user", "content": one["sent"]["messages"][0]["content"]}, answer.message, result]
    call = make_call(make_spec(model=one["sent"]["model"]), messages=messages, think=True)
    body = AnthropicGateway().prepare(call).body
    recorded = two["sent"]["messages"]
    assert body["messages"][:2] == recorded[:2]
    [block] = body["messages"][2]["content"]
    assert block.items() <= recorded[2]["content"][0].items()
    assert body["thinking"]["type"] == "enabled"
