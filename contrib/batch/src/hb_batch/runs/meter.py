"""How far a run is, for people: a bar on a terminal, a plain line now and then elsewhere; all on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hb_batch.runs.tally import Tally
from hb_cli import output

LIVE, PLAIN = 0.2, 5.0
"""Seconds between two looks at it."""


@contextmanager
def meter(quiet: bool) -> Iterator[tuple[Callable[[Tally], Callable[[], None]] | None, float]]:
    """What makes the function that shows a tally, and the seconds between its calls; None where nothing is shown."""
    if quiet:
        yield None, PLAIN
        return
    if not output.is_terminal(sys.stderr):
        yield _plain, PLAIN
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(30), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bars:

        def live(tally: Tally) -> Callable[[], None]:
            task: Any = bars.add_task("", total=tally.total)

            def show() -> None:
                bars.update(task, completed=tally.done, description=tally.line(), refresh=True)

            return show

        yield live, LIVE


def _plain(tally: Tally) -> Callable[[], None]:
    last = ""

    def show() -> None:
        nonlocal last
        line = tally.line()
        if line != last:
            output.note(line)
            last = line

    return show
