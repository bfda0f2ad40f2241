"""Interleaved measurement: subject and reference by turns, so that a busy machine disturbs both alike."""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One figure. `value` is compared with `goal` (lower is better); `text` says what stands behind it."""

    name: str
    value: float
    goal: float | None
    unit: str
    text: str = ""
    each: tuple[float, ...] = ()
    """What another environment is compared with, for each round: the value, or what stands above a reference alone."""

    @property
    def verdict(self) -> str:
        """ok, missed, or gross when the goal is missed by more than twice."""
        if self.goal is None:
            return "-"
        return "ok" if self.value <= self.goal else "missed" if self.value <= 2 * self.goal else "gross"

    def line(self) -> str:
        """The figure as one line of a table."""
        goal = f"{self.goal:g}" if self.goal is not None else "-"
        return f"{self.name:<34} {self.value:>10.3f} {self.unit:<4} goal {goal:>6}  {self.verdict:<6} {self.text}"


class Turns:
    """The rounds of a figure. `announced`: each waits for a line on standard input, so that two processes alternate."""

    announced = False

    @classmethod
    def of(cls, rounds: int) -> Iterator[int]:
        """The numbers of the rounds, each when its turn has come."""
        for number in range(rounds):
            if cls.announced:
                print("turn", flush=True)
                sys.stdin.readline()
            yield number


def ratio(
    name: str, subject: Callable[[], object], reference: Callable[[], object], goal: float, *, rounds: int, per: int = 1
) -> Result:
    """Median over the rounds of subject CPU / reference CPU; both run once first, unmeasured. `per` scales the text."""
    subject(), reference()
    cpu: list[tuple[float, float]] = []
    wall: list[tuple[float, float]] = []
    for turn in Turns.of(rounds):
        order = (subject, reference) if turn % 2 else (reference, subject)
        took = {}
        for work in order:
            gc.collect()
            began, began_cpu = time.perf_counter(), time.process_time()
            work()
            took[work] = (time.process_time() - began_cpu, time.perf_counter() - began)
        cpu.append((took[subject][0], took[reference][0]))
        wall.append((took[subject][1], took[reference][1]))
    each = tuple(a / b for a, b in cpu)
    mine, theirs = (statistics.median(column) / per * 1e6 for column in zip(*cpu, strict=True))
    walls = statistics.median(a / b for a, b in wall)
    text = f"cpu {mine:.0f} against {theirs:.0f} us each, wall {walls:.2f} x, {rounds} rounds"
    return Result(name, statistics.median(each), goal, "x", text, each)


def overhead(
    name: str,
    subject: Callable[[], object],
    reference: Callable[[], object],
    slowness: Callable[[], float],
    *,
    rounds: int,
    per: int,
    goal: float,
) -> Result:
    """Median over the rounds of what the subject's CPU time is above the reference's, in microseconds each.

    What a round takes is divided by the slowness of the machine in that round: see `bench.pace`.
    """
    subject(), reference()
    differences, levels = [], []
    for turn in Turns.of(rounds):
        works = (subject, reference) if turn % 2 else (reference, subject)
        took = {work: cpu(work, per) for work in works}
        levels.append((took[subject], took[reference], slowness()))
        differences.append((took[subject] - took[reference]) / levels[-1][-1])
    mine, theirs, slow = (statistics.median(column) for column in zip(*levels, strict=True))
    text = f"{mine:.0f} against {theirs:.0f} us here; {told(slow)}"
    return Result(
        name, statistics.median(differences), goal, "us", text, tuple(mine / slow for mine, _, slow in levels)
    )


def median_cpu(
    name: str, work: Callable[[], object], slowness: Callable[[], float], *, rounds: int, per: int, goal: float | None
) -> Result:
    """Median over the rounds of the CPU time of work that does something `per` times, in microseconds each.

    What a round takes is divided by the slowness of the machine in that round: see `bench.pace`.
    """
    work()
    each = [(cpu(work, per), slowness()) for _ in Turns.of(max(7, rounds))]
    values = [time / slow for time, slow in each]
    here, slow = (statistics.median(column) for column in zip(*each, strict=True))
    text = f"{here:.1f} us here; {told(slow)}"
    return Result(name, statistics.median(values), goal, "us", text, tuple(values))


def cpu(work: Callable[[], object], per: int) -> float:
    """Microseconds of CPU of work that does something `per` times, each."""
    began = time.process_time()
    work()
    return (time.process_time() - began) / per * 1e6


def told(slow: float) -> str:
    """How slow the machine was, for the text of a figure."""
    return f"this machine takes {slow:.1f} x the time of the goals' machine"


def process_times(commands: dict[str, list[str]], rounds: int, env: dict[str, str]) -> dict[str, list[float]]:
    """Wall milliseconds of whole processes, by turns."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, command in commands.items():
            began = time.perf_counter()
            # Not our standard input: it stays open where figures are taken by turns, and a command may wait for it.
            subprocess.run(command, check=True, capture_output=True, env=env, stdin=subprocess.DEVNULL)
            times[name].append((time.perf_counter() - began) * 1e3)
    return {name: values[1:] for name, values in times.items()}  # the first round fills caches


def python(code: str) -> list[str]:
    """A command that runs code in a fresh interpreter."""
    return [sys.executable, "-c", code]
