"""What the table of prices costs: to load it and find a first model, and to price a call."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from bench.measure import Result, Turns
from bench.pace import slowness
from heavenbase.types import Usage

CALLS = 2_000
MOMENT = 1.79e9


def prices(url: str, rounds: int, scale: float) -> Iterator[Result]:
    """Milliseconds to read the table and find a model of OpenAI, and microseconds for the cost of a usage."""
    from hb_prices import Prices, Table
    from hb_prices.prices import PACKAGED

    usage = Usage(1_000, 200, cache_read=600)
    slow = slowness(url)
    loads: list[float] = []
    costs: list[float] = []
    table = Prices()
    for _ in Turns.of(max(7, rounds)):
        now = slow()
        began = time.thread_time_ns()
        Table.read(PACKAGED).find("openai", "gpt-5.5")
        loads.append((time.thread_time_ns() - began) / 1e6 / now)
        calls = max(200, int(CALLS * scale))
        began = time.thread_time_ns()
        for _ in range(calls):
            table.cost("openai", "gpt-5.5", usage, at=MOMENT)
        costs.append((time.thread_time_ns() - began) / 1e3 / calls / now)
    for name, goal, unit, column in (
        ("table of prices, first model", 5, "ms", loads),
        ("cost of a call", 25, "us", costs),
    ):
        yield Result(name, statistics.median(column), goal, unit, f"best {min(column):.2f}", tuple(column))
