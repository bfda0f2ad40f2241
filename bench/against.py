"""Two environments in one run: the same figures by turns, and how one stands to the other."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence

TOLERANCE = 1.03
"""How much worse a figure may be than in the other environment."""


def compare(other: str, figures: Sequence[str], rounds: int, *, quick: bool) -> int:
    """Print each figure here and in the environment of the interpreter `other`, and the quotient; 1 when one is worse.

    Each round is a fresh process of either, one right after the other; the quotient is the median over the rounds.
    """
    worse = 0
    for figure in figures:
        rows: dict[str, list[tuple[float, float]]] = {}
        for turn in range(rounds):
            order = (sys.executable, other) if turn % 2 else (other, sys.executable)
            found = {python: _figures(python, figure, quick=quick) for python in order}
            for name, value in found[sys.executable].items():
                if name in found[other]:
                    rows.setdefault(name, []).append((value, found[other][name]))
        for name, pairs in rows.items():
            here, there = (statistics.median(column) for column in zip(*pairs, strict=True))
            quotient = statistics.median(a / b for a, b in pairs)
            worse += quotient > TOLERANCE
            mark = "worse" if quotient > TOLERANCE else "ok"
            print(f"{name:<44} {here:>10.3f} against {there:>10.3f}  quotient {quotient:.3f}  {mark}", flush=True)
    return int(worse > 0)


def _figures(python: str, figure: str, *, quick: bool) -> dict[str, float]:
    command = [python, "-m", "bench", figure, "--json", "--rounds", "5", *(["--quick"] if quick else [])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(map(json.loads, done.stdout.splitlines()))
