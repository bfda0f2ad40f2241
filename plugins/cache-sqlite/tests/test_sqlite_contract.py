"""The sqlite store keeps the contract of every cache store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hb_cache_sqlite import SQLiteCache
from heavenbase.plugin import CacheStore
from heavenbase.testing.caches import CacheStoreContract


class TestSQLiteStore(CacheStoreContract):
    persistent = True

    def make_store(self, tmp_path: Path, clock: Callable[[], float], **limits: int) -> CacheStore:
        settings = {"path": str(tmp_path / "cache" / "cache.db"), "clock": clock, "busy_timeout_ms": 5000}
        return SQLiteCache().open({**settings, "namespaces": {"text": limits}})
