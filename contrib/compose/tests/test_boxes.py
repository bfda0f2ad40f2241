"""Objects of one's own in every wrapper: sync, async, with deltas and without."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import hb_compose as c
from heavenbase.errors import ConnectError, InputError, InputTypeError, PluginContractError

from .support import LONG, WAYS, Stack

USAGE = c.TokenUsage(input=3, output=7)


class Plain:
    """A sync provider that says what it was told to say, errors included."""

    model_name: Any = "plain"

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.requests: list[c.CompletionRequest] = []

    def next(self, request: c.CompletionRequest) -> Any:
        self.requests.append(request)
        answer = self.script.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer if not isinstance(answer, str) else c.CompletionResponse.of_text(answer, usage=USAGE)

    def complete(self, request: c.CompletionRequest) -> Any:
        return self.next(request)

    def stream_complete(self, request: c.CompletionRequest, on_text: Any) -> Any:
        answer = self.next(request)
        for word in answer.text.split():
            on_text(word)
        return answer


class Silent(Plain):
    """One that streams nothing on its way."""

    def stream_complete(self, request: c.CompletionRequest, on_text: Any) -> Any:
        return self.next(request)


class Waiting(Plain):
    """One that is async through and through."""

    model_name = "waiting"

    async def complete(self, request: c.CompletionRequest) -> Any:
        await asyncio.sleep(0)
        return self.next(request)

    async def stream_complete(self, request: c.CompletionRequest, on_text: Any) -> Any:
        await asyncio.sleep(0)
        return super().stream_complete(request, on_text)


class Status(Exception):
    """An error of somebody else's, with a status."""

    def __init__(self, status: int, retry_after: float | None = None) -> None:
        super().__init__(f"status {status}")
        self.status_code = status
        self.retry_after = retry_after


@WAYS
def test_an_object_with_the_three_names_is_a_provider(stack: Stack, way: str) -> None:
    assert isinstance(Plain(), c.LlmProvider)
    provider = c.BoxedProvider(Plain("one two"))
    assert provider.model_name == "plain"
    response = stack.ask(provider, way, "hi", system="be brief", max_tokens=5)
    assert (response.text, response.usage) == ("one two", USAGE)
    assert provider.inner.requests == [c.CompletionRequest(("hi",), "be brief", max_tokens=5)]  # type: ignore[union-attr]
    assert stack.pieces == ([] if way == "complete" else ["one", "two"])


def test_what_an_object_does_not_tell_on_its_way_is_told_at_its_end(stack: Stack) -> None:
    assert stack.ask(c.BoxedProvider(Silent("one two")), "stream_complete").text == "one two"
    assert stack.pieces == ["one two"]


@WAYS
def test_an_async_object_serves_async_calls(stack: Stack, way: str) -> None:
    provider = c.BoxedProvider(Waiting("one two"))
    if stack.colour.name == "sync":
        with pytest.raises(InputTypeError, match=r"use acomplete|use astream_complete"):
            stack.ask(provider, way)
        return
    assert stack.ask(provider, way).text == "one two"


@WAYS
@pytest.mark.parametrize("error", [ConnectionResetError("cut"), Status(429), Status(529), ConnectError("no way")])
def test_h14_h17_transient_errors_of_anybody_are_tried_again(stack: Stack, way: str, error: Exception) -> None:
    inner = Plain(error, error, LONG)
    assert stack.ask(stack.retrying(inner), way).text == LONG
    assert len(inner.requests) == 3
    assert [told[:2] for told in stack.told] == [(1, 3), (2, 3)]
    assert stack.clock.slept == [0.25, 0.5]


@WAYS
@pytest.mark.parametrize("error", [Status(400), Status(504), ValueError("a bug"), InputTypeError("wrong")])
def test_h14_other_errors_of_anybody_are_raised_as_they_are(stack: Stack, way: str, error: Exception) -> None:
    inner = Plain(error)
    with pytest.raises(type(error)) as caught:
        stack.ask(stack.retrying(inner), way)
    assert caught.value is error


@WAYS
def test_h16_a_wait_that_an_error_asks_for_wins(stack: Stack, way: str) -> None:
    stack.ask(stack.retrying(Plain(Status(429, 8), LONG)), way)
    assert stack.clock.slept == [8 * 1.125]


def test_h18_a_stream_of_anybodys_that_broke_after_its_first_text_is_not_begun_again(stack: Stack) -> None:
    class Breaking(Plain):
        def stream_complete(self, request: c.CompletionRequest, on_text: Any) -> Any:
            on_text("one ")
            raise ConnectionResetError("cut")

    with pytest.raises(ConnectionResetError):
        stack.ask(stack.retrying(Breaking()), "stream_complete")
    assert (stack.pieces, stack.told) == (["one "], [])


