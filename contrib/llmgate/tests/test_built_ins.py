"""Retry, cache, rate limit and log: what each does in every kind of call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from hb_llmgate import (
    CacheMiddleware,
    LoggingMiddleware,
    RateLimitMiddleware,
    RetryMiddleware,
)
from hb_llmgate.base import IO
from hb_llmgate.exceptions import AuthError, InvalidRequestError, ProviderAPIError, RateLimitError
from hb_testing.server import LoopbackServer, Reply

from .support import EVERY, WEATHER, Caller, Clock, Row, ask, said

pytestmark = pytest.mark.filterwarnings("ignore::heavenbase.errors.FallbackWarning")
VERBS = pytest.mark.parametrize("verb", ["completion", "stream", "embed"])


@VERBS
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_g21_a_retry_sends_exactly_one_request_more_for_each(
    server: LoopbackServer, caller_of: Callable[..., Caller], clock: Clock, verb: str, retries: int
) -> None:
    caller = caller_of(**clock.options)
    server.script(lambda _: Reply("no", status=429))
    with pytest.raises(RateLimitError):
        ask(caller, verb, middleware=[RetryMiddleware(max_retries=retries, backoff_factor=0.5, jitter_max=0.5)])
    assert len(server.requests) == retries + 1
    assert clock.slept == [0.5 * 2**n + 0.25 for n in range(retries)]


def test_g21_as_many_calls_as_one_likes_are_each_retried(
    server: LoopbackServer, caller_of: Callable[..., Caller], clock: Clock
) -> None:
    caller = caller_of(**clock.options)
    server.script(lambda _: Reply("no", status=503))
    for _ in range(15):
        with pytest.raises(ProviderAPIError):
            caller.completion("gpt-4o-mini", middleware=[RetryMiddleware(max_retries=3)])
    assert len(server.requests) == 60


@EVERY
@pytest.mark.parametrize("status", [400, 401, 404])
def test_g21_a_refusal_is_never_asked_again(
    row: Row, server: LoopbackServer, caller_of: Callable[..., Caller], clock: Clock, status: int
) -> None:
    caller = caller_of(**clock.options)
    server.script(lambda _: Reply("no", status=status))
    with pytest.raises((ProviderAPIError, AuthError)):
        caller.completion(row.model, middleware=[RetryMiddleware(max_retries=3)])
    assert len(server.requests) == 1


def test_g21_retry_after_is_waited_for_unless_it_is_too_long(
    server: LoopbackServer, caller_of: Callable[..., Caller], clock: Clock
) -> None:
    caller = caller_of(**clock.options)
    server.reply("no", status=429, headers={"retry-after": "9"})
    server.reply("yes")
    assert caller.completion("gpt-4o-mini", middleware=[RetryMiddleware(jitter_max=0)]).text == "yes"
    assert clock.slept == [9.0]
    server.reply("no", status=429, headers={"retry-after": "900"})
    with pytest.raises(RateLimitError):
        caller.completion("gpt-4o-mini", middleware=[RetryMiddleware()])
    assert len(server.requests) == 3


def test_g21_rate_limits_alone_where_that_is_asked_for(
    server: LoopbackServer, caller_of: Callable[..., Caller], clock: Clock
) -> None:
    caller = caller_of(**clock.options)
    server.script(lambda _: Reply("no", status=500))
    with pytest.raises(ProviderAPIError):
        caller.completion("gpt-4o-mini", middleware=[RetryMiddleware(retry_on_provider_errors=False)])
    assert len(server.requests) == 1


def test_g21_without_a_retry_there_is_one_request(caller: Caller, server: LoopbackServer) -> None:
    for verb in ("completion", "stream", "embed"):
        server.clear()
        server.script(lambda _: Reply("no", status=503))
        with pytest.raises(ProviderAPIError):
            ask(caller, verb)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "given", [{"max_retries": -1}, {"max_retries": 1.5}, {"backoff_factor": -1}, {"jitter_max": "x"}]
)
def test_g21_settings_that_are_none_are_refused(given: Any) -> None:
    with pytest.raises(InvalidRequestError):
        RetryMiddleware(**given)


# Cache


@VERBS
def test_g22_an_equal_call_is_answered_from_memory(caller: Caller, server: LoopbackServer, verb: str) -> None:
    cache = CacheMiddleware()
    first, second = (ask(caller, verb, middleware=[cache]) for _ in range(2))
    assert len(server.requests) == 1
    assert cache.size == 1
    if verb == "embed":
        assert first.embeddings == second.embeddings
    else:
        assert said(first) == said(second) != ""
    cache.clear()
    assert cache.size == 0
    ask(caller, verb, middleware=[cache])
    assert len(server.requests) == 2


class One(BaseModel):
    """A form."""

    x: int = 0


class Two(BaseModel):
    """Another form with the same fields."""

    x: int = 0


DIFFERENT: list[dict[str, Any]] = [
    {},
    {"temperature": 0.5},
    {"seed": 1},
    {"stop": ["x"]},
    {"tools": [WEATHER]},
    {"api_key": "key-of-another-1"},
    {"provider": "azure"},
    {"headers": {"X-Team": "blue"}},
]


def test_g22_whatever_changes_the_answer_is_part_of_the_key(caller: Caller, server: LoopbackServer) -> None:
    cache = CacheMiddleware()
    for _ in range(2):
        for options in DIFFERENT:
            caller.completion("gpt-4o-mini", middleware=[cache], **options)
    assert len(server.requests) == len(DIFFERENT) == cache.size
    server.script(lambda _: Reply('{"x": 1}'))
    for form in (One, Two):
        answer = caller.completion("gpt-4o-mini", middleware=[cache], response_format=form)
        assert type(answer.parsed) is form
    again = caller.completion("gpt-4o-mini", middleware=[cache], response_format=One)
    assert again.parsed == One(x=1)
    assert len(server.requests) == len(DIFFERENT) + 2


def test_g22_a_hit_is_a_copy(caller: Caller) -> None:
    cache = CacheMiddleware()
    for _ in range(3):
        answer = caller.completion("gpt-4o-mini", middleware=[cache])
        assert answer.text != "changed"
        answer.choices[0].message.content = "changed"


def test_g22_entries_age_and_the_oldest_leaves(
    server: LoopbackServer, caller_of: Callable[..., Caller], clock: Clock
) -> None:
    caller = caller_of(**clock.options)
    cache = CacheMiddleware(ttl=10, maxsize=2)

    def asked(text: str) -> int:
        before = len(server.requests)
        caller.completion("gpt-4o-mini", text, middleware=[cache])
        return len(server.requests) - before

    assert [asked("a"), asked("b"), asked("a"), asked("c"), asked("a"), asked("b")] == [1, 1, 0, 1, 0, 1]
    assert cache.size == 2
    clock.now += 10
    assert asked("b") == 1


def test_g22_what_was_cut_off_is_not_kept(caller: Caller, server: LoopbackServer) -> None:
    cache = CacheMiddleware()
    server.reply("half an ans", finish_reason="length")
    caller.completion("gpt-4o-mini", middleware=[cache])
    assert cache.size == 0


# Rate limit and log


@VERBS
def test_g23_too_many_calls_raise_with_the_time_to_wait(
    server: LoopbackServer, caller_of: Callable[..., Caller], clock: Clock, verb: str
) -> None:
    caller = caller_of(**clock.options)
    limit = RateLimitMiddleware(rpm=60, burst=2)
    ask(caller, verb, middleware=[limit])
    ask(caller, verb, middleware=[limit])
    with pytest.raises(RateLimitError) as caught:
        ask(caller, verb, middleware=[limit])
    assert (caught.value.provider, caught.value.retry_after) == ("llmgate", pytest.approx(1.0))
    clock.now += 1
    ask(caller, verb, middleware=[limit])
    assert len(server.requests) == 3


def test_g23_or_they_wait(server: LoopbackServer, caller_of: Callable[..., Caller], clock: Clock) -> None:
    caller = caller_of(**clock.options)
    limit = RateLimitMiddleware(requests_per_minute=120, burst=1, raise_on_limit=False)
    for _ in range(3):
        caller.completion("gpt-4o-mini", middleware=[limit])
    assert clock.slept == [pytest.approx(0.5), pytest.approx(0.5)]


def test_g23_the_limit_of_the_page_is_accepted() -> None:
    assert RateLimitMiddleware(rpm=60).requests_per_minute == RateLimitMiddleware(60).requests_per_minute == 60
    with pytest.raises(InvalidRequestError):
        RateLimitMiddleware(60, rpm=60)
    with pytest.raises(InvalidRequestError):
        RateLimitMiddleware(rpm=0)


@VERBS
@pytest.mark.parametrize("masked", [False, True])
def test_g23_a_log_has_latency_and_usage_and_hides_what_it_must(
    caller: Caller, caplog: pytest.LogCaptureFixture, verb: str, masked: bool
) -> None:
    caplog.set_level(logging.INFO, logger="llmgate")
    ask(caller, verb, middleware=[LoggingMiddleware(mask_content=masked)])
    records: list[Any] = [record for record in caplog.records if record.name == "llmgate"]
    facts = [record.llmgate for record in records]
    assert [fact["event"] for fact in facts] == ["request", "response"]
    assert facts[1]["latency"] >= 0
    assert facts[1]["usage"]["total_tokens"] > 0
    assert ("content" in facts[0]) is not masked
    assert all("hi" not in record.getMessage().split() for record in records)


def test_g23_a_failure_is_logged_as_a_warning(
    caller: Caller, server: LoopbackServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.reply("no", status=401)
    with pytest.raises(AuthError):
        caller.completion("gpt-4o-mini", middleware=[LoggingMiddleware(level="DEBUG")])
    [record] = [record for record in caplog.records if record.name == "llmgate"]
    assert (record.levelname, record.llmgate["error"]) == ("WARNING", "AuthError")  # type: ignore[attr-defined]
    with pytest.raises(InvalidRequestError):
        LoggingMiddleware(level="LOUD")


@pytest.mark.parametrize("error", [asyncio.CancelledError(), RuntimeError("no time")])
def test_a_waiter_that_gives_up_gives_its_place_back(error: BaseException) -> None:
    limit = RateLimitMiddleware(requests_per_minute=60, burst=1, raise_on_limit=False)

    async def broken(seconds: float) -> None:
        raise error

    waits: list[float] = []

    async def noted(seconds: float) -> None:
        waits.append(seconds)

    async def proceed(request: Any) -> Any:
        return request

    async def play() -> None:
        await limit.around(None, proceed, IO(True, lambda: 0.0, sleep=noted))
        for _ in range(3):
            with pytest.raises(type(error)):
                await limit.around(None, proceed, IO(True, lambda: 0.0, sleep=broken))
        await limit.around(None, proceed, IO(True, lambda: 0.0, sleep=noted))

    asyncio.run(play())
    assert waits == [1.0]
