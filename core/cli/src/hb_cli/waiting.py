"""What a person sees while an answer takes its time: one line on a terminal's standard error, gone afterwards."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from hb_cli.output import escape, is_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

T = TypeVar("T")
AFTER = 0.4
"""Seconds of silence, for what is quick needs no line."""
EVERY = 0.1
FRAMES = "|/-\\"
_CLEAR = "\r\x1b[K"


@contextmanager
def waiting(what: str, *, after: float = AFTER, every: float = EVERY) -> Iterator[None]:
    """Say what is waited for and how many seconds it has been, until the block ends; nothing where nobody looks."""
    stream = sys.stderr
    if not is_terminal(stream) or os.environ.get("TERM") == "dumb":
        yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_tell, args=(stream, escape(what), done, after, every), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def begun(items: Iterator[T], what: str) -> Iterator[T]:
    """The same items; until the first one is there, what is waited for is said."""
    with waiting(what):
        first = list(islice(items, 1))
    yield from first
    yield from items


def _tell(stream: TextIO, what: str, done: threading.Event, after: float, every: float) -> None:
    started = time.monotonic()
    if done.wait(after):
        return
    frame = 0
    try:
        while True:
            seconds = int(time.monotonic() - started)
            stream.write(f"{_CLEAR}{FRAMES[frame % len(FRAMES)]} {what} {seconds} s")
            stream.flush()
            frame += 1
            if done.wait(every):
                break
        stream.write(_CLEAR)
        stream.flush()
    except (OSError, ValueError):  # the terminal has gone, which is no reason to lose the answer
        return
