"""A kernel whose requests go through limits to an endpoint that notes when each of them came."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, ClassVar

from hb_limits import Limits
from hb_testing.caches import ManualClock
from heavenbase.call import Call, WireRequest
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.plugin import Gateway
from heavenbase.types import Chunk, Completion, Embedding, Usage

COLOURS = ("sync", "stream", "async", "astream")


class Endpoint(Gateway):
    """Answers "ok", or by what is next in `script`: an error, or a usage. `headers` come with each answer.

    While `gate` or `agate` is set, requests wait for it.
    """

    name = "limited"
    wire: ClassVar[str] = "limited"
    vision: ClassVar[str] = ""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.models: list[str] = []
        self.running = self.most = 0
        self.script: list[Any] = []
        self.headers: list[tuple[bytes, bytes]] = []
        self.gate: threading.Event | None = None
        self.agate: asyncio.Event | None = None
        self._lock = threading.Lock()

    def prepare(self, call: Call) -> WireRequest:
        """Every parameter is sent."""
        call.context.report.sent(*call.args)
        return WireRequest("POST", "https://limited.invalid", {})

    def chat(self, call: Call, request: WireRequest) -> Completion:
        """One answer."""
        usage = self._begin(call)
        try:
            if self.gate is not None:
                self.gate.wait(10)
            return Completion("ok", finish_reason="stop", usage=usage)
        finally:
            self.running -= 1

    async def achat(self, call: Call, request: WireRequest) -> Completion:
        """Async form of `chat`."""
        usage = self._begin(call)
        try:
            if self.agate is not None:
                await self.agate.wait()
            return Completion("ok", finish_reason="stop", usage=usage)
        finally:
            self.running -= 1

    def stream(self, call: Call, request: WireRequest) -> Iterator[Chunk]:
        """The same in pieces."""
        usage = self._begin(call)
        try:
            yield from (Chunk("o"), Chunk("k"), Chunk(finish_reason="stop", usage=usage))
        finally:
            self.running -= 1

    async def astream(self, call: Call, request: WireRequest) -> AsyncIterator[Chunk]:
        """Async form of `stream`."""
        usage = self._begin(call)
        try:
            for chunk in (Chunk("o"), Chunk("k"), Chunk(finish_reason="stop", usage=usage)):
                yield chunk
        finally:
            self.running -= 1

    def embed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """One number for each text."""
        usage = self._begin(call)
        self.running -= 1
        return Embedding([[1.0] for _ in call.inputs], usage=usage)

    def _begin(self, call: Call) -> Usage | None:
        with self._lock:
            self.times.append(call.context.clock())
            self.models.append(call.spec.model_id)
            said = self.script.pop(0) if self.script else None
            call.context.headers = tuple(self.headers)
            if isinstance(said, Exception):
                raise said
            self.running += 1
            self.most = max(self.most, self.running)
        return said


class Clock(ManualClock):
    """A clock that goes on when somebody sleeps on it, and lets other tasks have their turn."""

    async def asleep(self, seconds: float) -> None:
        """Let the others go on, and be that much later."""
        await asyncio.sleep(0)
        self.sleep(seconds)


class House:
    """A kernel with these limits, and providers "one" and "two" that lead to the endpoint."""

    def __init__(self, *rules: dict[str, Any], clock: Any = None, settings: Any = None, **options: Any) -> None:
        self.clock = Clock() if clock is None else clock
        self.endpoint = Endpoint()
        self.limits = Limits(rules=list(rules), **options)
        row: dict[str, Any] = {"base_url": "https://limited.invalid", "gateway": "limited", "wire": "limited"}
        row["api_key"] = "sk-limited-1"
        row["capabilities"] = dict.fromkeys(("chat", "stream", "embeddings"), True)
        given = {f"heavenbase.llm.providers.{name}": row for name in ("one", "two")}
        given |= {"heavenbase.llm.cache.enabled": False, "heavenbase.llm.retry.base_delay": 0.0, **(settings or {})}
        clocks: dict[str, Any] = {}
        if isinstance(self.clock, ManualClock):
            clocks = {"clock": self.clock, "sleep": self.clock.sleep, "asleep": self.clock.asleep}
        self.kernel = Kernel(given, plugins=[self.endpoint], middleware=[self.limits], random=lambda: 0.5, **clocks)

    def llm(self, model: str = "m", provider: str = "one", **options: Any) -> LLM:
        """Calls of a model."""
        return LLM(model=model, provider=provider, kernel=self.kernel, **options)

    def ask(self, colour: str = "sync", llm: LLM | None = None, **options: Any) -> Any:
        """One chat in a colour: its completion."""
        llm = llm or self.llm()
        if colour == "sync":
            return llm.complete("hi", **options)
        if colour == "stream":
            return list(llm.stream("hi", include="chunk", **options))
        if colour == "async":
            return asyncio.run(llm.acomplete("hi", **options))

        async def streamed() -> Any:
            return [chunk async for chunk in llm.astream("hi", include="chunk", **options)]

        return asyncio.run(streamed())

    def close(self) -> None:
        """Close kernel and limits."""
        self.kernel.close()
        self.limits.close()


Make = Callable[..., House]


def are_kept_to(times: list[float], began: float, most: int, seconds: float) -> bool:
    """Whether no more than so many were let through in any such stretch, by times that are noted behind each grant.

    However late a busy machine notes them, that many stretches must have passed since all `began`.
    """
    return all(at - began >= place // most * seconds for place, at in enumerate(sorted(times)))


def most_in(times: list[float], seconds: float, weights: list[int] | None = None) -> int:
    """The most that lies within any stretch of so many seconds, its end left out."""
    found = sorted(zip(times, weights or [1] * len(times), strict=True))
    return max((sum(weight for at, weight in found if start <= at < start + seconds) for start, _ in found), default=0)


def until(true: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait for another thread to come so far."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.001)


async def turns(true: Callable[[], Any], most: int = 1000) -> None:
    """Let other tasks of the loop come so far."""
    for _ in range(most):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")
