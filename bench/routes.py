"""What a stack that does not fire adds to a call, and to a chunk: a route, retries, a middleware that logs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import heavenbase as hb
from bench.measure import Result, Turns
from bench.pace import slowness
from heavenbase.types import Chunk, Completion, Usage

CHUNKS = 400


class Logs(hb.Observer):
    """Counts what it would log."""

    lines = 0

    def after(self, call: Any, answer: Any, error: Any, seconds: float) -> None:
        """Count."""
        self.lines += 1


def routes(url: str, rounds: int, scale: float) -> Iterator[Result]:
    """CPU microseconds that a route of two targets and an observer add to a call, and to a chunk of a stream.

    The gateway answers at once, so that neither SDK nor sockets are in between; with and without take turns.
    """
    kernel = hb.Kernel({"heavenbase.llm.cache.enabled": False})
    plain = hb.LLM(model="gpt-4o-mini", provider="openai", api_key="sk-key", kernel=kernel)
    targets = [{"model": name, "provider": "openai"} for name in ("gpt-4o-mini", "gpt-4o")]
    stacked = hb.LLM(route=targets, api_key="sk-key", kernel=kernel, middleware=[Logs()])
    gateway: Any = kernel.gateway(plain.spec)

    def chat(call: Any, request: Any) -> Completion:
        return Completion("hello", finish_reason="stop", usage=Usage(1, 1))

    def stream(call: Any, request: Any) -> Iterator[Chunk]:
        for _ in range(CHUNKS):
            yield Chunk(text="word ")
        yield Chunk(finish_reason="stop", usage=Usage(1, CHUNKS))

    gateway.chat, gateway.stream = chat, stream
    slow = slowness(url)
    calls, streams = max(100, int(400 * scale)), max(5, int(20 * scale))
    per_call: list[float] = []
    per_chunk: list[float] = []
    for llm in (plain, stacked):
        llm.chat("hi"), list(llm.stream("hi"))
    for _ in Turns.of(max(7, rounds)):
        now = slow()
        took = [_least(lambda llm=llm: llm.chat("hi"), calls) for llm in (plain, stacked)]
        per_call.append((took[1] - took[0]) / now)
        took = [_least(lambda llm=llm: list(llm.stream("hi")), streams) for llm in (plain, stacked)]
        per_chunk.append((took[1] - took[0]) / CHUNKS / now)
    for name, goal, column in (("a call", 25, per_call), ("a chunk", 1, per_chunk)):
        text = f"best {min(column):.2f}"
        yield Result(
            f"stack of route, retry, log, on {name}", statistics.median(column), goal, "us", text, tuple(column)
        )


def _least(work: Any, count: int) -> float:
    """Median CPU microseconds of a piece of work."""
    took = []
    for _ in range(count):
        began = time.thread_time_ns()
        work()
        took.append(time.thread_time_ns() - began)
    return statistics.median(took) / 1e3
