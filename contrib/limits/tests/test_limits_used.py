"""What requests take of limits: places while they run, tokens as they are reported; and the word of providers."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

import pytest

from heavenbase.errors import ConnectError, RateLimitError, RequestRejected, ServerError
from heavenbase.types import Usage

from .support import COLOURS, Make, turns

colours = pytest.mark.parametrize("colour", COLOURS)

# Places that run


@colours
@pytest.mark.parametrize("failure", [None, RequestRejected("no", status=400)])
def test_a_place_is_free_again_behind_every_answer_and_error(make: Make, colour: str, failure: Any) -> None:
    house = make({"concurrency": 1, "on_limit": "raise"})
    for _ in range(3):
        if failure is None:
            house.ask(colour)
            continue
        house.endpoint.script = [RequestRejected("no", status=400)]
        with pytest.raises(RequestRejected):
            house.ask(colour)


def test_a_place_is_kept_while_a_stream_is_read_and_free_when_it_is_left(make: Make) -> None:
    house = make({"concurrency": 1, "on_limit": "raise"})
    stream = house.llm().stream("hi")
    next(stream)
    with pytest.raises(RateLimitError, match="concurrency"):
        house.ask()
    stream.close()
    house.ask()

    async def run() -> None:
        async with aclosing(house.llm().astream("hi")) as stream:
            await anext(stream)
            with pytest.raises(RateLimitError, match="concurrency"):
                await house.llm().acomplete("hi")
        await house.llm().acomplete("hi")

    asyncio.run(run())


def test_a_place_is_free_when_a_request_is_cancelled(make: Make) -> None:
    house = make({"concurrency": 1, "on_limit": "raise"})

    async def run() -> None:
        house.endpoint.agate = asyncio.Event()
        task = asyncio.ensure_future(house.llm().acomplete("hi"))
        await turns(lambda: house.endpoint.times)
        task.cancel()
        await asyncio.wait([task])
        house.endpoint.agate.set()
        await house.llm().acomplete("hi")

    asyncio.run(run())


# Tokens


@colours
def test_tokens_are_set_aside_and_settled_by_what_is_reported(make: Make, colour: str) -> None:
    house = make({"tokens_per_minute": 1000, "on_limit": "raise"})
    house.endpoint.script = [Usage(10, 20)] * 20
    for _ in range(4):
        house.ask(colour, max_tokens=900)
    with pytest.raises(RateLimitError, match="tokens_per_minute"):
        house.ask(colour, max_tokens=990)
    assert len(house.endpoint.times) == 4


def test_input_and_output_have_limits_of_their_own(make: Make) -> None:
    house = make({"output_tokens_per_minute": 100, "input_tokens_per_minute": 10_000, "on_limit": "raise"})
    house.endpoint.script = [Usage(5000, 90), Usage(4000, 5)]
    house.ask(max_tokens=90)
    house.ask(max_tokens=10)
    with pytest.raises(RateLimitError, match="output_tokens_per_minute"):
        house.ask(max_tokens=10)


def test_a_request_that_failed_unpaid_gives_its_tokens_back_and_one_that_was_never_sent_all(make: Make) -> None:
    house = make({"tokens_per_minute": 1000, "requests_per_minute": 3, "on_limit": "raise"})
    failures = [RequestRejected("no", status=400), ConnectError("no"), ServerError("no", status=500, maybe_billed=True)]
    house.endpoint.script = [*failures]
    for failure in failures:
        with pytest.raises(type(failure)):
            house.ask(max_tokens=900, max_retries=0)
    with pytest.raises(RateLimitError, match="tokens_per_minute"):  # the last one may have been paid for
        house.ask(max_tokens=900)
    house.ask(max_tokens=10)
    with pytest.raises(RateLimitError, match="requests_per_minute"):  # of four, one was never sent
        house.ask(max_tokens=10)


def test_a_request_larger_than_the_limit_goes_alone(make: Make) -> None:
    house = make({"tokens_per_minute": 1000})
    house.ask(max_tokens=500)
    house.ask(max_tokens=50_000)
    house.ask(max_tokens=500)
    first, large, last = house.endpoint.times
    assert large - first == pytest.approx(60, abs=0.1)
    assert last - large == pytest.approx(60, abs=0.1)


def test_what_is_given_back_early_is_used_at_once(make: Make) -> None:
    house = make({"tokens_per_minute": 1000}, clock=time.monotonic)

    async def run() -> float:
        house.endpoint.agate = asyncio.Event()
        house.endpoint.script = [Usage(10, 10), Usage(10, 10)]
        first = asyncio.ensure_future(house.llm().acomplete("hi", max_tokens=900))
        await turns(lambda: house.endpoint.times)
        second = asyncio.ensure_future(house.llm().acomplete("hi", max_tokens=900))
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(house.endpoint.times) == 1
        house.endpoint.agate.set()
        began = time.monotonic()
        await asyncio.gather(first, second)
        return time.monotonic() - began

    assert asyncio.run(run()) < 5


def test_embeddings_are_counted_by_their_texts(make: Make) -> None:
    house = make({"tokens_per_minute": 100, "on_limit": "raise"})
    house.endpoint.script = [None] * 2
    house.llm().embed("a few words and some more " * 10)
    with pytest.raises(RateLimitError, match="tokens_per_minute"):
        house.llm().embed("a few words and some more " * 10)


# Learning


def header(**limits: str) -> list[tuple[bytes, bytes]]:
    return [(f"x-ratelimit-{name.replace('_', '-')}".encode(), value.encode()) for name, value in limits.items()]


@colours
def test_nothing_left_holds_until_the_reset(make: Make, colour: str) -> None:
    house = make()
    house.endpoint.headers = header(limit_requests="60", remaining_requests="0", reset_requests="12s")
    house.ask(colour)
    house.endpoint.headers = []
    house.ask(colour)
    first, second = house.endpoint.times
    assert second - first == pytest.approx(12, abs=0.1)


@pytest.mark.parametrize("is_async", [False, True])
def test_what_a_stream_tells_counts_as_soon_as_it_begins(make: Make, is_async: bool) -> None:
    """Also where it is left, and not once more from when it ends."""
    house = make()
    house.endpoint.headers = header(remaining_requests="0", reset_requests="20s")
    llm = house.llm(timeout=None)

    async def left() -> None:
        async with aclosing(llm.astream("hi")) as chunks:
            await anext(chunks)
            house.clock.sleep(5)

    if is_async:
        asyncio.run(left())
    else:
        chunks = llm.stream("hi")
        next(chunks)
        house.clock.sleep(5)
        chunks.close()
    house.endpoint.headers = []
    house.ask(timeout=None)
    assert house.endpoint.times[1] - house.endpoint.times[0] == pytest.approx(20, abs=0.1)


def test_a_refusal_that_asks_for_a_pause_pauses_all_that_wait_for_the_target(make: Make) -> None:
    house = make()
    house.endpoint.script = [RateLimitError("slow", status=429, retry_after=7.0)]
    with pytest.raises(RateLimitError, match="slow"):
        house.ask(max_retries=0)
    own = {"retry": {"budget_ratio": 0.3}}  # or Retry would wait it out, for this kernel alone
    house.ask(llm=house.llm("another"), **own)
    assert house.clock.slept == []
    (attempt,) = house.ask(**own).attempts
    assert attempt.waited == pytest.approx(7, abs=0.1)
    assert attempt.reason == "waited for the limit 'what the provider says' (the provider's word)"


def test_a_lower_limit_than_the_rules_is_gone_by(make: Make) -> None:
    house = make({"requests_per_minute": 100, "on_limit": "raise"})
    house.endpoint.headers = header(limit_requests="3", remaining_requests="2", reset_requests="20s")
    for _ in range(3):
        house.ask()
    with pytest.raises(RateLimitError, match="requests_per_minute"):
        house.ask()


def test_a_higher_limit_than_the_rules_is_not(make: Make) -> None:
    house = make({"requests_per_minute": 2, "on_limit": "raise"})
    house.endpoint.headers = header(limit_requests="600", remaining_requests="599", reset_requests="100ms")
    house.ask()
    house.ask()
    with pytest.raises(RateLimitError, match="requests_per_minute"):
        house.ask()


@pytest.mark.parametrize(
    "told",
    [
        {"limit_requests": "0", "remaining_requests": "0", "reset_requests": "1h"},
        {"limit_requests": "-1", "remaining_requests": "0", "reset_requests": "-5"},
        {"remaining_requests": "0", "reset_requests": "nonsense"},
        {"limit_requests": "1", "remaining_requests": "5", "reset_requests": "9" * 40},
        {"limit_requests": "3", "remaining_requests": "2", "reset_requests": "1ms"},
        {"remaining_requests": "0", "reset_requests": "9" * 400 + "h"},
        {"limit_requests_minute": "0", "remaining_requests_minute": "0", "reset_requests_minute": "50s"},
    ],
)
def test_absurd_words_of_a_provider_hold_nothing_up(make: Make, told: dict[str, str]) -> None:
    house = make({"requests_per_minute": 100})
    house.endpoint.headers = header(**told)
    for _ in range(10):
        house.ask()
    assert house.clock.slept == []


def test_a_limit_whose_name_says_its_window_is_gone_by(make: Make) -> None:
    house = make({"requests_per_minute": 100, "requests_per_day": 1000, "on_limit": "raise"})
    house.endpoint.headers = header(limit_req_minute="60", remaining_req_minute="59", limit_req_day="2")
    house.ask()
    house.ask()
    with pytest.raises(RateLimitError, match="requests_per_day"):
        house.ask()


def test_nothing_left_of_a_day_holds_too_where_something_is_left_of_the_minute(make: Make) -> None:
    house = make()
    house.endpoint.headers = header(
        limit_tokens_minute="60", remaining_tokens_minute="59", remaining_tokens_day="0", reset_tokens_day="40"
    )
    house.ask()
    house.ask()
    assert sum(house.clock.slept) == pytest.approx(40, abs=0.1)


def test_the_first_request_of_a_fixed_minute_makes_no_limit_of_an_hour(make: Make) -> None:
    house = make({"requests_per_hour": 300, "on_limit": "raise"})
    house.endpoint.headers = header(limit_requests="60", remaining_requests="59", reset_requests="50s")
    for _ in range(100):
        house.ask()
    assert len(house.endpoint.times) == 100


def test_no_word_of_a_provider_holds_longer_than_five_minutes(make: Make) -> None:
    house = make()
    house.endpoint.headers = header(limit_requests="9", remaining_requests="0", reset_requests="24h")
    house.ask(timeout=None)
    house.endpoint.headers = []
    house.ask()
    assert house.endpoint.times[1] - house.endpoint.times[0] == pytest.approx(300, abs=0.1)


def test_without_learning_nothing_is_learnt(make: Make) -> None:
    house = make(learn=False)
    house.endpoint.headers = header(limit_requests="9", remaining_requests="0", reset_requests="24h")
    house.ask()
    house.ask()
    assert house.clock.slept == []
