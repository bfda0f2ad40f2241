"""Fault row C4 on a real server: it refuses, drops and hangs, and calls go on."""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from typing import Any

import pytest

from hb_testing.redis_server import RedisServer
from hb_testing.server import LoopbackServer
from heavenbase.errors import CacheWarning
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM

pytestmark = pytest.mark.xdist_group("redis")

LIMIT = 0.35
"""A quarter of a second that the cache may cost, and the rest for the call on a busy machine."""


class Clock:
    """Monotonic seconds that leap when told to."""

    leapt = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.leapt


class House:
    """A model whose answers are cached on a server."""

    def __init__(self, model: LoopbackServer, url: str) -> None:
        self.clock = Clock()
        self.model = model
        settings = {
            "heavenbase.llm.cache.backend": "redis",
            "heavenbase.llm.cache.namespace": "team",
            "heavenbase.llm.cache.options.url": url,
        }
        self.kernel = Kernel(settings, clock=self.clock)
        self.llm = LLM(preset="custom", model="m", base_url=model.url("openai"), api_key="sk-1", kernel=self.kernel)
        self.llm.chat("warm up")

    def ask(self, text: str, *, is_async: bool = False) -> tuple[Any, float]:
        """The answer and the seconds it took."""
        began = time.monotonic()
        if is_async:

            async def run() -> Any:
                answer = await self.llm.acomplete(text)
                await self.kernel.clients.aclose()
                return answer

            return asyncio.run(run()), time.monotonic() - began
        return self.llm.complete(text), time.monotonic() - began


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("fault", ["drops", "hangs"])
def test_c4_a_server_that_drops_or_hangs_mid_run_opens_a_circuit_and_is_used_again_later(
    server: RedisServer, fault: str, is_async: bool
) -> None:
    with LoopbackServer() as model:
        house = House(model, server.url)
        try:
            house.ask("kept", is_async=is_async)
            assert house.ask("kept", is_async=is_async)[0].cached
            server.stop() if fault == "drops" else server.pause()
            before = len(model.requests)
            with pytest.warns(CacheWarning, match="does not work") as told:
                found = [house.ask("kept", is_async=is_async) for _ in range(6)]
            assert len(told) == 1
            assert [answer.cached for answer, _ in found] == [False] * 6
            assert len(model.requests) == before + 6
            assert max(seconds for _, seconds in found) < LIMIT
            server.start() if fault == "drops" else server.resume()
            assert not house.ask("kept", is_async=is_async)[0].cached, "left alone for five seconds"
            house.clock.leapt += 5.1
            house.ask("kept", is_async=is_async)
            assert house.ask("kept", is_async=is_async)[0].cached
        finally:
            house.kernel.close()


def test_c4_many_callers_at_once_do_not_all_knock_at_a_server_that_hangs(server: RedisServer) -> None:
    with LoopbackServer() as model:
        house = House(model, server.url)
        server.pause()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CacheWarning)
            for _ in range(3):
                house.ask("open the circuit")
            house.clock.leapt += 5.1
            times: list[float] = []
            threads = [threading.Thread(target=lambda: times.append(house.ask("probe")[1])) for _ in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        slow = [seconds for seconds in times if seconds > 0.09]
        assert len(times) == 20
        guard = house.kernel.cache.stores.known(house.kernel.cache.settings.configured)
        assert guard is not None
        assert guard.failures == 4, f"one probe, not one for each caller ({len(slow)} slow calls)"
        server.resume()
        house.kernel.close()
