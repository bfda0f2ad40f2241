"""What hb itself does of a call with provider openai: from `LLM.chat` to its gateway, and to what the gateway sends."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import heavenbase as hb
from bench.measure import Result, Turns
from bench.pace import slowness
from heavenbase.types import Completion, Usage


def own_share(url: str, rounds: int, scale: float) -> Iterator[Result]:
    """Median CPU microseconds of a call until the gateway is asked, until its request is made, and until the answer.

    The gateway's verb answers at once, so that neither SDK nor sockets are in between.
    """
    kernel = hb.Kernel({"heavenbase.llm.cache.enabled": False})
    llm = hb.LLM(model="gpt-4o-mini", provider="openai", api_key="sk-key", kernel=kernel)
    gateway: Any = kernel.gateway(llm.spec)
    prepare = gateway.prepare
    asked = made = 0

    def prepared(call: Any) -> Any:
        nonlocal asked
        asked = time.thread_time_ns()
        return prepare(call)

    def chat(call: Any, request: Any) -> Completion:
        nonlocal made
        made = time.thread_time_ns()
        return Completion("hello", finish_reason="stop", usage=Usage(1, 1))

    gateway.prepare, gateway.chat = prepared, chat
    llm.chat("hi")
    count, slow = max(200, int(1000 * scale)), slowness(url)
    rows: list[tuple[float, ...]] = []
    for _ in Turns.of(max(7, rounds)):
        took = []
        for _ in range(count):
            began = time.thread_time_ns()
            llm.chat("hi")
            took.append((asked - began, made - began, time.thread_time_ns() - began))
        now = slow()
        rows.append(tuple(statistics.median(column) / 1e3 / now for column in zip(*took, strict=True)))
    goals = (("gateway's first line", 12), ("gateway's request", None), ("answer's end", None))
    for (name, goal), column in zip(goals, zip(*rows, strict=True), strict=True):
        text = f"best {min(column):.2f}"
        yield Result(f"own share, to the {name}", statistics.median(column), goal, "us", text, column)
