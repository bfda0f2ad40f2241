"""CacheStore: what a cache backend opens, and what it tells of its entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, NamedTuple


class CacheEntry(NamedTuple):
    """What a store tells about one entry: `size` in bytes, times in epoch seconds, `expires` None for never."""

    namespace: str
    key: bytes
    size: int
    created: float
    accessed: float
    expires: float | None


class CacheStore:
    """An open response cache: bytes by (namespace, key), bounded and expiring. Every method may raise; hb goes on.

    `key` is 32 bytes. Sync methods must return within milliseconds, for async calls use them too; a store that waits
    for a network implements the async forms as well.
    """

    instant: ClassVar[bool] = False
    """Whether `get` answers within microseconds, so that a plain chat may ask it before it is made a call."""

    def get(self, namespace: str, key: bytes) -> bytes | None:
        """The stored value, None when absent or expired."""
        raise NotImplementedError

    def set(self, namespace: str, key: bytes, value: bytes, *, ttl: float | None = None) -> None:
        """Store a value for `ttl` seconds (None: for ever)."""
        raise NotImplementedError

    async def aget(self, namespace: str, key: bytes) -> bytes | None:
        """Async form of `get`."""
        return self.get(namespace, key)

    async def aset(self, namespace: str, key: bytes, value: bytes, *, ttl: float | None = None) -> None:
        """Async form of `set`."""
        self.set(namespace, key, value, ttl=ttl)

    def get_many(self, namespace: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The stored values of those keys that have one."""
        found = {key: self.get(namespace, key) for key in keys}
        return {key: value for key, value in found.items() if value is not None}

    async def aget_many(self, namespace: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Async form of `get_many`."""
        found = {key: await self.aget(namespace, key) for key in keys}
        return {key: value for key, value in found.items() if value is not None}

    def set_many(self, namespace: str, values: Mapping[bytes, bytes], *, ttl: float | None = None) -> None:
        """Store several values."""
        for key, value in values.items():
            self.set(namespace, key, value, ttl=ttl)

    async def aset_many(self, namespace: str, values: Mapping[bytes, bytes], *, ttl: float | None = None) -> None:
        """Async form of `set_many`."""
        for key, value in values.items():
            await self.aset(namespace, key, value, ttl=ttl)

    def peek(self, namespace: str, key: bytes) -> bytes | None:
        """Like `get`, for people who look: where the store can, it is no use of the entry."""
        return self.get(namespace, key)

    def delete(self, namespace: str, key: bytes) -> bool:
        """Forget one entry; whether it was there."""
        raise NotImplementedError

    def clear(self, namespace: str | None = None) -> int:
        """Forget all entries of a namespace, or all; returns their number."""
        raise NotImplementedError

    def stats(self) -> dict[str, dict[str, int]]:
        """By namespace: entries, bytes; a store may add counters of its own."""
        raise NotImplementedError

    def entries(
        self, namespace: str | None = None, *, limit: int | None = None, offset: int = 0
    ) -> Iterator[CacheEntry]:
        """The unexpired entries of a namespace, or of all, the last used first; reading them is no use."""
        raise NotImplementedError

    def purge(self) -> None:
        """Forget everything and leave no trace of it where it was stored."""
        self.clear()

    def close(self) -> None:
        """Close files and connections."""
