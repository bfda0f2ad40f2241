"""What a store keeps in memory about each namespace, and the warnings it gives: one a minute of each kind."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hb_cache_sqlite import rows
from hb_cache_sqlite.settings import Limits
from heavenbase.errors import CacheWarning, InputTypeError

if TYPE_CHECKING:
    from collections.abc import Callable

WARN_EVERY = 60.0


@dataclass(slots=True)
class Counts:
    """What happened to a namespace in this process since the store was opened."""

    hits: int = 0
    misses: int = 0
    stored: int = 0
    evicted: int = 0
    expired: int = 0
    damaged: int = 0
    """Entries, or whole files, whose content had changed."""
    locked: int = 0
    """Reads and writes given up because another process held the file."""
    failed: int = 0
    """Reads and writes given up because the file could not be used."""


@dataclass(slots=True)
class Space:
    """One namespace: its name as stored, its number, the start of its checksums, and its bounds."""

    name: bytes
    id: int
    seed: int
    limits: Limits
    counts: Counts = field(default_factory=Counts)

    @classmethod
    def named(cls, name: str, limits: Limits) -> Space:
        """The space of a name. Raises InputTypeError."""
        if not isinstance(name, str):
            raise InputTypeError(f"a cache namespace is a str, not {type(name).__name__}")
        number = rows.namespace_id(name)
        return cls(rows.encode_name(name), number, rows.checksum_seed(number), limits)


class Warner:
    """Gives CacheWarnings, at most one a minute of each kind; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: dict[str, float] = {}

    def warn(self, kind: str, message: str) -> None:
        """Warn unless the same kind was warned of within the minute."""
        now = self._clock()
        last = self._last.get(kind)
        if last is None or abs(now - last) >= WARN_EVERY:
            self._last[kind] = now
            warnings.warn(f"{message}; calls go on without the cache", CacheWarning, stacklevel=3)
