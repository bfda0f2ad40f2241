"""Operations: the gateway's method is found by its name, and the way to it is that of every call."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from heavenbase.call import Call
from heavenbase.colour import drive
from heavenbase.errors import InputError, InputTypeError, PluginContractError, RateLimitError, UnsupportedError
from heavenbase.llm import LLM
from heavenbase.middleware import Middleware, Next
from heavenbase.operations import TokenCount
from heavenbase.operations.facade import ask

from ..support import CodeProvider, FakeTime, ScriptedGateway, make_kernel

MESSAGES = [{"role": "user", "content": "one two three"}]


class Counting(ScriptedGateway):
    """Counts words; `async def`, so that it is written once. Fails as often as it is told to."""

    failures = 0

    async def count_tokens(self, call: Call) -> TokenCount:
        self.calls.append(call)
        if self.failures:
            self.failures -= 1
            raise RateLimitError("busy", retryable=True, status=429)
        return TokenCount(sum(len(str(message["content"]).split()) for message in call.messages))


class Plain(ScriptedGateway):
    """A gateway over an SDK without async, and an object for operations of one kind."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[str] = []

    def count_tokens(self, call: Call) -> TokenCount:
        self.threads.append(threading.current_thread().name)
        return TokenCount(7)

    @property
    def boxes(self) -> Any:
        class Boxes:
            def open(self, call: Call) -> TokenCount:
                return TokenCount(call.subject)

        return Boxes()


class Wrong(ScriptedGateway):
    async def count_tokens(self, call: Call) -> int:
        return 3


def llm_over(gateway: ScriptedGateway, *, said: Any = True, middleware: Any = (), **options: Any) -> LLM:
    plugins = (gateway, CodeProvider(capabilities={"count_tokens": said}))
    kernel = make_kernel(plugins=plugins, middleware=tuple(middleware), time=options.pop("time", None))
    return LLM(kernel=kernel, **options)


def both(llm: LLM, *content: Any, **options: Any) -> list[TokenCount]:
    return [llm.count_tokens(*content, **options), asyncio.run(llm.acount_tokens(*content, **options))]


def test_v2_a_method_that_is_async_serves_both_colours() -> None:
    gateway = Counting()
    for found in both(llm_over(gateway), MESSAGES, system="Be brief."):
        assert (int(found), found.method, found.reason) == (5, "endpoint", None)
        assert (found.provider, found.gateway, found.model) == ("acme", "scripted", "tiny")
        assert len(found.attempts) == 1
    assert [call.is_async for call in gateway.calls] == [False, True]


def test_v2_a_plain_method_runs_in_a_thread_for_async_calls() -> None:
    gateway = Plain()
    assert [int(found) for found in both(llm_over(gateway), "x")] == [7, 7]
    here, there = gateway.threads
    assert here == threading.current_thread().name != there


def test_v2_a_method_may_stand_in_an_object_of_the_gateway() -> None:
    llm = llm_over(Plain())
    assert int(drive.run(ask(llm, "boxes.open", {}, is_async=False, subject=4))) == 4
    assert int(asyncio.run(ask(llm, "boxes.open", {}, is_async=True, subject=5))) == 5
    with pytest.raises(UnsupportedError, match="has no boxes"):
        drive.run(ask(llm, "boxes.shut", {}, is_async=False))


def test_v2_retries_middleware_and_ledger_are_those_of_calls() -> None:
    seen: list[str] = []

    class Watching(Middleware):
        async def __call__(self, call: Call, next: Next) -> Any:
            seen.append(call.verb)
            return await next(call)

    gateway, time = Counting(), FakeTime()
    gateway.failures = 1
    found = llm_over(gateway, middleware=[Watching()], time=time).count_tokens("a b")
    assert [attempt.status for attempt in found.attempts] == [429, None]
    assert (int(found), seen, len(time.naps)) == (2, ["count_tokens"], 1)
    busy = Counting()
    busy.failures = 9
    with pytest.raises(RateLimitError) as failed:
        llm_over(busy, max_retries=1).count_tokens("a b")
    assert len(failed.value.attempts) == 2


def test_v2_what_a_method_answers_is_checked() -> None:
    for count in (llm_over(Wrong()).count_tokens, lambda text: asyncio.run(llm_over(Wrong()).acount_tokens(text))):
        with pytest.raises(PluginContractError, match="OperationResult"):
            count("x")


def test_v2_without_an_endpoint_hb_estimates_and_says_so() -> None:
    for gateway, said, why in (
        (ScriptedGateway(), True, "gateway 'scripted' of provider 'acme' has no endpoint"),
        (Counting(), False, "provider 'acme' has no endpoint"),
        (Counting(), None, "nothing says that provider 'acme' counts tokens"),
    ):
        llm = llm_over(gateway, said=said)
        for found in both(llm, MESSAGES):
            assert found.method == "estimate"
            assert why in (found.reason or "")
            assert 5 < int(found) < 15
            assert found.attempts == []
        with pytest.raises(UnsupportedError, match="acme"):
            llm.count_tokens(MESSAGES, estimate=False)
        assert gateway.calls == []


def test_v2_an_estimate_can_be_asked_for_and_counts_tools_and_parts() -> None:
    llm = llm_over(Counting())

    def count(content: Any, **options: Any) -> int:
        found = llm.count_tokens(content, estimate=True, **options)
        assert (found.method, found.reason) == ("estimate", "it was asked for")
        return int(found)

    def tool(city: str) -> str:
        """The weather of a city."""
        return city

    few = count("hello")
    assert few < count("hello there, my friend")
    assert count("hello", tools=[tool]) > few + 10
    assert count("hello", response_format={"type": "object", "properties": {"a": {"type": "string"}}}) > few
    assert count([{"role": "user", "content": [{"type": "text", "text": "hello"}]}]) == few
    assert count("漢" * 40) > count("я" * 40) > count("a" * 40)
    prose = "The quick brown fox jumps over the lazy dog and runs away from the hunters. " * 20
    assert 0.75 < count(prose) / 320 < 1.25


@pytest.mark.parametrize(
    ("content", "options", "error"),
    [
        (3, {}, InputTypeError),
        ("x", {"estimate": "yes"}, InputTypeError),
        ("x", {"max_tokens": 0}, InputError),
        ("x", {"tools": 3}, InputTypeError),
    ],
)
def test_v2_bad_input_is_refused_before_anything_is_sent(content: Any, options: Any, error: type[Exception]) -> None:
    gateway = Counting()
    llm = llm_over(gateway)
    with pytest.raises(error):
        llm.count_tokens(content, **options)
    with pytest.raises(error):
        asyncio.run(llm.acount_tokens(content, **options))
    assert gateway.calls == []


def test_v2_an_operation_without_chats_takes_no_parameter_of_one() -> None:
    with pytest.raises(InputError, match="temperature"):
        drive.run(ask(llm_over(Plain()), "boxes.open", {"temperature": 1}, is_async=False, subject=1))


def test_v2_a_provider_in_code_is_asked_as_any_other() -> None:
    kernel = make_kernel(plugins=(Counting(), CodeProvider("beta", capabilities={"count_tokens": True})))
    assert int(LLM(kernel=kernel, model="m", provider="beta", gateway="scripted").count_tokens("a b c")) == 3
