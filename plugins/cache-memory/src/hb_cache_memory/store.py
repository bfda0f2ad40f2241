"""The open store: a dictionary per namespace under one lock."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from hb_cache_memory.shelf import Limits, Shelf
from heavenbase.errors import ConfigError, InputError, InputTypeError
from heavenbase.plugin import CacheEntry, CacheStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KEY_BYTES = 32
_NO_LIMITS = Limits()
_stores: WeakSet[MemoryStore] = WeakSet()


class MemoryStore(CacheStore):
    """A response cache of this process. A forked child starts with a copy."""

    instant = True

    def __init__(self, settings: Mapping[str, Any]) -> None:
        for name in settings.get("options") or ():
            raise ConfigError(f"heavenbase.llm.cache.options.{name}: unknown; the memory cache has no options")
        self._clock: Callable[[], float] = settings.get("clock") or time.time
        tables = settings.get("namespaces") or {}
        self._limits = {name: Limits.read(name, table) for name, table in tables.items()}
        self._shelves: dict[str, Shelf] = {}
        self.lock = threading.Lock()
        """Held for every change; no longer than one change takes."""
        _stores.add(self)

    def get(self, namespace: str, key: bytes) -> bytes | None:
        """The stored value; None when it is absent or expired."""
        with self.lock:
            shelf = self._shelves.get(namespace) or self._shelf(namespace)
            entry = shelf.entries.get(key)
            if entry is None:
                shelf.misses += 1
                return None
            now = self._clock()
            if entry.expires <= now:
                shelf.drop(key)
                shelf.expired += 1
                shelf.misses += 1
                return None
            entry.accessed = now
            shelf.entries.move_to_end(key)
            shelf.hits += 1
            return entry.value

    def peek(self, namespace: str, key: bytes) -> bytes | None:
        """Like `get`, but no use of the entry."""
        with self.lock:
            entry = self._shelf(namespace).entries.get(key)
            return entry.value if entry is not None and entry.expires > self._clock() else None

    def set(self, namespace: str, key: bytes, value: bytes, *, ttl: float | None = None) -> None:
        """Store a value for `ttl` seconds (None: for ever). Raises InputError for a key that is not 32 bytes."""
        if type(key) is not bytes or type(value) is not bytes:
            raise InputTypeError(f"the cache stores bytes by bytes, not {type(value).__name__} by {type(key).__name__}")
        if len(key) != KEY_BYTES:
            raise InputError(f"a cache key has {KEY_BYTES} bytes, not {len(key)}")
        with self.lock:
            self._shelf(namespace).put(key, value, self._clock(), ttl)

    def delete(self, namespace: str, key: bytes) -> bool:
        """Forget one entry; whether it was there."""
        with self.lock:
            return self._shelf(namespace).drop(key)

    def clear(self, namespace: str | None = None) -> int:
        """Forget all entries of a namespace, or all; their number."""
        with self.lock:
            shelves = self._shelves.values() if namespace is None else [self._shelf(namespace)]
            return sum(shelf.clear() for shelf in shelves)

    def sweep(self) -> int:
        """Forget every expired entry; their number. Writing sweeps on its own."""
        with self.lock:
            before = sum(len(shelf.entries) for shelf in self._shelves.values())
            for shelf in self._shelves.values():
                shelf.sweep(self._clock(), 2**31)
            return before - sum(len(shelf.entries) for shelf in self._shelves.values())

    def stats(self) -> dict[str, dict[str, int]]:
        """By namespace: entries, bytes, and the counts hits, misses, stored, evicted, expired."""
        counts = ("bytes", "hits", "misses", "stored", "evicted", "expired")
        with self.lock:
            return {
                name: {"entries": len(shelf.entries), **{count: getattr(shelf, count) for count in counts}}
                for name, shelf in self._shelves.items()
            }

    def entries(
        self, namespace: str | None = None, *, limit: int | None = None, offset: int = 0
    ) -> Iterator[CacheEntry]:
        """The unexpired entries of a namespace, or of all, the last used first. Raises InputError."""
        if offset < 0 or (limit is not None and limit < 0):
            raise InputError(f"limit and offset cannot be negative: {limit}, {offset}")
        with self.lock:
            now = self._clock()
            names = list(self._shelves) if namespace is None else [namespace]
            lists = [self._listed(name, now) for name in names]
        every = merge(*lists, key=lambda entry: -entry.accessed)
        return islice(every, offset, None if limit is None else offset + limit)

    def close(self) -> None:
        """Forget everything."""
        self.clear()

    def _listed(self, namespace: str, now: float) -> list[CacheEntry]:
        return [
            CacheEntry(
                namespace,
                key,
                len(entry.value),
                entry.created,
                entry.accessed,
                None if entry.expires == float("inf") else entry.expires,
            )
            for key, entry in reversed(self._shelf(namespace).entries.items())
            if entry.expires > now
        ]

    def _shelf(self, namespace: str) -> Shelf:
        shelf = self._shelves.get(namespace)
        if shelf is None:
            if not isinstance(namespace, str):
                raise InputTypeError(f"a cache namespace is a str, not {type(namespace).__name__}")
            shelf = self._shelves[namespace] = Shelf(self._limits.get(namespace, _NO_LIMITS))
        return shelf


# A fork copies a lock as it is: without this, one held by another thread would stay locked in the child for ever.
_held: list[MemoryStore] = []


def _before_fork() -> None:
    for store in list(_stores):
        store.lock.acquire()
        _held.append(store)


def _after_fork() -> None:
    while _held:
        _held.pop().lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
