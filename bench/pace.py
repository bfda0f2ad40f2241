"""How slow this machine is, told in each round, so that a goal in microseconds means the same on every machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from bench.calls import history, targets
from bench.measure import cpu

GOAL_MACHINE = 15_525
"""Microseconds of CPU of the raw openai SDK's call with 100 messages on the machine on which the goals were set.

Nearly all of it is Python, as what is measured here, and not sockets.
"""
CALLS = 3


@cache
def slowness(url: str) -> Callable[[], float]:
    """A function that tells how many times slower than the goals' machine this one is now."""
    _, client = targets(url)
    messages: Any = history(100)

    def ask() -> None:
        for _ in range(CALLS):
            client.chat.completions.create(model="m", messages=messages)

    ask()  # the first one also connects
    return lambda: cpu(ask, CALLS) / GOAL_MACHINE