@WAYS
def test_h19_objects_stand_in_cascades_beside_providers_of_hb(stack: Stack, way: str) -> None:
    stack.server.reply(LONG)
    response = stack.ask(c.CascadingProvider([Plain("I cannot do that at all"), stack.direct()]), way)
    assert (response.text, response.usage.input) == (LONG, 3 + (stack.requests and 1))
    assert response.tiers[0] == ("plain", "the answer says 'I cannot'")
    failing = c.CascadingProvider([Plain(RuntimeError("down")), Plain(LONG)])
    assert stack.ask(failing, way).tiers == (("plain", "RuntimeError: down"), ("plain", ""))


@WAYS
@pytest.mark.parametrize("error", [Status(401), Status(400), TypeError("a bug")])
def test_h20_wrong_keys_and_bugs_of_anybodys_do_not_climb(stack: Stack, way: str, error: Exception) -> None:
    with pytest.raises(type(error)):
        stack.ask(c.CascadingProvider([Plain(error), Plain(LONG)]), way)


@WAYS
def test_boxes_of_providers_of_hb_are_those_providers(stack: Stack, way: str) -> None:
    stack.fail(529)
    stack.server.reply(LONG)
    provider = c.BoxedProvider.new(stack.retrying(c.BoxedProvider(stack.direct())))
    assert stack.ask(provider, way).text == LONG
    assert provider.model_name == "claude-sonnet-4-20250514"


@WAYS
def test_what_is_no_response_is_refused(stack: Stack, way: str) -> None:
    with pytest.raises(PluginContractError, match="CompletionResponse"):
        stack.ask(c.BoxedProvider(Silent({"text": "hi"})), way)


@pytest.mark.parametrize("piece", [5, None, b"one"])
def test_a_piece_that_is_no_text_is_refused(stack: Stack, piece: Any) -> None:
    class Odd(Plain):
        def stream_complete(self, request: c.CompletionRequest, on_text: Any) -> Any:
            on_text(piece)
            return self.next(request)

    class Later(Waiting):
        async def stream_complete(self, request: c.CompletionRequest, on_text: Any) -> Any:
            on_text(piece)
            return self.next(request)

    for inner in (Odd(LONG), Later(LONG)) if stack.colour.name == "async" else (Odd(LONG),):
        with pytest.raises(PluginContractError, match=f"called on_text with {type(piece).__name__}, not text"):
            stack.ask(c.BoxedProvider(inner), "stream_complete")
        assert stack.pieces == []


@pytest.mark.parametrize("wrong", [None, object(), Plain, "claude"])
def test_what_is_no_provider_is_refused(wrong: Any) -> None:
    with pytest.raises(InputTypeError, match="model_name"):
        c.BoxedProvider(wrong)


def test_leaving_a_stream_ends_the_work_of_an_object(stack: Stack) -> None:
    ended, go = threading.Event(), threading.Event()

    class Endless(Plain):
        def stream_complete(self, request: c.CompletionRequest, on_text: Any) -> Any:
            try:
                on_text("first")
                go.wait(5)
                while True:
                    on_text("more")
            finally:
                ended.set()

    provider = c.BoxedProvider(Endless())

    def plainly() -> Any:
        with provider.stream_complete("hi") as stream:
            return next(stream)

    async def asynchronously() -> Any:
        async with provider.astream_complete("hi") as stream:
            return await anext(stream)

    assert stack.colour.run(plainly, asynchronously) == "first"
    go.set()
    assert ended.wait(5)


def test_on_text_may_be_async_in_async_calls(stack: Stack) -> None:
    heard = []

    async def hear(text: str) -> None:
        heard.append(text)

    provider = c.BoxedProvider(Plain("one two", "one two"))
    if stack.colour.name == "async":

        async def ask() -> Any:
            return await provider.astream_complete("hi", on_text=hear)

        assert stack.colour.run(lambda: None, ask).text == "one two"
        assert heard == ["one", "two"]
        return
    with pytest.raises(InputTypeError, match="async"):
        provider.stream_complete("hi", on_text=hear)


def test_a_judge_of_hb_looks_at_tiers_of_hb_alone(stack: Stack) -> None:
    with pytest.raises(InputError, match="single targets"):
        c.CascadingProvider([Plain(LONG), stack.direct()], "finish")
