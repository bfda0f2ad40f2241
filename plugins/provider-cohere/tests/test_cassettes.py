"""Recorded traffic of Cohere: every recorded answer is read right, and what is sent is what was recorded."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from hb_provider_cohere import rerank
from heavenbase import errors
from heavenbase.http.transport.protocol import HTTPResponse
from heavenbase.types import Completion

from .support import Replay, ask, kernel

FOLDER = os.environ.get("HB_CASSETTES")
pytestmark = pytest.mark.skipif(not FOLDER, reason="needs recordings: HB_CASSETTES=FOLDER pytest -k cassettes")
GZIP = b"\x1f\x8b"
_DROPPED = ("content-encoding", "content-length", "transfer-encoding")


def names() -> list[str]:
    return sorted(path.stem for path in Path(FOLDER or os.devnull).glob("cohere--*.yaml"))


def interactions(name: str) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml")
    # Tags that the safe loader does not know are read as plain data.
    Loader: Any = type("Loader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {})
    Loader.add_multi_constructor("", lambda loader, suffix, node: loader.construct_scalar(node))
    data = yaml.load(Path(str(FOLDER), f"{name}.yaml").read_text(encoding="utf-8"), Loader=Loader)
    return [found for found in data["interactions"] if "/v2/" in found["request"]["uri"]]


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


def operation(interaction: dict[str, Any]) -> str:
    return str(interaction["request"]["uri"]).rpartition("/v2/")[2].partition("?")[0]


def read(interaction: dict[str, Any], **options: Any) -> Completion:
    sent = sent_of(interaction)
    mode = "stream" if sent.get("stream") else "chat"
    return ask(mode, Replay(response_of(interaction)), model=sent["model"], **options)


def replay(interaction: dict[str, Any]) -> None:
    """Make the recorded request's call and read its answer, whatever the operation."""
    sent = sent_of(interaction)
    with kernel(Replay(response_of(interaction))) as made:
        llm = hb.LLM(model=sent["model"], provider="cohere", kernel=made, max_retries=0)
        if operation(interaction) == "embed":
            assert len(llm.embed(sent["texts"])) == len(sent["texts"])
        elif operation(interaction) == "rerank":
            assert rerank(llm, sent["query"], sent["documents"])
        else:
            answer = read(interaction)
            assert answer.text or answer.tool_calls
            assert answer.finish_reason in ("stop", "tool_calls", "length")
            assert answer.id
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
    [interaction] = interactions("cohere--chat")
    answer = read(interaction)
    assert answer.text == "Hello! How can I assist you today?"
    assert (answer.finish_reason, answer.raw_finish_reason) == ("stop", "COMPLETE")
    assert answer.id == "f17a5f6c-1734-4098-bd0d-733ef000ac7b"
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output, answer.usage.cache_read) == (496, 11, None)


def test_what_is_sent_is_what_was_recorded() -> None:
    [interaction] = interactions("cohere--tools")
    sent = sent_of(interaction)
    replayed = Replay(response_of(interaction))
    prompt = sent["messages"][0]["content"]
    answer = ask("chat", replayed, prompt, model=sent["model"], tools=sent["tools"], tool_choice="required", seed=None)
    assert {name: replayed.body()[name] for name in sent} == sent
    assert [(call.name, call.parse()) for call in answer.tool_calls] == [("get_weather", {"city": "Paris"})]
    assert answer.tool_calls[0].id == "get_weather_3p2j6ce4gxxx"
    assert answer.finish_reason == "tool_calls"
    assert answer.reasoning == "I will use one or more of the available tools to find the answer"
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.cache_read, answer.usage.output) == (1308, 144, 33)


def test_a_stream_and_its_usage() -> None:
    [interaction] = interactions("cohere--stream")
    answer = read(interaction)
    assert answer.text.startswith("Hi there! You're Pickle Rick?")
    assert answer.text.endswith("your version of Rick.")
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output) == (70, 45)


def test_an_image_by_url_travels_as_it_was_recorded() -> None:
    [interaction] = interactions("cohere--vision")
    recorded = sent_of(interaction)
    replayed = Replay(response_of(interaction))
    answer = ask("stream", replayed, recorded["messages"], model=recorded["model"])
    assert replayed.body()["messages"] == recorded["messages"]
    assert answer.text.startswith("The image you've provided")
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.cache_read, answer.usage.output) == (20, 480, 156)


def test_vectors_are_asked_for_and_read() -> None:
    [interaction] = interactions("cohere--embeddings")
    recorded = sent_of(interaction)
    replayed = Replay(response_of(interaction))
    with kernel(replayed) as made:
        llm = hb.LLM(model=recorded["model"], provider="cohere", kernel=made)
        asked: dict[str, Any] = {"input_type": "search_query", "truncate": "NONE"}
        found = llm.embed(recorded["texts"], include=["embeddings", "usage"], **asked)
    assert replayed.body() == {name: value for name, value in recorded.items() if value is not None}
    [vector] = found["embeddings"]
    assert len(vector) == 1536
    assert vector[0] == pytest.approx(-0.018445116)
    assert found["usage"]["input"] == 4


def test_documents_are_ranked() -> None:
    [interaction] = interactions("cohere--rerank")
    recorded = sent_of(interaction)
    replayed = Replay(response_of(interaction))
    with kernel(replayed) as made:
        llm = hb.LLM(model=recorded["model"], provider="cohere", kernel=made)
        ranked = rerank(llm, recorded["query"], recorded["documents"], top_n=3)
    assert replayed.sent[0].url == "https://api.cohere.com/v2/rerank"
    assert replayed.body() == {name: value for name, value in recorded.items() if value is not None}
    assert [(item.index, item.score) for item in ranked] == [(0, 0.10415817), (1, 0.0872602)]


def test_an_unknown_model_is_told() -> None:
    [interaction] = interactions("cohere--err404")
    with pytest.raises(errors.ModelNotFound, match="nonexistent"):
        replay(interaction)


def test_a_form_of_the_answer_that_only_says_json() -> None:
    [interaction] = interactions("cohere--structured")
    replayed = Replay(response_of(interaction))
    answer = ask("chat", replayed, model="command-r", response_format={"type": "json_object"})
    assert replayed.body()["response_format"] == {"type": "json_object"}
    assert answer.structured == {"name": "John", "age": 30}
