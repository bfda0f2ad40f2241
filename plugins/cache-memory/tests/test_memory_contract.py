"""The memory store keeps the contract of every cache store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hb_cache_memory import MemoryCache
from heavenbase.plugin import CacheStore
from heavenbase.testing.caches import CacheStoreContract


class TestMemoryStore(CacheStoreContract):
    def make_store(self, tmp_path: Path, clock: Callable[[], float], **limits: int) -> CacheStore:
        return MemoryCache().open({"clock": clock, "namespaces": {"text": limits}})
