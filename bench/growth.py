"""How work grows with what a provider writes: each input is doubled twice, and the exponent told; 1 is linear."""

from __future__ import annotations

from collections.abc import Iterator
from math import log2

from tests.growing import GROWING, least

from bench.measure import Result, Turns

GOAL = 1.3


def growth(url: str, rounds: int, scale: float) -> Iterator[Result]:
    """One line for each input."""
    for name, growing in GROWING.items():
        for _ in Turns.of(1):
            times = [least(growing, growing.size * factor, 3) for factor in (1, 2, 4)]
        text = ", ".join(f"{found * 1000:.2f}" for found in times)
        yield Result(name, log2(times[2] / times[0]) / 2, GOAL, "", f"{text} ms")
