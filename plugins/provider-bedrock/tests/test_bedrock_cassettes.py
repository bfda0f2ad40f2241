"""Recorded traffic of Bedrock: every recorded answer is read, and read right; what hb sends is what was recorded."""

from __future__ import annotations

import json
import os
from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from heavenbase import errors
from heavenbase.http.transport.protocol import HTTPResponse
from heavenbase.types import Chunk, Completion

from .support import COLOURS, TOOL, Replay, ask, body, llm_of

FOLDER = os.environ.get("HB_CASSETTES")
pytestmark = pytest.mark.skipif(not FOLDER, reason="needs recordings: HB_CASSETTES=FOLDER pytest -k cassettes")
NAMES = sorted(path.stem for path in Path(FOLDER or "/nowhere").glob("bedrock--*.yaml")) if FOLDER else []
_HOPS = ("content-encoding", "content-length", "transfer-encoding", "connection")


def interactions(name: str) -> list[dict[str, Any]]:
    """The exchanges with Bedrock in a recording: url, sent (decoded), answer."""
    yaml = pytest.importorskip("yaml")
    # Tags that the safe loader does not know are read as plain data.
    Loader: Any = type("Loader", (yaml.SafeLoader,), {})
    Loader.add_multi_constructor("", lambda loader, suffix, node: loader.construct_scalar(node))
    data = yaml.load(Path(str(FOLDER), f"{name}.yaml").read_text(encoding="utf-8"), Loader=Loader)
    found = []
    for interaction in data["interactions"]:
        request, response = interaction["request"], interaction["response"]
        if "/model/" not in request["uri"]:
            continue
        sent = request.get("parsed_body") or request.get("body")
        headers = [
            (key, values[0] if isinstance(values, list) else values)
            for key, values in (response.get("headers") or {}).items()
            if key.lower() not in _HOPS
        ]
        answer = HTTPResponse(response["status"]["code"], headers, _body(response))
        found.append({"url": request["uri"], "sent": _decoded(sent), "answer": answer})
    return found


def _decoded(sent: Any) -> Any:
    if isinstance(sent, dict) and "string" in sent:
        sent = sent["string"]
    return json.loads(sent) if isinstance(sent, str | bytes) and sent else sent


def _body(response: dict[str, Any]) -> bytes:
    if "parsed_body" in response:
        return json.dumps(response["parsed_body"]).encode()
    given = response.get("body", response.get("content", ""))
    text = given.get("string", "") if isinstance(given, dict) else given
    if isinstance(text, bytes):
        return text
    # An event stream that was written as base64 text begins with the zeros of its first length.
    return b64decode(text) if str(text).startswith("AAA") else str(text).encode()


def model_of(url: str) -> str:
    return unquote(url.partition("/model/")[2].rpartition("/")[0])


def read(name: str, place: int = 0, colour: str = "sync") -> Any:
    found = interactions(name)[place]
    with llm_of(model_of(found["url"]), transport=Replay(found["answer"])) as llm:
        if found["url"].endswith("/invoke"):
            return ask(llm, colour, "embed", found["sent"].get("inputText") or found["sent"].get("texts"))
        verb = "stream" if found["url"].endswith("-stream") else "complete"
        return ask(llm, colour, verb, "hi")


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("name", NAMES)
def test_recorded_answers_are_read(name: str, colour: str) -> None:
    for place, found in enumerate(interactions(name)):
        if found["answer"].status >= 400:
            with pytest.raises(errors.StatusError) as caught:
                read(name, place, colour)
            assert caught.value.status == found["answer"].status
            assert len(str(caught.value)) > 30
            continue
        answer = read(name, place, colour)
        if isinstance(answer, Completion):
            assert answer.text or answer.tool_calls or answer.reasoning or answer.images
            assert answer.finish_reason in ("stop", "tool_calls", "length", "content_filter", "refusal")
            assert answer.usage is None or answer.usage.total_tokens
            assert all(isinstance(call.parse(), dict) for call in answer.tool_calls)
        elif answer and isinstance(answer[0], Chunk):
            assert [chunk for chunk in answer if chunk.finish_reason], "no end"
            assert any(chunk.usage is not None for chunk in answer)
            assert any(chunk.has_content or chunk.reasoning_parts for chunk in answer)
        else:
            assert all(isinstance(number, float) for number in answer)


