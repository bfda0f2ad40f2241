"""No connection lives across a fork: SQLite's locks belong to a process, and a child would only believe to hold them.

Connections are closed before a fork and opened again, by parent and child, on the next use.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """What is told about forks."""

    def before_fork(self) -> bool:
        """Close everything and hold all locks; False when that cannot be done in time."""

    def after_fork(self) -> None:
        """Let go of the locks, in the parent and in the child."""

    def abandon(self) -> None:
        """In the child, when `before_fork` failed: never touch what was inherited."""


_known: WeakSet[Forkable] = WeakSet()
_told: list[tuple[Forkable, bool]] = []


def register(one: Forkable) -> None:
    """Tell it about every fork of this process for as long as it exists."""
    _known.add(one)


def _before() -> None:
    _told.extend((one, one.before_fork()) for one in list(_known))


def _in_parent() -> None:
    while _told:
        one, ready = _told.pop()
        if ready:
            one.after_fork()


def _in_child() -> None:
    for one in set(_known) - {one for one, ready in _told if ready}:
        one.abandon()
    _in_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
