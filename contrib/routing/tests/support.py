"""Targets on loopback servers of their own, and kernels that route among them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from hb_testing.caches import ManualClock
from hb_testing.server import LoopbackServer, OpenAIWire
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM

NAMES = ("one", "two", "three")


class House:
    """Three providers, each a server of its own with a key of its own; `kernel` routes among them."""

    def __init__(self, servers: dict[str, LoopbackServer]) -> None:
        self.servers = servers
        self.time = ManualClock(1000.0)
        self.kernels: list[Kernel] = []
        self.kernel = self.make()

    def make(
        self, config: dict[str, Any] | None = None, more: dict[str, dict[str, Any]] | None = None, **kernel: Any
    ) -> Kernel:
        more = more or {}
        providers = {
            name: {"base_url": server.url(name), "api_key": f"key-of-{name}", **more.get(name, {})}
            for name, server in self.servers.items()
        }
        given = {"heavenbase.llm.providers": providers, "heavenbase.llm.cache.enabled": False, **(config or {})}
        time = self.time
        kernel = {"random": lambda: 0.5, **kernel}
        made = Kernel(given, clock=time, sleep=time.sleep, asleep=time.asleep, **kernel)
        self.kernels.append(made)
        return made

    def llm(self, *targets: Any, **options: Any) -> LLM:
        return LLM(model=list(targets or ("one/m", "two/m", "three/m")), kernel=self.kernel, **options)

    def routed(self, route: Any, **options: Any) -> LLM:
        return LLM(route=route, kernel=self.kernel, **options)

    def counts(self) -> tuple[int, ...]:
        """Requests that each server got."""
        return tuple(server.request_count for server in self.servers.values())

    def fail(self, name: str, *statuses: int, **fields: Any) -> None:
        for status in statuses:
            self.servers[name].reply("no", status=status, **fields)


def colours(house: House, llm: LLM, messages: Any = "hi", **options: Any) -> Iterator[Any]:
    """The same chat in four forms, as functions that give the text."""

    def sync() -> str:
        return llm.complete(messages, **options).text

    def streamed() -> str:
        return "".join(llm.stream(messages, **options))

    def awaited() -> str:
        async def ask() -> str:
            return (await llm.acomplete(messages, **options)).text

        return asyncio.run(ask())

    def astreamed() -> str:
        async def ask() -> str:
            return "".join([piece async for piece in llm.astream(messages, **options)])

        return asyncio.run(ask())

    yield from (sync, streamed, awaited, astreamed)


@pytest.fixture
def house() -> Iterator[House]:
    with ExitStack() as stack:
        wires = {name: OpenAIWire(name=name, base="/v1") for name in NAMES}
        servers = {name: stack.enter_context(LoopbackServer(wires=[wire])) for name, wire in wires.items()}
        found = House(servers)
        yield found
        for kernel in found.kernels:
            kernel.close()
