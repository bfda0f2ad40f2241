"""From answers to completions: finish reasons, thoughts, usage, errors, vectors, clients, in every mode."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Any

import pytest

import heavenbase as hb
from heavenbase import errors
from heavenbase.http.transport.protocol import HTTPResponse

from .support import KEY, MODEL, Replay, answering, ask, events, given, kernel, piece, saying, thought

MODES = pytest.mark.parametrize("mode", ["chat", "achat", "stream", "astream"])


@MODES
@pytest.mark.parametrize(
    ("raw", "reason"),
    [("stop", "stop"), ("length", "length"), ("model_length", "length"), ("something_new", "other")],
)
def test_g03_finish_reasons_of_mistral_are_one_vocabulary(mode: str, raw: str, reason: str) -> None:
    answer = ask(mode, given(mode, saying("x", raw)))
    assert (answer.finish_reason, answer.raw_finish_reason) == (reason, raw)


@MODES
def test_g04_tool_calls_of_mistral_are_read_with_and_without_ids(mode: str) -> None:
    calls = [
        {"id": "pcZFHqej8", "index": 0, "function": {"name": "f", "arguments": '{"a": 1}'}},
        {"id": "null", "index": 1, "function": {"name": "g", "arguments": {"b": 2}}},
    ]
    answer = ask(mode, given(mode, saying("", "tool_calls", tool_calls=calls)))
    assert answer.finish_reason == "tool_calls"
    assert [(call.name, call.parse()) for call in answer.tool_calls] == [("f", {"a": 1}), ("g", {"b": 2})]
    assert answer.tool_calls[0].id == "pcZFHqej8"
    assert answer.tool_calls[1].id not in ("", "null")


@MODES
def test_g04_thoughts_of_mistral_are_told_apart_and_can_be_hidden(mode: str) -> None:
    chunks = [thought("h"), thought("mm", closed=True), {"type": "text", "text": "yes"}]
    answer = ask(mode, given(mode, saying(chunks)))
    assert (answer.text, answer.reasoning) == ("yes", "hmm")
    hidden = ask(mode, given(mode, saying(chunks)), think=False)
    assert (hidden.text, hidden.reasoning) == ("yes", "")


def test_pieces_of_thoughts_become_one_chunk_with_its_signature() -> None:
    found = events(
        piece({"content": [thought("h")]}),
        piece({"content": [thought("mm", signature="c2ln")]}),
        piece({"content": [thought("next"), {"type": "text", "text": "y"}]}),
        piece({"content": "es"}, "stop"),
    )
    [part] = ask("stream", Replay(found), think=True).reasoning_parts
    assert part["value"] == [thought("hmm", signature="c2ln"), thought("next")]


@MODES
def test_usage_is_told_apart(mode: str) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 30, "total_tokens": 130, "num_cached_tokens": 40}
    counted = ask(mode, given(mode, saying("x", usage=usage))).usage
    assert counted is not None
    assert (counted.input, counted.cache_read, counted.output) == (60, 40, 30)


def test_b7_cached_tokens_of_an_earlier_event_are_not_forgotten() -> None:
    first = {**piece({"content": "x"}), "usage": {"prompt_tokens": 100, "num_cached_tokens": 40}}
    last = {**piece({"content": ""}, "stop"), "usage": {"prompt_tokens": 100, "completion_tokens": 30}}
    counted = ask("stream", Replay(events(first, last))).usage
    assert counted is not None
    assert (counted.input, counted.cache_read, counted.output) == (60, 40, 30)


# Errors


def refused(status: int, body: Any) -> HTTPResponse:
    return answering(body, status, {"mistral-correlation-id": "m-1"})


def error(message: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": "1500"}


INVALID = {"detail": [{"type": "extra_forbidden", "loc": ["body", "x"], "msg": "Extra inputs are not permitted"}]}
TOO_LONG = error("Prompt contains 40000 tokens, too large for model with 32768 maximum context length")


@MODES
@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (refused(400, error("Unexpected role 'user' after role 'tool'")), errors.RequestRejected),
        (refused(400, TOO_LONG), errors.ContextOverflow),
        (refused(400, error("Invalid model: x", "invalid_model")), errors.ModelNotFound),
        (refused(401, {"detail": "Unauthorized"}), errors.AuthError),
        (refused(403, error("no")), errors.AuthError),
        (refused(404, error("no")), errors.RequestRejected),
        (refused(404, error("Invalid model: x", "invalid_model")), errors.ModelNotFound),
        (refused(422, INVALID), errors.RequestRejected),
        (refused(429, error("Requests rate limit exceeded")), errors.RateLimitError),
        (refused(500, error("no")), errors.ServerError),
        (refused(503, error("no")), errors.Overloaded),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_g24_an_error_of_mistral_has_its_class(mode: str, response: HTTPResponse, kind: type[errors.HBError]) -> None:
    with pytest.raises(errors.HBError) as caught:
        ask(mode, Replay(response))
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.request_id) == (response.status, "m-1")


def test_g24_what_is_wrong_in_a_request_is_told() -> None:
    with pytest.raises(errors.RequestRejected, match="x: Extra inputs are not permitted"):
        ask("chat", Replay(refused(422, INVALID)))


@pytest.mark.parametrize(("status", "kind"), [(401, errors.AuthError), (429, errors.RateLimitError)])
def test_g24_errors_of_mistral_embeddings_have_their_class(status: int, kind: type[errors.HBError]) -> None:
    replay = Replay(answering(error("no"), status, {"retry-after": "3"}))
    with kernel(replay) as made, pytest.raises(kind) as caught:
        hb.LLM(model="mistral-embed", provider="mistral", kernel=made, max_retries=0).embed("x")
    assert caught.value.retry_after == 3


@MODES
def test_h26_no_error_of_mistral_shows_the_key(mode: str) -> None:
    with pytest.raises(errors.AuthError) as caught:
        ask(mode, Replay(refused(401, {"message": f"bad key {KEY}"})))
    assert KEY not in str(caught.value)
    assert KEY not in str(caught.value.body)


@MODES
def test_h11_a_generation_of_mistral_that_failed_is_no_answer(mode: str) -> None:
    with pytest.raises(errors.ServerError, match="could not finish"):
        ask(mode, given(mode, saying("", "error")))


@pytest.mark.parametrize("mode", ["stream", "astream"])
def test_h11_an_error_inside_a_mistral_stream_keeps_what_came(mode: str) -> None:
    with pytest.raises(errors.StreamInterrupted, match="overloaded") as caught:
        ask(mode, Replay(events(piece({"content": "one"}), error("overloaded", "service_unavailable"))))
    assert caught.value.partial is not None
    assert caught.value.partial.text == "one"


# Vectors


def test_g12_vectors_of_mistral_in_base64_are_decoded() -> None:
    from array import array

    packed = [b64encode(array("f", numbers).tobytes()).decode() for numbers in ((1.0, 0.5), (0.0, -1.0))]
    data = [{"object": "embedding", "index": place, "embedding": text} for place, text in enumerate(packed)]
    replay = Replay(answering({"data": data, "usage": {"prompt_tokens": 4, "total_tokens": 4}}))
    with kernel(replay) as made:
        llm = hb.LLM(model="mistral-embed", provider="mistral", kernel=made)
        vectors = llm.embed(["a", "b"], encoding_format="base64")
    assert replay.body() == {"model": "mistral-embed", "input": ["a", "b"], "encoding_format": "base64"}
    assert [list(vector) for vector in vectors] == [[1.0, 0.5], [0.0, -1.0]]


def test_there_are_no_images_to_be_made() -> None:
    replay = Replay(answering({}))
    with kernel(replay) as made, pytest.raises(errors.ImageGenerationNotSupported):
        hb.LLM(model=MODEL, provider="mistral", kernel=made).imagen("x")
    assert replay.sent == []


# Clients


def test_g25_a_new_key_of_mistral_is_used() -> None:
    replay = Replay(answering(saying("x")))
    with kernel(replay) as made:
        llm = hb.LLM(model=MODEL, provider="mistral", kernel=made)
        llm.chat("hi")
        llm.chat("hi", api_key="mi-another", headers={"X-Team": "mine"})
    assert [request.header("authorization") for request in replay.sent] == [f"Bearer {KEY}", "Bearer mi-another"]
    assert [request.header("x-team") for request in replay.sent] == [None, "mine"]
    assert "mistralai" in str(replay.sent[0].header("user-agent"))


def test_g25_a_missing_key_of_mistral_is_told_before_anything_is_sent() -> None:
    from hb_testing.conformance.rig import environment
    from heavenbase.config.config import Config
    from heavenbase.kernel import Kernel

    bare = Kernel(Config.from_dict({}, environ=environment()))
    with bare, pytest.raises(errors.MissingCredential, match="MISTRAL_API_KEY"):
        hb.LLM(model=MODEL, provider="mistral", kernel=bare).chat("hi")


def test_the_exported_client_is_the_sdks_and_reaches_the_endpoint() -> None:
    replay = Replay(answering(saying("x", usage={"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2})))
    with kernel(replay) as made:
        llm = hb.LLM(model=MODEL, provider="mistral", kernel=made, temperature=0.5)
        client = llm.to_client()
        assert client is llm.to_client()
        arguments = llm.to_args(max_tokens=7, seed=3)
        answer = client.chat.complete(messages=[{"role": "user", "content": "hi"}], **arguments)
        with pytest.raises(errors.ExportError, match="a_field_of_tomorrow"):
            llm.to_args(a_field_of_tomorrow=1)
    assert answer.choices[0].message.content == "x"
    body = replay.body()
    assert (body["temperature"], body["max_tokens"], body["random_seed"]) == (0.5, 7, 3)
    assert replay.sent[0].url == "https://api.mistral.ai/v1/chat/completions"
    assert replay.sent[0].header("authorization") == f"Bearer {KEY}"


def test_the_async_client_of_the_sdk_reaches_the_endpoint() -> None:
    async def main(llm: hb.LLM) -> str:
        client = llm.to_aclient()
        answer = await client.chat.complete_async(messages=[{"role": "user", "content": "hi"}], **llm.to_args())
        return str(answer.choices[0].message.content)

    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    with kernel(Replay(answering(saying("x", usage=usage)))) as made:
        assert asyncio.run(main(hb.LLM(model=MODEL, provider="mistral", kernel=made))) == "x"
