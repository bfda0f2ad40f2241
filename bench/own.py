"""What hb itself does of a call with provider openai: from `LLM.chat` to its gateway, and to what the gateway sends."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import heavenbase as hb
from bench.measure import Result, Turns
from heavenbase.types import Completion, Usage


def own_share(url: str, rounds: int, scale: float) -> Iterator[Result]:
    """Median CPU microseconds of a call until the gateway is asked, until its request is made, and until the answer.

    The gateway's verb answers at once, so that neither SDK nor sockets are in between. To its first line it is to be
    12 on a machine where the SDK's own call of one message (the row of sync calls) takes 640; no figure of its own
    says how fast this machine is, so none has a goal that could fail a run.
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
    count = max(200, int(1000 * scale))
    each: list[tuple[float, ...]] = []
    for _ in Turns.of(max(7, rounds)):
        took = []
        for _ in range(count):
            began = time.thread_time_ns()
            llm.chat("hi")
            took.append((asked - began, made - began, time.thread_time_ns() - began))
        each.append(tuple(statistics.median(column) / 1e3 for column in zip(*took, strict=True)))
    names = ("gateway's first line", "gateway's request", "answer's end")
    for name, column in zip(names, zip(*each, strict=True), strict=True):
        text = f"median of {len(column)}, best {min(column):.2f}"
        yield Result(f"own share, to the {name}", statistics.median(column), None, "us", text, column)