def test_a_recorded_conversation_with_tools_is_sent_alike() -> None:
    first, second = interactions("bedrock--tools")
    tool = {"type": "function", "function": {**TOOL["function"], "name": "get_temperature"}}
    answer = read("bedrock--tools")
    assert [(call.name, call.parse()) for call in answer.tool_calls] == [("get_temperature", {"city": "London"})]
    assert answer.finish_reason == "tool_calls"
    assert answer.reasoning.startswith(" The user is asking")
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output, answer.usage.total_tokens) == (92, 75, 167)
    said = first["sent"]["messages"][0]["content"][0]["text"]
    result = {"role": "tool", "tool_call_id": answer.tool_calls[0].id, "content": "30°C"}
    sent = body(
        [
            {"role": "system", "content": "You are a helpful chatbot. Use tools when helpful."},
            {"role": "user", "content": said},
            answer.message,
            result,
        ],
        model="moonshot.kimi-k2-thinking",
        tools=[tool],
        tool_choice="auto",
    )
    assert sent["system"] == second["sent"]["system"]
    assert sent["toolConfig"]["toolChoice"] == second["sent"]["toolConfig"]["toolChoice"]
    recorded = second["sent"]["messages"]
    assert [message["role"] for message in sent["messages"]] == [message["role"] for message in recorded]
    assert sent["messages"][1]["content"][-1] == recorded[1]["content"][-1]
    recorded_result = {k: v for k, v in recorded[2]["content"][0]["toolResult"].items() if k != "status"}
    assert sent["messages"][2]["content"][0]["toolResult"] == recorded_result


def test_a_recorded_stream_has_its_calls_and_usage() -> None:
    chunks = read("bedrock--stream-tools")
    assert "".join(chunk.text for chunk in chunks).startswith("<thinking> To find the temperature")
    names = [delta.name for chunk in chunks for delta in chunk.tool_calls or () if delta.name]
    assert names == ["get_temperature"]
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["tool_calls"]


def test_hidden_thoughts_are_kept_and_go_back_to_the_same_model() -> None:
    model = model_of(interactions("bedrock--thinking-stream")[0]["url"])
    chunks = read("bedrock--thinking-stream")
    [parts] = [chunk.reasoning_parts for chunk in chunks if chunk.reasoning_parts]
    hidden = [block for block in parts[0]["value"] if "redactedContent" in block.get("reasoningContent", {})]
    assert hidden
    text = "".join(chunk.text for chunk in chunks)
    before = {"role": "assistant", "content": text, "reasoning_parts": parts}
    turns = [{"role": "user", "content": "one"}, before, {"role": "user", "content": "two"}]
    assert body(turns, model=model)["messages"][1]["content"][: len(hidden)] == hidden
    elsewhere = json.dumps(body(turns, model="us.amazon.nova-lite-v1:0"))
    assert "redactedContent" not in elsewhere


def test_a_recorded_schema_is_sent_as_it_was() -> None:
    [found] = interactions("bedrock--structured")
    structure = found["sent"]["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    wanted = {"type": "json_schema", "json_schema": {"name": "City", "schema": json.loads(structure["schema"])}}
    sent = body(model="zai.glm-4.7-flash", response_format=wanted)["outputConfig"]["textFormat"]
    assert sent["type"] == "json_schema"
    assert sent["structure"]["jsonSchema"]["name"] == "City"
    assert json.loads(sent["structure"]["jsonSchema"]["schema"]) == json.loads(structure["schema"])
    with llm_of("zai.glm-4.7-flash", transport=Replay(found["answer"])) as llm:
        answer = llm.chat("Where is the Eiffel Tower?", response_format=wanted, include="structured")
    assert answer == {"city": "Paris", "country": "France"}


def test_a_recorded_embedding_is_asked_for_alike() -> None:
    [found] = interactions("bedrock--embeddings-titan")
    replay = Replay(found["answer"])
    with llm_of(model_of(found["url"]), transport=replay) as llm:
        values = llm.embed("Test embedding dimensions", include=["embeddings", "usage"], dimensions=256, normalize=True)
    assert json.loads(replay.requests[0].body) == found["sent"]
    assert replay.requests[0].url.endswith(found["url"].partition("amazonaws.com")[2])
    assert values["usage"]["prompt_tokens"] == 4
    assert values["embeddings"][0] == pytest.approx(-0.1208660751581192)


def test_a_model_that_does_not_exist_is_told() -> None:
    with pytest.raises(errors.ModelNotFound, match="model identifier is invalid"):
        read("bedrock--err400")
