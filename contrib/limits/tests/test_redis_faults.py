"""Fault row C4 on a real server: it refuses, drops and hangs; calls go on by limits of their own, or none goes on."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hb_testing.redis_server import RedisServer
from heavenbase.errors import RateLimitError

from .support import COLOURS, House

pytestmark = pytest.mark.xdist_group("redis")

LIMIT = 0.35
"""A quarter of a second that the server may cost, and the rest for the call on a busy machine."""
colours = pytest.mark.parametrize("colour", COLOURS)
RULE = {"requests_per_minute": 20, "concurrency": 5}


class Clock:
    """Monotonic seconds that leap when told to."""

    leapt = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.leapt


@contextmanager
def limited(url: str, *rules: dict[str, Any], **options: Any) -> Iterator[House]:
    clock = Clock()
    house = House(*rules or (RULE,), clock=clock, store="redis", url=url, namespace="team", **options)
    house.kernel.close()
    # The kernel's clock is what the circuit goes by, and its sleep is the real one.
    from heavenbase.kernel import Kernel

    house.endpoint.__dict__.pop("services", None)
    house.kernel = Kernel(
        house.kernel.config, plugins=[house.endpoint], middleware=[house.limits], clock=clock, random=lambda: 0.5
    )
    try:
        yield house
    finally:
        house.close()


def timed(ask: Callable[[], Any]) -> tuple[Any, float]:
    """What came of it, an error too, and the seconds it took."""
    began = time.monotonic()
    try:
        found = ask()
    except RateLimitError as error:
        found = error
    return found, time.monotonic() - began


@contextmanager
def refusing() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def silent() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


@pytest.mark.parametrize("broken", [refusing, silent])
@colours
def test_c4_a_server_that_refuses_or_is_silent_at_the_start_costs_a_quarter_of_a_second_and_then_nothing(
    broken: Any, colour: str, caplog: pytest.LogCaptureFixture
) -> None:
    with broken() as url, limited(url) as house:
        house.ask(colour, middleware=[])
        with caplog.at_level(logging.WARNING, "heavenbase"):
            found = [timed(lambda: house.ask(colour))[1] for _ in range(8)]
        assert len(house.endpoint.times) == 9
        assert sorted(found[:3])[1] < LIMIT
        assert sorted(found[3:])[2] < 0.1, "the circuit is open after three failures"
        assert house.limits.status()["circuit"] == "open"
        assert [record.levelname for record in caplog.records] == ["WARNING"], "it is told once"
        assert "this process goes by limits of its own" in caplog.text


@colours
def test_c4_meanwhile_the_limits_of_this_process_hold(colour: str) -> None:
    with refusing() as url, limited(url, {"requests_per_minute": 3, "on_limit": "raise"}) as house:
        for _ in range(3):
            house.ask(colour)
        with pytest.raises(RateLimitError, match="requests_per_minute"):
            house.ask(colour)


@colours
def test_c4_closed_lets_nothing_through_and_says_why(colour: str) -> None:
    with refusing() as url, limited(url, on_store_failure="closed") as house:
        for _ in range(5):
            error, seconds = timed(lambda: house.ask(colour))
            assert isinstance(error, RateLimitError)
            assert (error.code, error.retry_after, error.is_local) == ("limits_unknown", 5.0, True)
            assert "cannot be looked up" in str(error)
            assert seconds < LIMIT
        assert house.endpoint.times == []


@pytest.mark.parametrize("fault", ["drops", "hangs"])
@colours
def test_c4_a_server_that_drops_or_hangs_mid_run_opens_a_circuit_and_is_used_again_later(
    server: RedisServer, fault: str, colour: str, caplog: pytest.LogCaptureFixture
) -> None:
    with limited(server.url) as house:
        house.ask(colour)
        server.stop() if fault == "drops" else server.pause()
        found = [timed(lambda: house.ask(colour))[1] for _ in range(6)]
        assert sorted(found)[-2] < LIMIT  # a busy machine may hold up one
        assert house.limits.status()["circuit"] == "open"
        server.start() if fault == "drops" else server.resume()
        house.ask(colour)
        assert house.limits.status()["circuit"] == "open", "left alone for five seconds"
        with caplog.at_level(logging.INFO, "heavenbase"):
            for _ in range(5):  # a busy machine may let a probe wait
                house.clock.leapt += 5.1
                house.ask(colour)
                if house.limits.status()["circuit"] == "closed":
                    break
        assert house.limits.status()["circuit"] == "closed"
        assert "works again" in caplog.text


def test_c4_a_server_that_goes_while_a_request_runs_costs_its_answer_nothing(server: RedisServer) -> None:
    with limited(server.url) as house:
        stream = house.llm().stream("hi")
        next(stream)
        server.stop()
        assert "".join(stream) == "k"
        house.ask()


def test_c4_many_callers_at_once_do_not_all_knock_at_a_server_that_hangs(server: RedisServer) -> None:
    with limited(server.url, {"requests_per_minute": 1000}) as house:
        house.ask()
        server.pause()
        times: list[float] = []

        async def many() -> None:
            async def one() -> None:
                began = time.monotonic()
                await house.llm().acomplete("hi")
                times.append(time.monotonic() - began)

            await asyncio.gather(*(one() for _ in range(40)))

        asyncio.run(many())
        assert sorted(times)[-2] < LIMIT
        (pool,) = house.limits._pools.values()
        circuit = pool._store._circuit
        failed = circuit.failures
        assert failed <= 8
        house.clock.leapt += 5.1
        threads = [threading.Thread(target=house.ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert circuit.failures == failed + 1, "one probe, not one for each caller"
        server.resume()
