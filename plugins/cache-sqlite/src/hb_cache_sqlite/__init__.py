"""Response cache of hb in one SQLite file, shared by every process of a user.

Importing this loads neither sqlite3 nor anything else of weight; `SQLiteCache.open` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.plugin import Cache

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_cache_sqlite.store import SQLiteStore

__all__ = ["SQLiteCache"]


class SQLiteCache(Cache):
    """The cache backend `sqlite`. It closes the stores it opened when its kernel closes."""

    name = "sqlite"

    def __init__(self) -> None:
        self._stores: list[SQLiteStore] = []

    def open(self, settings: Mapping[str, Any]) -> SQLiteStore:
        """A store for the file of these settings, which is made or opened on first use.

        Settings: path (None: <data_dir>/llm/cache.db), data_dir, clock (epoch seconds), namespaces {name:
        {max_entries, max_bytes}}, busy_timeout_ms (100) and options {busy_timeout_ms, allow_network_file_system}.
        Raises ConfigError.
        """
        from hb_cache_sqlite.settings import Settings
        from hb_cache_sqlite.store import SQLiteStore

        store = SQLiteStore(Settings.read(settings))
        self._stores.append(store)
        return store

    def close(self) -> None:
        """Close every store opened here."""
        while self._stores:
            self._stores.pop().close()
