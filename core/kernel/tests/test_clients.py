"""SDK clients: one per key, event loop and process; bounded, closed, and never another's."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from typing import Any

import pytest

from heavenbase.clients import LIMIT, ClientPool


class Client:
    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class AsyncClient:
    def __init__(self) -> None:
        self.closed = 0
        self.aborted = 0

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed += 1

    def hb_abort(self) -> None:
        self.aborted += 1


def test_equal_keys_share_a_client() -> None:
    pool = ClientPool()
    first = pool.get("a", Client)
    assert pool.get("a", Client) is first
    assert pool.get("b", Client) is not first


def test_async_clients_belong_to_their_loop() -> None:
    pool = ClientPool()

    async def ask() -> tuple[Any, Any]:
        return pool.get("a", AsyncClient, True), pool.get("a", AsyncClient, True)

    first, again = asyncio.run(ask())
    assert first is again
    assert asyncio.run(ask())[0] is not first
    assert pool.get("a", Client) is not first


def test_clients_of_gone_loops_are_dropped_with_their_sockets() -> None:
    pool = ClientPool()
    made: list[AsyncClient] = []

    def make() -> AsyncClient:
        made.append(AsyncClient())
        return made[-1]

    async def ask() -> None:
        pool.get("a", make, True)

    for _ in range(20):
        asyncio.run(ask())
        gc.collect()
    assert len(pool._entries) == 1
    assert [client.aborted for client in made] == [1] * 19 + [0]


def test_the_pool_is_bounded_and_forgets_the_least_recently_used_without_closing_it_under_a_user() -> None:
    pool = ClientPool(limit=2)
    first, second = pool.get("a", Client), pool.get("b", Client)
    pool.get("a", Client)
    pool.get("c", Client)
    assert (first.closed, second.closed) == (0, 0)
    assert pool.get("b", Client) is not second
    many = ClientPool()
    for number in range(LIMIT * 3):
        many.get(str(number), Client)
    assert len(many._entries) == LIMIT


def test_close_closes_everything_once() -> None:
    pool = ClientPool()
    client = pool.get("a", Client)
    pool.close()
    pool.close()
    assert client.closed == 1


def test_aclose_waits_for_the_clients_of_the_running_loop() -> None:
    pool = ClientPool()

    async def use() -> tuple[Client, AsyncClient]:
        found = pool.get("a", Client), pool.get("a", AsyncClient, True)
        await pool.aclose()
        return found

    sync, twin = asyncio.run(use())
    assert (sync.closed, twin.closed, twin.aborted) == (1, 1, 0)


def test_aclose_may_close_those_of_the_running_loop_alone() -> None:
    pool = ClientPool()
    sync = pool.get("a", Client)
    others: list[AsyncClient] = []

    async def ask() -> AsyncClient:
        others.append(pool.get("a", AsyncClient, True))
        return others[0]

    async def run() -> AsyncClient:
        mine: AsyncClient = pool.get("a", AsyncClient, True)
        thread = threading.Thread(target=lambda: asyncio.run(ask()))
        thread.start()
        thread.join()
        await pool.aclose(only_loop=True)
        return mine

    assert asyncio.run(run()).closed == 1
    assert (sync.closed, others[0].closed) == (0, 0)
    assert pool.get("a", Client) is sync


def test_close_from_another_thread_lets_a_running_loop_close_its_clients() -> None:
    pool = ClientPool()

    async def use() -> AsyncClient:
        client: AsyncClient = pool.get("a", AsyncClient, True)
        await asyncio.to_thread(pool.close)
        for _ in range(5):
            await asyncio.sleep(0)
        return client

    assert asyncio.run(use()).closed == 1


def test_close_after_the_loop_is_gone_drops_the_sockets() -> None:
    pool = ClientPool()

    async def use() -> AsyncClient:
        client: AsyncClient = pool.get("a", AsyncClient, True)
        return client

    client = asyncio.run(use())
    pool.close()
    assert (client.closed, client.aborted) == (0, 1)


def test_many_threads_share_one_client() -> None:
    pool = ClientPool()
    got: list[Any] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        got.append(pool.get("a", Client))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, got))) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_k3_a_forked_child_makes_clients_of_its_own_and_closes_none_of_its_parent() -> None:
    pool = ClientPool()
    client = pool.get("a", Client)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # the report is what the parent asserts
        try:
            pool.close()
            untouched = client.closed == 0
            fresh = pool.get("a", Client) is not client
            os.write(write, b"ok" if untouched and fresh else b"no")
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read, "rb") as report:
        assert report.read() == b"ok"
    assert pool.get("a", Client) is client
