"""The loopback server's form of Bedrock: frames, refusals of bad requests, answers of every kind."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from binascii import a2b_base64
from typing import Any

import pytest

from hb_testing.server import LoopbackServer, event_frames

# The first event of a stream that Bedrock itself sent.
REAL = a2b_base64(
    "AAAAhQAAAFKZQdBTCzpldmVudC10eXBlBwAMbWVzc2FnZVN0YXJ0DTpjb250ZW50LXR5cGUHABBhcHBsaWNhdGlvbi9qc29uDTptZXNzYWdlLXR5"
    "cGUHAAVldmVudHsicCI6ImFiY2RlZmdoIiwicm9sZSI6ImFzc2lzdGFudCJ9PVk6xg=="
)
HI = {"messages": [{"role": "user", "content": [{"text": "hi there"}]}]}
SPEC = {"name": "get_time", "inputSchema": {"json": {"type": "object", "properties": {"zone": {"type": "string"}}}}}


def post(server: LoopbackServer, path: str, body: Any, model: str = "m") -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(f"{server.url('bedrock')}/model/{model}/{path}", json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()


def test_frames_are_made_as_bedrock_makes_them() -> None:
    [(headers, payload)] = event_frames.decode(REAL)
    assert headers[":event-type"] == "messageStart"
    assert json.loads(payload) == {"p": "abcdefgh", "role": "assistant"}
    assert event_frames.event("messageStart", payload) == REAL


@pytest.mark.parametrize("place", [0, 5, 9, 20, len(REAL) - 10, len(REAL) - 1])
def test_a_bit_that_differs_is_noticed(place: int) -> None:
    broken = bytearray(REAL)
    broken[place] ^= 1
    with pytest.raises(ValueError, match="checksum"):
        list(event_frames.decode(bytes(broken)))


def test_a_frame_that_is_not_whole_is_left() -> None:
    assert [payload for _, payload in event_frames.decode(REAL + REAL[:-1])] == [next(event_frames.decode(REAL))[1]]


def test_converse_answers_whole_and_in_events() -> None:
    with LoopbackServer() as server:
        status, headers, body = post(server, "converse", HI)
        assert (status, headers["x-amzn-requestid"]) == (200, "req_1")
        assert json.loads(body)["output"]["message"]["content"] == [{"text": "echo: hi there"}]
        _, headers, body = post(server, "converse-stream", HI)
        events = [(head[":event-type"], json.loads(payload)) for head, payload in event_frames.decode(body)]
    assert headers["content-type"] == "application/vnd.amazon.eventstream"
    assert next(kind for kind, _ in events) == "messageStart"
    assert [kind for kind, _ in events][-2:] == ["messageStop", "metadata"]
    text = "".join(event["delta"]["text"] for kind, event in events if kind == "contentBlockDelta")
    assert text == "echo: hi there"


def test_a_forced_tool_is_called() -> None:
    with LoopbackServer() as server:
        body = {**HI, "toolConfig": {"tools": [{"toolSpec": SPEC}], "toolChoice": {"tool": {"name": "get_time"}}}}
        answer = json.loads(post(server, "converse", body)[2])
    assert answer["stopReason"] == "tool_use"
    assert answer["output"]["message"]["content"][0]["toolUse"]["name"] == "get_time"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({**HI, "modelId": "m"}, "unknown fields"),
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "assistant", "content": [{"text": "x"}]}]}, "start with a user"),
        ({"messages": [*HI["messages"], *HI["messages"]]}, "alternate"),
        ({"messages": [{"role": "user", "content": [{"text": " "}]}]}, "blank"),
        ({"messages": [{"role": "user", "content": [{"text": "x", "image": {}}]}]}, "Exactly one"),
        ({**HI, "inferenceConfig": {"temperature": 2}}, "between 0 and 1"),
        ({**HI, "toolConfig": {"tools": []}}, "at least one tool"),
        ({**HI, "toolConfig": {"tools": [{"toolSpec": SPEC}], "toolChoice": {"tool": {"name": "x"}}}}, "no tool"),
        ({**HI, "outputConfig": {"textFormat": {"type": "json_schema", "structure": {}}}}, "jsonSchema"),
        (
            {"messages": [{"role": "user", "content": [{"toolResult": {"toolUseId": "a", "content": []}}]}]},
            "Expected toolResult",
        ),
    ],
)
def test_what_converse_refuses_is_refused(body: Any, said: str) -> None:
    with LoopbackServer() as server:
        status, headers, answer = post(server, "converse", body)
    assert status == 400
    assert headers["x-amzn-errortype"].startswith("ValidationException")
    assert said in json.loads(answer)["message"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"inputText": "x", "dimensions": 4}, "embedding"),
        ({"texts": ["x", "y"], "input_type": "search_query"}, "embeddings"),
        ({"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": {"text": {"value": "x"}}}, "embeddings"),
        ({"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "x"}}, "images"),
        ({"prompt": "x"}, "images"),
        ({"text_prompts": [{"text": "x"}]}, "artifacts"),
    ],
)
def test_invoke_model_answers_in_the_shape_that_is_asked_for(body: Any, field: str) -> None:
    with LoopbackServer() as server:
        status, _, answer = post(server, "invoke", body, "amazon.titan-embed-text-v2%3A0")
        assert status == 200
        assert json.loads(answer)[field]
        assert post(server, "invoke", {"what": 1})[0] == 400
