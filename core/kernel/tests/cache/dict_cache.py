"""A cache backend of a dictionary, for tests of the policy: it can be made to fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heavenbase.plugin import Cache, CacheStore


class DictStore(CacheStore):
    """Keeps everything; `failure` is raised by every read and write, `sets` are the times to live asked for."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self.values: dict[tuple[str, bytes], bytes] = {}
        self.sets: list[tuple[str, float | None]] = []
        self.gets = 0
        self.failure: Exception | None = None
        self.closed = False

    def get(self, namespace: str, key: bytes) -> bytes | None:
        self.gets += 1
        if self.failure is not None:
            raise self.failure
        return self.values.get((namespace, key))

    def set(self, namespace: str, key: bytes, value: bytes, *, ttl: float | None = None) -> None:
        if self.failure is not None:
            raise self.failure
        self.sets.append((namespace, ttl))
        self.values[namespace, key] = value

    def close(self) -> None:
        self.closed = True


class InstantStore(DictStore):
    """One that a plain chat may ask before it is made a call."""

    instant = True


class DictCache(Cache):
    """The backend `dict`; `stores` are those it opened."""

    name = "dict"

    def __init__(self, make: type[DictStore] = DictStore) -> None:
        self.make = make
        self.stores: list[DictStore] = []

    def open(self, settings: Mapping[str, Any]) -> DictStore:
        store = self.make(settings)
        self.stores.append(store)
        return store
