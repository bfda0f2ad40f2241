"""Locks that are free in a child that was forked, whoever held them: their holder is not there to free them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Final
from weakref import WeakMethod, WeakSet

PATIENCE: Final = 2.5
"""Seconds that a fork waits for who uses a file."""


class Lock:
    """A lock, used in `with`. Where there is something to do `before_fork`, a fork waits for the lock, and does it."""

    __slots__ = ("__weakref__", "_before_fork", "_lock")

    def __init__(self, before_fork: Callable[[], None] | None = None) -> None:
        self._lock = threading.Lock()
        self._before_fork = WeakMethod(before_fork) if before_fork is not None else None
        _known.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


_known: WeakSet[Lock] = WeakSet()
_held: list[threading.Lock] = []


def _before() -> None:
    for each in list(_known):
        work = each._before_fork() if each._before_fork is not None else None
        if work is not None and each._lock.acquire(timeout=PATIENCE):
            _held.append(each._lock)
            work()


def _in_parent() -> None:
    while _held:
        _held.pop().release()


def _in_child() -> None:
    _held.clear()
    for each in list(_known):
        each._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
