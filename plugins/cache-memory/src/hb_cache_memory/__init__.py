"""Response cache of hb in the memory of one process: the fastest, gone with the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.plugin import Cache

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_cache_memory.store import MemoryStore

__all__ = ["MemoryCache"]


class MemoryCache(Cache):
    """The cache backend `memory`. It empties the stores it opened when its kernel closes."""

    name = "memory"

    def __init__(self) -> None:
        self._stores: list[MemoryStore] = []

    def open(self, settings: Mapping[str, Any]) -> MemoryStore:
        """An empty store. Settings: clock (epoch seconds), namespaces {name: {max_entries, max_bytes}}.

        Raises ConfigError.
        """
        from hb_cache_memory.store import MemoryStore

        store = MemoryStore(settings)
        self._stores.append(store)
        return store

    def close(self) -> None:
        """Empty every store opened here."""
        while self._stores:
            self._stores.pop().close()
