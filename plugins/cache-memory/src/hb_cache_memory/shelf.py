"""One namespace in memory: entries in the order of their use, bounded and expiring. Its store holds the lock."""

from __future__ import annotations

from collections import OrderedDict
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple

from heavenbase.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

SWEEP_STEP = 64
SLACK = 64


class Limits(NamedTuple):
    """Bounds of one namespace; None for none. `max_bytes` counts the bytes of the values."""

    max_entries: int | None = None
    max_bytes: int | None = None

    @classmethod
    def read(cls, namespace: str, table: Mapping[str, Any]) -> Limits:
        """From a table of the configuration. Raises ConfigError."""
        return cls(*(_limit(f"{namespace}.{name}", table.get(name)) for name in cls._fields))


def _limit(name: str, value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise ConfigError(f"heavenbase.llm.cache.namespaces.{name}: must be a whole number or null, not {value!r}")
    return value


class Entry:
    """A stored value; times in epoch seconds, `expires` infinity for never."""

    __slots__ = ("accessed", "created", "expires", "value")

    def __init__(self, value: bytes, now: float, expires: float) -> None:
        self.value = value
        self.created = self.accessed = now
        self.expires = expires


class Shelf:
    """The entries of one namespace, least recently used first, and what happened to them."""

    def __init__(self, limits: Limits) -> None:
        self.entries: OrderedDict[bytes, Entry] = OrderedDict()
        self.bytes = 0
        self.hits = self.misses = self.stored = self.evicted = self.expired = 0
        self._limits = limits
        self._deadlines: list[tuple[float, bytes]] = []

    def put(self, key: bytes, value: bytes, now: float, ttl: float | None) -> None:
        """Store a value, and make room for it: first of what expired, then of what was not used for longest."""
        self.sweep(now, SWEEP_STEP)
        self.drop(key)
        size = len(value)
        most_entries, most_bytes = self._limits
        if (ttl is not None and not ttl > 0) or most_entries == 0 or (most_bytes is not None and size > most_bytes):
            return
        expires = float("inf") if ttl is None else now + ttl
        self.entries[key] = Entry(value, now, expires)
        self.bytes += size
        self.stored += 1
        if ttl is not None:
            self._remember(expires, key)
        while (most_entries is not None and len(self.entries) > most_entries) or (
            most_bytes is not None and self.bytes > most_bytes
        ):
            _, oldest = self.entries.popitem(last=False)
            self.bytes -= len(oldest.value)
            self.evicted += 1

    def drop(self, key: bytes) -> bool:
        """Forget one entry; whether it was there."""
        entry = self.entries.pop(key, None)
        if entry is None:
            return False
        self.bytes -= len(entry.value)
        return True

    def sweep(self, now: float, most: int) -> None:
        """Forget up to `most` expired entries."""
        for _ in range(most):
            if not self._deadlines or self._deadlines[0][0] > now:
                return
            expires, key = heappop(self._deadlines)
            entry = self.entries.get(key)
            if entry is not None and entry.expires == expires:
                self.drop(key)
                self.expired += 1

    def clear(self) -> int:
        """Forget all entries; their number."""
        count = len(self.entries)
        self.entries.clear()
        self._deadlines.clear()
        self.bytes = 0
        return count

    def _remember(self, expires: float, key: bytes) -> None:
        # Entries that were replaced or evicted leave their deadline behind; it is thrown out when most are such.
        if len(self._deadlines) > 2 * len(self.entries) + SLACK:
            self._deadlines = [(e.expires, k) for k, e in self.entries.items() if e.expires != float("inf")]
            heapify(self._deadlines)
        else:
            heappush(self._deadlines, (expires, key))
