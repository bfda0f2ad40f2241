"""From Ollama's answers to completions, in every mode; errors; clients."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.server import refused_port
from heavenbase import errors
from heavenbase.http.transport.protocol import HTTPResponse

from .support import KEY, Replay, answering, ask, kernel, lines, saying

MODES = pytest.mark.parametrize("mode", ["chat", "achat", "stream", "astream"])


def given(mode: str, answer: dict[str, Any]) -> Replay:
    return Replay(lines(answer) if "stream" in mode else answering(answer))


@MODES
@pytest.mark.parametrize(
    ("raw", "reason"), [("stop", "stop"), ("length", "length"), ("load", "other"), (None, "other")]
)
def test_g03_finish_reasons_are_one_vocabulary(mode: str, raw: str | None, reason: str) -> None:
    answer = ask(mode, given(mode, saying("x", reason=raw)))
    assert (answer.finish_reason, answer.raw_finish_reason) == (reason, raw)


@MODES
def test_g04_a_tool_call_ends_with_tool_calls_and_gets_an_id(mode: str) -> None:
    made = [{"function": {"name": "f", "arguments": {"a": place}}} for place in (1, 2)]
    answer = ask(mode, given(mode, saying(tool_calls=made)))
    assert answer.finish_reason == "tool_calls"
    assert [call.parse() for call in answer.tool_calls] == [{"a": 1}, {"a": 2}]
    assert len({call.id for call in answer.tool_calls}) == 2


def test_g04_every_stream_ends_with_a_finish_reason_and_usage() -> None:
    last = {**saying(), "prompt_eval_count": 3, "eval_count": 2}
    replay = Replay(lines(saying("one ", done=False), saying("two", done=False), last))
    with kernel(replay) as made:
        chunks = list(hb.LLM(model="llama3.2", provider="ollama", kernel=made).stream("hi", include="chunk"))
    assert [chunk.text for chunk in chunks] == ["one ", "two", ""]
    assert chunks[-1].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert (chunks[-1].usage.input, chunks[-1].usage.output) == (3, 2)


@MODES
def test_thoughts_are_told_apart_and_kept_for_the_next_turn(mode: str) -> None:
    answer = ask(mode, given(mode, saying("x", thinking="hm")), think=True)
    assert (answer.reasoning, answer.text) == ("hm", "x")
    [part] = answer.reasoning_parts
    assert (part["provider"], part["field"], part["value"]) == ("ollama", "thinking", "hm")


@MODES
@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, '"llama3.2" does not support tools', errors.RequestRejected),
        (401, "unauthorized", errors.AuthError),
        (403, "forbidden", errors.AuthError),
        (404, "model 'llama3.2' not found", errors.ModelNotFound),
        (429, "too many requests", errors.RateLimitError),
        (500, "llama runner process has terminated", errors.ServerError),
        (503, "server busy", errors.Overloaded),
    ],
)
def test_g24_an_error_of_ollama_has_its_class(mode: str, status: int, message: str, kind: type[errors.HBError]) -> None:
    with pytest.raises(errors.HBError) as caught:
        ask(mode, Replay(answering({"error": message}, status)))
    assert type(caught.value) is kind
    assert caught.value.status == status
    assert message in str(caught.value)


@pytest.mark.parametrize("mode", ["stream", "astream"])
def test_h11_an_error_or_a_cut_inside_a_stream_is_never_a_success(mode: str) -> None:
    with pytest.raises(errors.StreamInterrupted) as caught:
        ask(mode, Replay(lines(saying("one", done=False), {"error": "out of memory"})))
    assert caught.value.partial is not None
    assert caught.value.partial.text == "one"
    with pytest.raises(errors.StreamTruncated):
        ask(mode, Replay(lines(saying("one", done=False))))


def test_half_a_line_is_no_event() -> None:
    whole = lines(saying("one", done=False), saying("two"))
    assert isinstance(whole.body, bytes)
    with pytest.raises(errors.StreamTruncated):
        ask("stream", Replay(HTTPResponse(200, whole.headers, whole.body[:-9])))
    assert ask("stream", Replay(HTTPResponse(200, whole.headers, whole.body[:-1]))).text == "onetwo"


def test_a_server_that_does_not_run_is_told_with_what_to_do() -> None:
    with refused_port() as port, kernel() as made:
        llm = hb.LLM(
            model="llama3.2", provider="ollama", kernel=made, base_url=f"http://127.0.0.1:{port}", max_retries=0
        )
        with pytest.raises(errors.ConnectError, match="ollama serve"):
            llm.chat("hi")


# Clients


def test_g25_a_key_is_sent_only_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "of-another-process")
    replay = Replay(answering(saying("x")))
    ask("chat", replay)
    assert replay.sent[0].header("authorization") == f"Bearer {KEY}"
    with kernel(replay, **{"heavenbase.llm.providers.ollama.api_key_env": []}) as made:
        hb.LLM(model="llama3.2", provider="ollama", kernel=made).chat("hi")
    assert replay.sent[1].header("authorization") is None


def test_the_exported_client_is_the_sdks_and_reaches_the_endpoint() -> None:
    replay = Replay(answering(saying("x")))
    with kernel(replay) as made:
        llm = hb.LLM(model="llama3.2", provider="ollama", kernel=made, temperature=0.5)
        client = llm.to_client()
        assert client is llm.to_client()
        answer = client.chat(messages=[{"role": "user", "content": "hi"}], **llm.to_args(think=False))
    assert answer.message.content == "x"
    assert replay.body()["options"] == {"temperature": 0.5}
    assert replay.body()["think"] is False


def test_the_async_client_of_the_sdk_reaches_the_endpoint() -> None:
    replay = Replay(answering(saying("x")))

    async def main(llm: hb.LLM) -> str:
        answer = await llm.to_aclient().chat(messages=[{"role": "user", "content": "hi"}], **llm.to_args())
        return str(answer.message.content)

    with kernel(replay) as made:
        assert asyncio.run(main(hb.LLM(model="llama3.2", provider="ollama", kernel=made))) == "x"


@pytest.mark.parametrize("mode", ["stream", "astream"])
def test_a_stream_that_is_called_json_or_comes_whole_is_read(mode: str) -> None:
    pieces = lines(saying("one", done=False), saying("two"))
    assert ask(mode, Replay(HTTPResponse(200, (("content-type", "application/json"),), pieces.body))).text == "onetwo"
    assert ask(mode, Replay(answering(saying("whole")))).text == "whole"


@MODES
def test_g02_an_answer_has_all_its_fields(mode: str) -> None:
    answer = ask(mode, given(mode, saying("x")))
    assert (answer.text, answer.model) == ("x", "llama3.2")
    assert (answer.provider, answer.gateway) == ("ollama", "ollama")
    assert answer.raw
    assert [attempt.error for attempt in answer.attempts] == [None]


def test_g10_a_model_of_pydantic_is_answered_as_one() -> None:
    from pydantic import BaseModel

    class City(BaseModel):
        name: str

    replay = Replay(answering(saying('{"name": "Paris"}')))
    with kernel(replay) as made:
        llm = hb.LLM(model="llama3.2", provider="ollama", kernel=made)
        assert llm.chat("hi", response_format=City, include="structured") == City(name="Paris")
    assert replay.body()["format"]["properties"]["name"]["type"] == "string"
