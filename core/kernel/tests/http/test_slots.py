"""The bound on requests in flight: order, limits, abandoned waits, in threads and in tasks."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from heavenbase.errors import DeadlineExceeded, PoolTimeout
from heavenbase.http.transport.exchange import Exchange
from heavenbase.http.transport.sender import Slots
from heavenbase.spec import Timeouts


def exchange(name: str = "acme/m", pool: float | None = 1.0, deadline: float | None = None) -> Exchange:
    return Exchange(name, Timeouts(pool=pool), deadline=deadline)


def test_threads_are_served_in_order() -> None:
    slots = Slots(1)
    holder = exchange("holder")
    slots.acquire(holder)
    served: list[str] = []

    def wait(name: str) -> None:
        mine = exchange(name)
        slots.acquire(mine)
        served.append(name)
        slots.release(mine)

    threads = []
    for number, name in enumerate("abc"):
        threads.append(threading.Thread(target=wait, args=(name,)))
        threads[-1].start()
        while len(slots._waiting) != number + 1:
            time.sleep(0.001)
    slots.release(holder)
    for thread in threads:
        thread.join(2)
    assert served == ["a", "b", "c"]


def test_a_thread_gives_up_at_its_limit_and_leaves_the_queue() -> None:
    slots = Slots(1)
    holder = exchange("acme/slow")
    slots.acquire(holder)
    with pytest.raises(PoolTimeout, match=r"none of the 1 connections .* held by acme/slow \(1\)"):
        slots.acquire(exchange(pool=0.02))
    slots.release(holder)
    slots.acquire(exchange(pool=0.02))


def test_the_deadline_ends_the_wait_under_its_own_name() -> None:
    slots = Slots(1)
    slots.acquire(exchange())
    with pytest.raises(DeadlineExceeded):
        slots.acquire(exchange(pool=5.0, deadline=time.monotonic() + 0.02))

    async def work() -> None:
        waiting = Slots(1)
        await waiting.aacquire(exchange())
        with pytest.raises(DeadlineExceeded):
            await waiting.aacquire(exchange(pool=5.0, deadline=time.monotonic() + 0.02))

    asyncio.run(work())


def test_a_limit_of_nothing_is_passed_at_once_under_the_name_of_the_pool() -> None:
    slots = Slots(1)
    slots.acquire(exchange())
    with pytest.raises(PoolTimeout, match="no connection became free within 0 s"):
        slots.acquire(exchange(pool=0))


def test_releasing_twice_frees_one_slot() -> None:
    slots = Slots(1)
    holder = exchange()
    slots.acquire(holder)
    slots.release(holder)
    slots.release(holder)
    slots.acquire(exchange())
    with pytest.raises(PoolTimeout):
        slots.acquire(exchange(pool=0.01))


def test_tasks_are_served_in_order_and_a_cancelled_one_is_passed_over() -> None:
    async def work() -> list[str]:
        slots = Slots(1)
        holder = exchange("holder")
        await slots.aacquire(holder)
        served: list[str] = []

        async def wait(name: str) -> None:
            mine = exchange(name)
            await slots.aacquire(mine)
            served.append(name)
            slots.release(mine)

        tasks = [asyncio.create_task(wait(name)) for name in "abc"]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.sleep(0)
        slots.release(holder)
        # b has its slot already; cancelled before it can say so, it must hand the slot on.
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return served

    assert asyncio.run(work()) == ["c"]


def test_a_task_gives_up_at_its_limit() -> None:
    async def work() -> None:
        slots = Slots(1)
        holder = exchange("acme/slow")
        await slots.aacquire(holder)
        with pytest.raises(PoolTimeout, match="acme/slow"):
            await slots.aacquire(exchange(pool=0.02))
        slots.release(holder)
        await slots.aacquire(exchange(pool=0.02))

    asyncio.run(work())
