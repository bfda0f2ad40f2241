"""Two environments in one run: the rounds of a figure by turns, and how one environment stands to the other."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence

TOLERANCE = 1.03
"""How much worse a figure may be than in the other environment."""


def compare(other: str, figures: Sequence[str], options: Sequence[str]) -> int:
    """Print each figure here and in the environment of the interpreter `other`, and the quotient; 1 when one is worse.

    Of each figure a round is run here, then one there, and so on; the quotient is the median over these pairs.
    """
    worse = False
    for figure in figures:
        with _Worker(sys.executable, figure, options) as here, _Worker(other, figure, options) as there:
            while here.goes_on() | there.goes_on():
                pass
        for name, values in here.found.items():
            if name not in there.found:
                continue
            mine, theirs = statistics.median(values), statistics.median(there.found[name])
            quotient = statistics.median(a / b if b else 1.0 for a, b in zip(values, there.found[name], strict=False))
            mark = "worse" if quotient > TOLERANCE else "ok"
            worse = worse or quotient > TOLERANCE
            print(f"{name:<44} {mine:>10.3f} against {theirs:>10.3f}  quotient {quotient:.3f}  {mark}", flush=True)
    return int(worse)


class _Worker:
    """One figure in the environment of an interpreter; it does a round each time it is asked to go on."""

    def __init__(self, python: str, figure: str, options: Sequence[str]) -> None:
        self.found: dict[str, list[float]] = {}
        self._waits = False
        command = [python, "-m", "bench", figure, "--turns", *options]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> _Worker:
        return self

    def goes_on(self) -> bool:
        """Let it do one round, and wait until it is done; False when there are no more."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        if self._waits:
            stdin.write("\n")
            stdin.flush()
        for line in stdout:
            if line == "turn\n":
                self._waits = True
                return True
            name, *values = json.loads(line)
            self.found[name] = values
        return False

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
