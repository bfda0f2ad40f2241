"""Response cache of hb in Redis (or Valkey), shared by any number of machines.

Importing this loads neither redis-py nor asyncio; `RedisCache.open` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.plugin import Cache

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_cache_redis.store import RedisStore

__all__ = ["RedisCache"]


class RedisCache(Cache):
    """The cache backend `redis`. It closes the stores it opened when its kernel closes."""

    name = "redis"

    def __init__(self) -> None:
        self._stores: list[RedisStore] = []

    def open(self, settings: Mapping[str, Any]) -> RedisStore:
        """A store that connects on first use.

        Settings: namespace (needed: who shares the entries), clock (epoch seconds), namespaces {name: {max_entries,
        max_bytes}}, and options {url ("redis://localhost:6379/0"), timeout_ms (100)}. Raises ConfigError.
        """
        from hb_cache_redis.settings import Settings
        from hb_cache_redis.store import RedisStore

        store = RedisStore(Settings.read(settings))
        self._stores.append(store)
        return store

    def close(self) -> None:
        """Close every store opened here."""
        while self._stores:
            self._stores.pop().close()
