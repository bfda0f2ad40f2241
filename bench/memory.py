"""Leaks: many calls leave resident memory, descriptors, threads and tasks where they were."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import heavenbase as hb
from bench.calls import targets
from bench.measure import Result

CALLS = 100_000
WARM_UP = 2_000


def memory(url: str, rounds: int, scale: float) -> Iterator[Result]:
    calls = int(CALLS * min(1, scale))
    kernel = hb.Kernel({"heavenbase.llm.cache.enabled": False})
    mock = hb.LLM("mock", kernel=kernel)
    yield from _growth("mock", lambda: mock.chat("hi"), calls)
    llm, _ = targets(url)
    yield from _growth("loopback", lambda: llm.chat("hi"), calls)


def _growth(name: str, call: Callable[[], object], calls: int) -> Iterator[Result]:
    for _ in range(WARM_UP):
        call()
    gc.collect()
    before = _rss(), _descriptors(), threading.active_count()
    for _ in range(calls):
        call()
    gc.collect()
    after = _rss(), _descriptors(), threading.active_count()
    yield Result(f"RSS growth, {calls} {name} calls", (after[0] - before[0]) / 2**20, 10, "MB")
    yield Result(f"descriptors left, {name}", after[1] - before[1], 0, "")
    yield Result(f"threads left, {name}", after[2] - before[2], 0, "")


def _rss() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))
