"""Runs one fault against the whole stack (LLM, kernel, gateway-openai, SDK, sockets) in both colours."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

import heavenbase as hb
from hb_testing.server import LoopbackServer

CANARY = "sk-canary-0123456789abcdef"  # the conftest of the workspace looks for it
LIMITS = {"connect": 2.0, "first_token": 2.0, "idle": 2.0, "stall": 2.0, "total": 30.0, "pool": 2.0}
Mode = Literal["chat", "achat", "stream", "astream"]
MODES: tuple[Mode, ...] = ("chat", "achat", "stream", "astream")


@dataclass
class FakeTime:
    """A clock that runs on, and leaps when somebody sleeps."""

    slept: list[float] = field(default_factory=list)
    leapt: float = 0.0

    def clock(self) -> float:
        return time.monotonic() + self.leapt

    def wall(self) -> float:
        return time.time() + self.leapt

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.leapt += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)


@dataclass
class Outcome:
    """What a call came to: the answer or the error, the delivered pieces, the waits, the requests on the wire."""

    text: str | None
    error: hb.HBError | None
    pieces: list[str]
    slept: list[float]
    requests: int
    completion: Any = None


class Harness:
    """One kernel with fake time, aimed at one base URL."""

    def __init__(
        self, url: str, *, limits: dict[str, float] | None = None, config: dict[str, Any] | None = None
    ) -> None:
        self.time = FakeTime()
        settings = {
            "heavenbase.llm.cache.enabled": False,
            "heavenbase.llm.timeouts": {**LIMITS, **(limits or {})},
            **(config or {}),
        }
        self.kernel = hb.Kernel(
            settings,
            environ=os.environ,
            clock=self.time.clock,
            wall=self.time.wall,
            sleep=self.time.sleep,
            asleep=self.time.asleep,
            random=lambda: 0.5,
        )
        self.llm = hb.LLM(preset="custom", model="m", base_url=url, api_key=CANARY, kernel=self.kernel)

    def run(self, mode: Mode, messages: Any = "hi", **options: Any) -> Outcome:
        """One call in one colour; async ones on a loop of their own."""
        if mode in ("chat", "stream"):
            return self._sync(mode, messages, options)
        return asyncio.run(self._async(mode, messages, options))

    def _sync(self, mode: Mode, messages: Any, options: dict[str, Any]) -> Outcome:
        pieces: list[str] = []
        before = len(self.time.slept)
        try:
            if mode == "chat":
                answer = self.llm.complete(messages, **options)
                return Outcome(answer.text, None, [], self.time.slept[before:], len(answer.attempts), answer)
            for piece in self.llm.stream(messages, include="chunk", **options):
                pieces.append(piece.text)
            return Outcome("".join(pieces), None, pieces, self.time.slept[before:], -1)
        except hb.HBError as error:
            return Outcome(None, error, pieces, self.time.slept[before:], len(error.attempts))

    async def _async(self, mode: Mode, messages: Any, options: dict[str, Any]) -> Outcome:
        pieces: list[str] = []
        before = len(self.time.slept)
        try:
            if mode == "achat":
                answer = await self.llm.acomplete(messages, **options)
                return Outcome(answer.text, None, [], self.time.slept[before:], len(answer.attempts), answer)
            async for piece in self.llm.astream(messages, include="chunk", **options):
                pieces.append(piece.text)
            return Outcome("".join(pieces), None, pieces, self.time.slept[before:], -1)
        except hb.HBError as error:
            return Outcome(None, error, pieces, self.time.slept[before:], len(error.attempts))
        finally:
            await self.kernel.clients.aclose()


@contextmanager
def harness(server: LoopbackServer, fault: str | None = None, **options: Any) -> Iterator[Harness]:
    """A harness for one fault of the server; its kernel is closed at the end."""
    made = Harness(server.url("openai", fault=fault), **options)
    try:
        yield made
    finally:
        made.kernel.close()


def check_error(outcome: Outcome, expected: type[hb.HBError], *, requests: int | None = None) -> hb.HBError:
    """The error is of this class, carries its ledger, and shows no key."""
    error = outcome.error
    assert error is not None, f"answered {outcome.text!r}"
    assert isinstance(error, expected), repr(error)
    if requests is not None:
        assert len(error.attempts) == requests, error.attempts
    for shown in (str(error), repr(error), str(error.body), *(str(note) for note in getattr(error, "__notes__", ()))):
        assert CANARY not in shown
    return error


def every(modes: tuple[Mode, ...] = MODES) -> Callable[[Any], Any]:
    """Run the test in each of the colours."""
    return pytest.mark.parametrize("mode", modes)
