"""From answers to completions: finish reasons, thoughts, usage, errors, vectors, clients, in every mode."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Any

import pytest

import heavenbase as hb
from hb_provider_cohere import Ranked, arerank, rerank
from heavenbase import errors
from heavenbase.http.transport.protocol import HTTPResponse

from .support import KEY, MODEL, Replay, answering, ask, end, events, given, kernel, piece, saying

MODES = pytest.mark.parametrize("mode", ["chat", "achat", "stream", "astream"])
CALLS = [
    {"id": "f_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
    {"id": "f_2", "type": "function", "function": {"name": "f", "arguments": ""}},
]


@MODES
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("ERROR_TOXIC", "content_filter"),
        ("ERROR_LIMIT", "context_overflow"),
        ("USER_CANCEL", "other"),
    ],
)
def test_g03_finish_reasons_of_cohere_are_one_vocabulary(mode: str, raw: str, reason: str) -> None:
    answer = ask(mode, given(mode, saying("x", raw)))
    assert (answer.finish_reason, answer.raw_finish_reason) == (reason, raw)


@MODES
def test_g04_tool_calls_of_cohere_are_read_with_their_plan(mode: str) -> None:
    answer = ask(mode, given(mode, saying(finish="TOOL_CALL", tool_plan="I will| call f.", tool_calls=CALLS)))
    assert answer.finish_reason == "tool_calls"
    assert [(call.id, call.name, call.parse()) for call in answer.tool_calls] == [
        ("f_1", "f", {"a": 1}),
        ("f_2", "f", {}),
    ]
    assert answer.reasoning.replace("|", "") == "I will call f."


@MODES
def test_g04_thoughts_of_cohere_are_told_apart_and_can_be_hidden(mode: str) -> None:
    blocks = [{"type": "thinking", "thinking": "hmm"}, {"type": "text", "text": "yes"}]
    answer = ask(mode, given(mode, saying(content=blocks)))
    assert (answer.text, answer.reasoning) == ("yes", "hmm")
    hidden = ask(mode, given(mode, saying(content=blocks)), think=False)
    assert (hidden.text, hidden.reasoning) == ("yes", "")


@MODES
def test_usage_is_told_apart(mode: str) -> None:
    usage = {"tokens": {"input_tokens": 100.0, "output_tokens": 30}, "cached_tokens": 40, "billed_units": {}}
    counted = ask(mode, given(mode, saying("x", usage=usage))).usage
    assert counted is not None
    assert (counted.input, counted.cache_read, counted.output, counted.reasoning) == (60, 40, 30, None)
    billed = ask(mode, given(mode, saying("x", usage={"billed_units": {"input_tokens": 3}}))).usage
    assert billed is not None
    assert (billed.input, billed.output) == (3, None)


def test_a_stream_without_the_last_marker_of_the_transport_is_complete() -> None:
    whole = events(piece(content={"text": "x"}), end())
    assert isinstance(whole.body, bytes)
    bare = HTTPResponse(200, whole.headers, whole.body.replace(b"data: [DONE]\n\n", b""))
    assert ask("stream", Replay(bare)).text == "x"


def test_events_that_say_nothing_to_hb_are_passed_over() -> None:
    citation = {"type": "citation-start", "index": 0, "delta": {"message": {"citations": {"start": 0, "end": 1}}}}
    tomorrow = {"type": "something-new", "delta": 7}
    assert ask("stream", Replay(events(piece(content={"text": "x"}), citation, tomorrow, end()))).text == "x"


# Errors


def refused(status: int, message: str = "no") -> HTTPResponse:
    return answering({"id": "e1", "message": message}, status)


MONTHLY = "You are using a Trial key, which is limited to 1000 API calls / month."
TOO_LONG = "too many tokens: total number of tokens in the prompt cannot exceed 128000"


@MODES
@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (refused(400), errors.RequestRejected),
        (refused(400, TOO_LONG), errors.ContextOverflow),
        (refused(401, "invalid api token"), errors.AuthError),
        (refused(403), errors.AuthError),
        (refused(404, "model 'x' not found"), errors.ModelNotFound),
        (refused(422), errors.RequestRejected),
        (refused(429, "Please wait and try again later"), errors.RateLimitError),
        (refused(429, MONTHLY), errors.QuotaExhausted),
        (refused(498), errors.RequestRejected),
        (refused(500), errors.ServerError),
        (refused(503), errors.Overloaded),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_g24_an_error_of_cohere_has_its_class(mode: str, response: HTTPResponse, kind: type[errors.HBError]) -> None:
    with pytest.raises(errors.HBError) as caught:
        ask(mode, Replay(response))
    assert type(caught.value) is kind
    assert caught.value.status == response.status


@pytest.mark.parametrize(("status", "kind"), [(401, errors.AuthError), (429, errors.RateLimitError)])
def test_g24_errors_of_cohere_embeddings_have_their_class(status: int, kind: type[errors.HBError]) -> None:
    replay = Replay(answering({"message": "no"}, status, {"retry-after": "3"}))
    with kernel(replay) as made, pytest.raises(kind) as caught:
        hb.LLM(model="embed-v4.0", provider="cohere", kernel=made, max_retries=0).embed("x")
    assert caught.value.retry_after == 3


@MODES
def test_h26_no_error_of_cohere_shows_the_key(mode: str) -> None:
    with pytest.raises(errors.AuthError) as caught:
        ask(mode, Replay(refused(401, f"bad key {KEY}")))
    assert KEY not in str(caught.value)
    assert KEY not in str(caught.value.body)


@MODES
@pytest.mark.parametrize(("raw", "status"), [("ERROR", 500), ("TIMEOUT", 504)])
def test_h11_a_generation_that_failed_is_no_answer(mode: str, raw: str, status: int) -> None:
    broken = events(end(raw, error="the model broke")) if "stream" in mode else answering(saying("x", raw))
    with pytest.raises(errors.ServerError) as caught:
        ask(mode, Replay(broken))
    assert caught.value.code in (raw, str(status))


@pytest.mark.parametrize("mode", ["stream", "astream"])
def test_h11_an_error_inside_a_cohere_stream_keeps_what_came(mode: str) -> None:
    with pytest.raises(errors.StreamInterrupted, match="the model broke") as caught:
        ask(mode, Replay(events(piece(content={"text": "one"}), end("ERROR", error="the model broke"))))
    assert caught.value.partial is not None
    assert caught.value.partial.text == "one"
    with pytest.raises(errors.StreamTruncated):
        ask(mode, Replay(events(piece(content={"text": "one"}))))


@MODES
def test_an_error_body_with_the_status_of_a_success_is_an_error(mode: str) -> None:
    with pytest.raises(errors.ServerError, match="went wrong"):
        ask(mode, Replay(answering({"message": "something went wrong"})))


# Vectors


def embedded(response: Any, texts: Any = ("a", "b"), model: str = "embed-v4.0", **options: Any) -> Any:
    replay = Replay(answering(response))
    with kernel(replay) as made:
        found = hb.LLM(model=model, provider="cohere", kernel=made).embed(list(texts), **options)
    return found, replay.body()


def test_g12_vectors_of_cohere_in_base64_are_decoded() -> None:
    from array import array

    packed = [b64encode(array("f", numbers).tobytes()).decode() for numbers in ((1.0, 0.5), (0.0, -1.0))]
    vectors, body = embedded({"embeddings": {"base64": packed}}, encoding_format="base64")
    assert body["embedding_types"] == ["base64"]
    assert [list(vector) for vector in vectors] == [[1.0, 0.5], [0.0, -1.0]]


def test_small_vectors_are_read_as_numbers() -> None:
    vectors, body = embedded({"embeddings": {"int8": [[1, -2], [3, 4]]}}, embedding_types=["int8"])
    assert body["embedding_types"] == ["int8"]
    assert [list(vector) for vector in vectors] == [[1.0, -2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    "answer",
    [
        {"embeddings": {"float": [[1.0, 2.0]]}},
        {"embeddings": {"float": [[1.0, 2.0], [1.0]]}},
        {"embeddings": {"float": [[1.0, 2.0], ["x", 1.0]]}},
        {"embeddings": {"base64": ["!", "!"]}},
        {"embeddings": {}},
        [],
    ],
)
def test_an_answer_with_other_vectors_is_an_error(answer: Any) -> None:
    with pytest.raises(errors.ResponseShapeError):
        embedded(answer)


# Rerank

RANKED = {"results": [{"index": 1, "relevance_score": 0.25}, {"index": 0, "relevance_score": 0.75}]}


def test_rerank_gives_the_best_first_in_both_colours() -> None:
    replay = Replay(answering(RANKED))
    with kernel(replay) as made:
        llm = hb.LLM(model="rerank-v3.5", provider="cohere", kernel=made)
        sync = rerank(llm, "q", ["a", "b"], top_n=2, max_tokens_per_doc=100)
        later = asyncio.run(arerank(llm, "q", ["a", "b"]))
    assert sync == later == [Ranked(0, 0.75, "a"), Ranked(1, 0.25, "b")]
    assert replay.body(0) == {
        "model": "rerank-v3.5",
        "query": "q",
        "documents": ["a", "b"],
        "top_n": 2,
        "max_tokens_per_doc": 100,
    }


def test_rerank_is_refused_where_it_cannot_be_asked_for() -> None:
    replay = Replay(answering(RANKED))
    with kernel(replay) as made:
        llm = hb.LLM(model="rerank-v3.5", provider="cohere", kernel=made)
        with pytest.raises(errors.InputError, match="no documents"):
            rerank(llm, "q", [])
        with pytest.raises(errors.UnsupportedError, match="has no rerank"):
            rerank(hb.LLM(model="x", provider="cohere", gateway="openai", kernel=made), "q", ["a"])
        assert replay.sent == []
        with pytest.raises(errors.ResponseShapeError):
            rerank(llm, "q", ["a"])


# Clients


def test_g25_a_new_key_is_used() -> None:
    replay = Replay(answering(saying("x")))
    with kernel(replay) as made:
        llm = hb.LLM(model=MODEL, provider="cohere", kernel=made)
        llm.chat("hi")
        llm.chat("hi", api_key="co-another", headers={"X-Fern-Language": "mine"})
    assert [request.header("authorization") for request in replay.sent] == [f"Bearer {KEY}", "Bearer co-another"]
    assert [request.header("x-fern-language") for request in replay.sent] == ["Python", "mine"]


def test_a_missing_key_is_told_before_anything_is_sent() -> None:
    from hb_testing.conformance.rig import environment
    from heavenbase.config.config import Config
    from heavenbase.kernel import Kernel

    bare = Kernel(Config.from_dict({}, environ=environment()))
    with bare, pytest.raises(errors.MissingCredential, match="COHERE_API_KEY"):
        hb.LLM(model=MODEL, provider="cohere", kernel=bare).chat("hi")


def test_the_exported_client_is_the_sdks_and_reaches_the_endpoint() -> None:
    replay = Replay(answering(saying("x")))
    with kernel(replay) as made:
        llm = hb.LLM(model=MODEL, provider="cohere", kernel=made, temperature=0.5)
        client = llm.to_client()
        assert client is llm.to_client()
        arguments = llm.to_args(max_tokens=7, a_field_of_tomorrow=1)
        answer = client.chat(messages=[{"role": "user", "content": "hi"}], **arguments)
    assert answer.message.content[0].text == "x"
    body = replay.body()
    assert (body["temperature"], body["max_tokens"], body["a_field_of_tomorrow"]) == (0.5, 7, 1)
    assert replay.sent[0].url == "https://api.cohere.com/v2/chat"
    assert replay.sent[0].header("authorization") == f"Bearer {KEY}"


def test_the_async_client_of_the_sdk_reaches_the_endpoint() -> None:
    async def main(llm: hb.LLM) -> str:
        answer = await llm.to_aclient().chat(messages=[{"role": "user", "content": "hi"}], **llm.to_args())
        return str(answer.message.content[0].text)

    with kernel(Replay(answering(saying("x")))) as made:
        assert asyncio.run(main(hb.LLM(model=MODEL, provider="cohere", kernel=made))) == "x"
