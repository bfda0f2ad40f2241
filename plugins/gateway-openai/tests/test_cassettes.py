"""Recorded traffic of real providers: every recorded answer is read, and read right."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hb_gateway_openai.responses_api import ResponsesGateway
from heavenbase import errors
from heavenbase.http.transport.protocol import HTTPRequest, HTTPResponse
from heavenbase.types import Completion

from .support import CUSTOM, DEEPSEEK, OPENAI, OPENROUTER, USER, Caller, make_call, make_spec

FOLDER = os.environ.get("HB_CASSETTES")
pytestmark = pytest.mark.skipif(not FOLDER, reason="needs recordings: HB_CASSETTES=FOLDER pytest -k cassettes")
RECORDS = {"openai": OPENAI, "openrouter": OPENROUTER, "deepseek": DEEPSEEK}


class Replay:
    """A transport that answers with one recording."""

    def __init__(self, response: dict[str, Any]) -> None:
        self.response = response

    def send(self, request: HTTPRequest) -> HTTPResponse:
        headers = [
            (name, values[0] if isinstance(values, list) else values)
            for name, values in self.response["headers"].items()
            if name.lower() not in ("content-encoding", "content-length", "transfer-encoding")
        ]
        return HTTPResponse(self.response["status"]["code"], headers, _body(self.response))

    async def asend(self, request: HTTPRequest) -> HTTPResponse:
        return self.send(request)


def _body(response: dict[str, Any]) -> bytes:
    if "parsed_body" in response:
        return json.dumps(response["parsed_body"]).encode()
    body = response.get("body", response.get("content", ""))
    text = body.get("string", "") if isinstance(body, dict) else body
    return text if isinstance(text, bytes) else str(text).encode()


def interactions(name: str) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml")

    # Tags that the safe loader does not know are read as plain data.
    Loader: Any = type("Loader", (yaml.SafeLoader,), {})
    Loader.add_multi_constructor("", lambda loader, suffix, node: loader.construct_scalar(node))
    data = yaml.load(Path(str(FOLDER), f"{name}.yaml").read_text(encoding="utf-8"), Loader=Loader)
    found = []
    for interaction in data["interactions"]:
        sent = interaction["request"].get("parsed_body") or interaction["request"].get("body")
        if isinstance(sent, str | bytes):
            sent = json.loads(sent) if sent else {}
        uri = interaction["request"]["uri"]
        if isinstance(sent, dict) and any(
            f"/{path}" in uri for path in ("chat/completions", "responses", "embeddings")
        ):
            found.append({"sent": sent, "uri": uri, "response": interaction["response"]})
    return found


def read(name: str, place: int = 0) -> Completion:
    found = interactions(name)[place]
    provider = name.partition("--")[0]
    spec = make_spec(provider=provider, provider_record=RECORDS.get(provider, CUSTOM), model_id=found["sent"]["model"])
    mode = "stream" if found["sent"].get("stream") else "chat"
    gateway = ResponsesGateway() if "/responses" in found["uri"] else None
    return Caller(gateway, transport=Replay(found["response"])).run(mode, spec)


@pytest.mark.parametrize(
    "name",
    [
        *("openai--chat", "openai--tools", "openai--stream", "openai--stream-tools"),
        *("groq--chat", "groq--tools", "groq--structured", "groq--vision"),
        *("deepseek--tools-thinking", "openrouter--chat", "openrouter--tools", "openrouter--stream-thinking"),
        *("azure--chat", "azure--responses-thinking", "openai--responses", "openai--responses-stream-tools-thinking"),
        *(
            "openai--responses-thinking-stream",
            "openrouter--stream-tools-vision",
            "mistral--chat",
            "mistral--tools",
            "mistral--stream",
            "mistral--thinking",
        ),
    ],
)
def test_recorded_answers_are_read(name: str) -> None:
    for place in range(len(interactions(name))):
        answer = read(name, place)
        assert answer.text or answer.tool_calls or answer.reasoning
        assert answer.finish_reason in ("stop", "tool_calls", "length")
        assert answer.id
        for call in answer.tool_calls:
            assert isinstance(call.parse(), dict)


def test_usage_of_deepseek_is_disjoint() -> None:
    usage = read("deepseek--tools-thinking").usage
    assert usage is not None
    assert (usage.input, usage.cache_read, usage.output, usage.reasoning) == (51, 512, 56, 60)
    assert usage.total_tokens == 679


def test_thoughts_of_deepseek_go_back_as_it_was_recorded() -> None:
    first, second = interactions("deepseek--tools-thinking")[:2]
    answer = read("deepseek--tools-thinking")
    spec = make_spec(provider="deepseek", provider_record=DEEPSEEK, model_id="deepseek-reasoner")
    results = [{"role": "tool", "tool_call_id": made.id, "content": "{}"} for made in answer.tool_calls]
    call = make_call(spec, messages=[*first["sent"]["messages"], answer.message, *results])
    message = Caller().gateway.prepare(call).body["messages"][-1 - len(results)]
    recorded = second["sent"]["messages"][len(first["sent"]["messages"])]
    assert message["reasoning_content"] == recorded["reasoning_content"]
    assert message["content"] == recorded["content"]


def test_thoughts_of_openrouter_are_whole() -> None:
    answer = read("openrouter--stream-thinking")
    assert answer.text == "2 + 2 = 4"
    assert answer.reasoning == "This is a simple arithmetic question. 2+2 equals 4."
    [part] = answer.reasoning_parts
    [detail] = part["value"]
    assert detail["text"] == answer.reasoning
    assert detail["signature"].startswith("Et0BCkgIChACGAIqQA2s7h7t")
    assert answer.usage is not None
    assert answer.usage.cost == "0.000669"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("openai--err400", errors.ModelNotFound),
        ("openai--err404", errors.ModelNotFound),
        ("deepseek--err400", errors.RequestRejected),
        ("groq--err404", errors.ModelNotFound),
        ("groq--err400", errors.RequestRejected),
        ("groq--stream-tools-error", errors.StreamInterrupted),
        ("openrouter--err429", errors.RateLimitError),
        ("openrouter--stream-in-band-error", errors.StreamInterrupted),
    ],
)
def test_recorded_errors_are_told(name: str, kind: type[errors.HBError]) -> None:
    with pytest.raises(kind) as caught:
        read(name)
    assert len(str(caught.value)) > 30


def test_recorded_calls_of_the_responses_wire_are_whole_and_go_back_with_their_thoughts() -> None:
    answer = read("openai--responses-stream-tools-thinking")
    [call] = answer.tool_calls
    assert (call.name, call.parse()) == ("final_result", {"result": 6666})
    assert answer.finish_reason == "tool_calls"
    assert answer.usage is not None
    assert answer.usage.reasoning
    result = {"role": "tool", "tool_call_id": call.id, "content": "6666"}
    spec = make_spec(provider="openai", provider_record=OPENAI, model_id="gpt-5")
    sent = ResponsesGateway().prepare(make_call(spec, messages=[USER, answer.message, result])).body["input"]
    assert [item.get("type", item.get("role")) for item in sent] == [
        *("user", "reasoning", "function_call", "function_call_output")
    ]
    assert sent[1]["encrypted_content"].startswith("gAAAA")
    assert sent[2]["call_id"] == sent[3]["call_id"] == call.id


def test_recorded_embeddings_are_read() -> None:
    for found in interactions("openai--embeddings"):
        inputs = found["sent"]["input"]
        inputs = [inputs] if isinstance(inputs, str) else inputs
        spec = make_spec(provider="openai", provider_record=OPENAI, model_id=found["sent"]["model"])
        answer = Caller(transport=Replay(found["response"])).verb("sync", "embed", spec, inputs=inputs)
        assert len(answer.vectors) == len(inputs)
        assert all(len(vector) > 100 for vector in answer.vectors)
