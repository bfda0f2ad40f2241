"""Tools for the proofs of settings; `hb -t tests.settings_tools:NAME` finds them too."""

from __future__ import annotations

import threading

_TWO = threading.Barrier(2)


def twice(n: int) -> int:
    """Twice as much."""
    return 2 * n


def slow() -> str:
    """Take a moment."""
    threading.Event().wait(0.3)
    return "done"


def meet(name: str) -> str:
    """Say whether another call was under way at the same time."""
    try:
        _TWO.wait(0.05)
    except threading.BrokenBarrierError:
        _TWO.reset()
        return f"{name} alone"
    return f"{name} together"
