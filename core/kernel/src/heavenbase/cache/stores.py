"""The open stores of a kernel, and what keeps calls safe from them: a failure is a miss, several open a circuit."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable

from heavenbase.cache.settings import CacheSettings
from heavenbase.config.config import Config
from heavenbase.errors import CacheError, CacheWarning
from heavenbase.registry import Registry
from heavenbase.secrets import told
from heavenbase.store import CacheStore

WARN_EVERY = 60.0
REOPEN_AFTER = 60.0
FAILURES = 3
PROBE_AFTER = 5.0
MOST_STORES = 8


class Guard:
    """A store behind a circuit: after three failures in a row it is left alone, but for a probe every five seconds."""

    __slots__ = ("_clock", "_lock", "_next_probe", "failures", "store")

    def __init__(self, store: CacheStore, clock: Callable[[], float]) -> None:
        self.store = store
        self.failures = 0
        """Failures in a row."""
        self._clock = clock
        self._next_probe = 0.0
        self._lock = threading.Lock()

    def ready(self) -> bool:
        """Whether to ask the store. When it failed often, one caller in five seconds is sent to see."""
        if self.failures < FAILURES:
            return True
        with self._lock:
            now = self._clock()
            if now < self._next_probe:
                return False
            self._next_probe = now + PROBE_AFTER
            return True

    def succeeded(self) -> None:
        """Note that the store answered."""
        if self.failures:
            self.failures = 0

    def failed(self) -> None:
        """Note that it did not."""
        with self._lock:
            self.failures += 1
            self._next_probe = self._clock() + PROBE_AFTER


class Stores:
    """Opens each store once, and tells of failures at most once a minute. `failures` counts all of them."""

    def __init__(
        self, config: Config, registry: Registry, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self.failures = 0
        self._config = config
        self._registry = registry
        self._clock = clock
        self._wall = wall
        self._open: dict[str, Guard] = {}
        self._refused: dict[str, float] = {}
        self._warned: dict[str, float] = {}
        self._lock = threading.Lock()

    def known(self, settings: CacheSettings) -> Guard | None:
        """The store of these settings, if it is open."""
        return self._open.get(settings.store_key)

    def refused(self, settings: CacheSettings) -> bool:
        """Whether it could not be opened within the last minute."""
        return self._clock() < self._refused.get(settings.store_key, float("-inf"))

    def open(self, settings: CacheSettings) -> Guard | None:
        """The store of these settings, opened now if need be; None, and a warning, when it cannot be."""
        found = self._open.get(settings.store_key)
        if found is not None or self.refused(settings):
            return found
        with self._lock:  # two first calls at once must not open two stores
            found = self._open.get(settings.store_key)
            if found is not None:
                return found
            try:
                store = self.make(settings)
            except Exception as error:
                self._refused[settings.store_key] = self._clock() + REOPEN_AFTER
                self.tell("cannot be opened", error)
                return None
            while len(self._open) >= MOST_STORES:
                self._close(self._open.pop(next(iter(self._open))))
            found = self._open[settings.store_key] = Guard(store, self._clock)
        return found

    def make(self, settings: CacheSettings) -> CacheStore:
        """A store of these settings, which the caller closes. Raises what the backend raises."""
        folder = self._config.paths().data_dir
        options = {**settings.table, "data_dir": folder and str(folder), "clock": self._wall}
        self._registry.load("caches", settings.backend)
        store: CacheStore | None = self._registry.hook.cache(backend=settings.backend, settings=options)
        if store is None:
            raise CacheError(f"the cache backend {settings.backend!r} opened no store")
        return store

    def failed(self, guard: Guard, what: str, error: Exception) -> None:
        """Note a failure of a store."""
        guard.failed()
        self.tell(what, error)

    def tell(self, what: str, error: Exception) -> None:
        """Count a failure, and warn of it unless that was done within the minute."""
        self.failures += 1
        now = self._clock()
        if now - self._warned.get(what, float("-inf")) >= WARN_EVERY:
            self._warned[what] = now
            shown = told(error).removesuffix(": ")
            warnings.warn(f"the response cache {what}, calls go on without it: {shown}", CacheWarning, stacklevel=2)

    def close(self) -> None:
        """Close every open store."""
        while self._open:
            self._close(self._open.popitem()[1])

    def _close(self, guard: Guard) -> None:
        try:
            guard.store.close()
        except Exception as error:
            self.tell("cannot be closed", error)
