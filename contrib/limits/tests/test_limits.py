"""Requests wait their turn or are refused, in both colours and in streams."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from typing import Any

import pytest

from heavenbase.errors import RateLimitError, RequestRejected, ServerError
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.types import Usage

from .support import COLOURS, Endpoint, Make, are_kept_to, most_in, turns, until

colours = pytest.mark.parametrize("colour", COLOURS)

# G23: burst, raise or wait


@colours
def test_g23_a_burst_is_let_through_and_the_rest_waits_as_long_as_it_must(make: Make, colour: str) -> None:
    house = make({"requests_per_minute": 5})
    for _ in range(12):
        house.ask(colour)
    start = house.endpoint.times[0]
    assert [round(at - start) for at in house.endpoint.times] == [0] * 5 + [60] * 5 + [120] * 2
    assert most_in(house.endpoint.times, 60) == 5


@colours
def test_g23_or_what_is_too_much_raises_with_the_time_to_wait_and_nothing_is_sent(make: Make, colour: str) -> None:
    house = make({"requests_per_minute": 2, "on_limit": "raise", "name": "mine"})
    house.ask(colour)
    house.clock.advance(20)
    house.ask(colour)
    with pytest.raises(RateLimitError, match="'mine'") as caught:
        house.ask(colour)
    error = caught.value
    assert (error.code, error.provider, error.model, error.status) == ("local_limit", "one", "m", None)
    assert error.retry_after == pytest.approx(40)
    assert (error.retryable, error.is_local, error.attempts) == (False, True, ())
    assert len(house.endpoint.times) == 2
    assert house.clock.slept == [], "retry does not wait it out"
    house.clock.advance(40)
    house.ask(colour)


def test_g23_tasks_on_one_loop_are_counted_together(make: Make) -> None:
    house = make({"requests_per_second": 10, "concurrency": 4})

    async def run() -> None:
        await asyncio.gather(*(house.llm().acomplete("hi") for _ in range(45)))

    asyncio.run(run())
    assert len(house.endpoint.times) == 45
    assert most_in(house.endpoint.times, 1) == 10
    assert house.endpoint.times[-1] - house.endpoint.times[0] == pytest.approx(4, abs=0.1)


def test_g23_threads_and_event_loops_of_one_process_are_counted_together(make: Make, tick: float) -> None:
    house = make({"requests_per_second": 20, "concurrency": 3}, clock=time.monotonic)
    began = time.monotonic()
    house.ask("sync")
    house.ask("async")

    def sync() -> None:
        for _ in range(10):
            house.ask("sync")

    def looped() -> None:
        async def run() -> None:
            await asyncio.gather(*(house.llm().acomplete("hi") for _ in range(10)))

        asyncio.run(run())

    threads = [threading.Thread(target=each) for each in (sync, looped) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(house.endpoint.times) == 62
    assert are_kept_to(house.endpoint.times, began, 20, tick)
    assert house.endpoint.most <= 3


# What is told


@colours
def test_the_ledger_has_the_wait_and_its_reason(make: Make, colour: str) -> None:
    house = make({"requests_per_minute": 1, "name": "slow"})
    house.ask(colour)
    if colour in ("sync", "async"):
        answer = house.ask(colour)
        (attempt,) = answer.attempts
        assert attempt.waited == pytest.approx(60, abs=0.1)
        assert attempt.reason == "waited for the limit 'slow' (requests_per_minute)"
        assert answer.report.stack == ("limits",)
    else:
        house.ask(colour)
    assert house.limits.status() == {
        "rules": "slow", "store": "memory", "granted": 2, "waited": 1, "refused": 0, "waiting": 0
    }  # fmt: skip


def test_a_retry_that_waits_for_a_limit_too_says_both(make: Make) -> None:
    house = make({"requests_per_minute": 1, "name": "slow"}, learn=False)
    house.endpoint.script = [ServerError("no", status=500)]
    answer = house.ask()
    assert answer.attempts[1].reason == "retry after server; waited for the limit 'slow' (requests_per_minute)"


# Time


@colours
def test_a_wait_past_the_deadline_is_refused_at_once(make: Make, colour: str) -> None:
    house = make({"requests_per_minute": 1})
    house.ask(colour)
    with pytest.raises(RateLimitError, match=r"has room in 60\.0 s, which is past the deadline") as caught:
        house.ask(colour, timeout=30)
    assert caught.value.retry_after == pytest.approx(60)
    assert house.clock.slept == []
    assert len(house.endpoint.times) == 1


def test_a_route_goes_on_where_the_wait_is_longer_than_it_waits(make: Make) -> None:
    house = make({"match": "one/*", "requests_per_minute": 1})
    llm = LLM(model=["one/m", "two/m"], kernel=house.kernel)
    assert llm.complete("hi").served_by == "one/m"
    with pytest.warns(UserWarning, match="two/m"):
        answer = llm.complete("hi")
    assert answer.served_by == "two/m"
    hop = answer.hops[0]
    assert (hop.target, hop.outcome, hop.reason) == ("one/m", "failed", "rate_limit")
    assert house.clock.slept == []
    house.clock.advance(60)
    assert llm.complete("hi").served_by == "one/m", "no breaker opened"


def test_a_limit_of_one_tenant_pauses_nobody_else(make: Make) -> None:
    house = make({"per": "tenant", "requests_per_minute": 1, "on_limit": "raise"})
    for tenant in ("a", "b"):
        house.ask(tenant=tenant)
    with pytest.raises(RateLimitError):
        house.ask(tenant="a")
    house.ask(tenant="c")
    house.ask()
    assert house.clock.slept == []


# Queues


def test_who_comes_first_goes_first(make: Make) -> None:
    house = make({"requests_per_second": 1})
    order: list[int] = []

    async def one(number: int) -> None:
        await house.llm().acomplete("hi")
        order.append(number)

    async def run() -> None:
        await asyncio.gather(*map(one, range(12)))

    asyncio.run(run())
    assert order == list(range(12))


def test_a_queue_that_is_full_refuses_and_sends_nothing(make: Make) -> None:
    house = make({"concurrency": 1, "max_queued": 2, "name": "narrow"})

    async def run() -> list[Any]:
        house.endpoint.agate = asyncio.Event()
        tasks = [asyncio.ensure_future(house.llm().acomplete("hi")) for _ in range(5)]
        await turns(lambda: sum(task.done() for task in tasks) == 2)
        house.endpoint.agate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(run())
    refused = [each for each in answers if isinstance(each, Exception)]
    assert [(type(each), each.code) for each in refused] == [(RateLimitError, "queue_full")] * 2
    assert len(house.endpoint.times) == 3
    assert house.endpoint.most == 1


def test_no_queue_at_all_is_a_queue_too(make: Make) -> None:
    house = make({"requests_per_minute": 1, "max_queued": 0})
    house.ask()
    with pytest.raises(RateLimitError) as caught:
        house.ask()
    assert caught.value.code == "queue_full"


def test_who_is_cancelled_gives_its_place_in_the_queue_back(make: Make) -> None:
    house = make({"concurrency": 1, "max_queued": 3})

    async def run() -> None:
        house.endpoint.agate = asyncio.Event()
        tasks = [asyncio.ensure_future(house.llm().acomplete("hi")) for _ in range(4)]
        for _ in range(20):
            await asyncio.sleep(0)
        tasks[1].cancel()
        tasks[2].cancel()
        await asyncio.wait(tasks[1:3])
        assert all(task.cancelled() for task in tasks[1:3])
        tasks.append(asyncio.ensure_future(house.llm().acomplete("hi")))
        house.endpoint.agate.set()
        await asyncio.gather(tasks[0], *tasks[3:])

    asyncio.run(run())
    assert len(house.endpoint.times) == 3
    assert house.limits.status()["waiting"] == 0


def test_who_waited_on_a_loop_that_was_closed_holds_up_nobody(make: Make) -> None:
    house = make({"concurrency": 1, "max_queued": 1, "per": "all"}, clock=time.monotonic)
    house.endpoint.gate = threading.Event()
    running = threading.Thread(target=house.ask)
    running.start()
    until(lambda: house.endpoint.running)
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # it tells of tasks that are never done
    left = loop.create_task(house.llm().acomplete("hi"))
    while not house.limits.status()["waiting"]:
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()  # as those do who give a loop up whose tasks still run
    waiting = threading.Thread(target=house.ask)
    waiting.start()
    until(lambda: house.limits.status()["waited"] == 2)
    house.endpoint.gate.set()
    for thread in (running, waiting):
        thread.join(5)
        assert not thread.is_alive()
    assert house.ask().text == "ok"
    assert (house.endpoint.most, house.limits.status()["waiting"]) == (1, 0)
    left.get_coro().close()  # type: ignore[union-attr]


def test_a_wait_for_who_knows_how_long_says_so(make: Make) -> None:
    house = make({"concurrency": 1, "per": "all"}, clock=time.monotonic)
    stream = house.llm().stream("hi")
    next(stream)
    with pytest.raises(RateLimitError, match="has room when others are done, which is past the deadline"):
        house.ask(timeout=0.02)
    stream.close()


def test_sync_threads_wait_for_each_other_without_a_loop(make: Make) -> None:
    house = make({"concurrency": 1}, clock=time.monotonic)
    house.endpoint.gate = threading.Event()
    threads = [threading.Thread(target=house.ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: house.limits.status().get("waiting") == 3)
    house.endpoint.gate.set()
    for thread in threads:
        thread.join()
    assert house.endpoint.most == 1
    assert len(house.endpoint.times) == 4


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_asked_settled_and_cancelled_no_limit_is_passed_and_nothing_is_left(make: Make, seed: int) -> None:
    chance = random.Random(seed)
    house = make(
        {"per": "all", "requests_per_second": 7, "concurrency": 3},
        {"per": "tenant", "requests_per_second": 3},
        {"match": "one/a", "tokens_per_second": 200},
        learn=False,
    )
    sent: list[tuple[float, str, str]] = []

    async def note(call: Any, next: Any) -> Any:
        sent.append((call.context.clock(), call.controls["tenant"], call.spec.model_id))
        return await next(call)

    note.around = "attempt"  # type: ignore[attr-defined]

    async def one() -> None:
        house.endpoint.script.append(
            chance.choice([Usage(5, 5), Usage(5, 90), None, RequestRejected("no", status=400)])
        )
        options = {"tenant": chance.choice("xyz"), "max_tokens": chance.choice([5, 90, 900]), "middleware": [note]}
        llm = house.llm(chance.choice("ab"), **options)
        if chance.random() < 0.3:
            async for _ in llm.astream("hi"):
                if chance.random() < 0.3:
                    break
        else:
            await llm.acomplete("hi")

    async def run() -> None:
        tasks = [asyncio.ensure_future(one()) for _ in range(60)]
        while not all(task.done() for task in tasks):
            for _ in range(chance.randrange(40)):
                await asyncio.sleep(0)
            chance.choice(tasks).cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)

    asyncio.run(run())
    assert len(sent) >= 10
    assert most_in([at for at, _, _ in sent], 1) <= 7
    for tenant in "xyz":
        assert most_in([at for at, whose, _ in sent if whose == tenant], 1) <= 3
    assert house.limits.status()["waiting"] == 0
    (pool,) = house.limits._pools.values()
    assert [bucket.running for bucket in pool._buckets.values()] == [0] * len(pool._buckets)


# Several rules


def test_where_one_rule_refuses_nothing_is_taken_of_the_others(make: Make) -> None:
    house = make(
        {"match": "one/a", "requests_per_minute": 1, "on_limit": "raise"}, {"per": "all", "requests_per_minute": 3}
    )
    house.ask(llm=house.llm("a"))
    for _ in range(5):
        with pytest.raises(RateLimitError):
            house.ask(llm=house.llm("a"))
    house.ask(llm=house.llm("b"))
    house.ask(llm=house.llm("b"))
    assert house.clock.slept == [], "the refused ones count nowhere"
    house.ask(llm=house.llm("b"))
    assert house.endpoint.times[-1] - house.endpoint.times[0] == pytest.approx(60, abs=0.1)


def test_who_waits_for_a_rule_of_its_own_keeps_nobody_from_a_common_one(make: Make) -> None:
    house = make({"per": "tenant", "requests_per_minute": 1}, {"per": "all", "requests_per_minute": 100})
    done: list[str] = []

    async def one(tenant: str) -> None:
        await house.llm().acomplete("hi", tenant=tenant)
        done.append(tenant)

    async def run() -> None:
        await asyncio.gather(*map(one, "aaab"))

    asyncio.run(run())
    assert done == ["a", "b", "a", "a"]


@pytest.mark.parametrize("per", ["target", "key", "provider", "all"])
def test_for_whom_a_rule_counts(make: Make, per: str) -> None:
    house = make({"per": per, "requests_per_minute": 1, "on_limit": "raise"})
    others = {
        "model": house.llm("n"),
        "key": house.llm(api_key="sk-limited-2"),
        "provider": house.llm(provider="two"),
    }
    house.ask()
    shared = []
    for name, llm in others.items():
        try:
            house.ask(llm=llm)
        except RateLimitError:
            shared.append(name)
    # "two" has the address and the key of "one", but is another name, and a key is of a provider.
    assert shared == {"target": [], "key": ["model"], "provider": ["model", "key"], "all": [*others]}[per]


# Kernels


def test_each_kernel_has_limits_of_its_own(make: Make) -> None:
    house = make({"requests_per_minute": 1, "on_limit": "raise"})
    house.ask()
    with pytest.raises(RateLimitError):
        house.ask()
    with Kernel(house.kernel.config, plugins=[Endpoint()], middleware=[house.limits]) as kernel:
        LLM(model="m", provider="one", kernel=kernel).chat("hi")
