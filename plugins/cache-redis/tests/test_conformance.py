"""The redis backend and its stores keep the contract of every cache, on a real server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest

from hb_cache_redis import RedisCache
from hb_testing import CacheContract
from hb_testing.redis_server import RedisServer
from heavenbase.errors import CacheError
from heavenbase.plugin import CacheStore

TRIES = 20

pytestmark = pytest.mark.xdist_group("redis")


class TestRedis(CacheContract):
    cache: ClassVar[str] = "redis"
    persistent = True
    url: ClassVar[str] = ""

    @pytest.fixture(autouse=True)
    def on_server(self, shared_server: RedisServer) -> None:
        type(self).url = shared_server.url

    def make_store(self, tmp_path: Path, clock: Callable[[], float], **limits: int) -> CacheStore:
        store = RedisCache().open(
            {"namespace": str(tmp_path), "clock": clock, "namespaces": {"text": limits}, "options": {"url": self.url}}
        )
        for _ in range(TRIES):  # a busy machine may take longer to connect than a cache may keep a call waiting
            with suppress(CacheError):
                store.stats()
                break
        return store
