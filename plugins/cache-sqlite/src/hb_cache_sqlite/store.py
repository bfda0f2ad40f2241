"""The open store: it answers from the file within microseconds, and never lets the file fail a call.

`get`, `set` and their async forms raise nothing about the file: a failure is a miss or a value that is not stored,
counted in `stats` and told by a CacheWarning at most once a minute. The other methods raise CacheError.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar
from zlib import crc32

from hb_cache_sqlite import rows
from hb_cache_sqlite.database import Database
from hb_cache_sqlite.failures import Busy, Unusable, as_cache_error
from hb_cache_sqlite.housekeeping import USED_AT_CLOSE, USED_LIMIT, Housekeeping
from hb_cache_sqlite.listing import listing
from hb_cache_sqlite.settings import ROOT, Limits
from hb_cache_sqlite.spaces import Counts, Space, Warner
from heavenbase.errors import InputError, InputTypeError
from heavenbase.plugin import CacheStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hb_cache_sqlite.settings import Settings
    from heavenbase.plugin import CacheEntry

T = TypeVar("T")
KEY_BYTES = 32
CHECK_MASK = 127
"""Every 128th read looks whether the file is still the one at its path."""
LONGEST_TTL = 1e11
LARGEST_VALUE = 1 << 28
"""Longer values are not stored; SQLite itself takes no more than 1 GB."""
NO_LIMITS = Limits()


class SQLiteStore(CacheStore):
    """A response cache in the file of `settings`, for any number of threads, event loops and processes."""

    instant = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = settings.clock
        self._database = Database(settings)
        self._housekeeping = Housekeeping(self._database, self._now)
        self._warner = Warner(settings.clock)
        self._spaces: dict[str, Space] = {}
        self._reads = 0
        self._last = 0

    @property
    def path(self) -> str:
        """The file, absolute."""
        return self._settings.path

    def get(self, namespace: str, key: bytes) -> bytes | None:
        """The stored value; None when it is absent, expired, damaged or out of reach."""
        return self._get(self._spaces.get(namespace) or self._space(namespace), key, True)

    async def aget(self, namespace: str, key: bytes) -> bytes | None:
        """Async form of `get`: reads at once, and goes through a thread only to open, to wait and to repair."""
        space = self._spaces.get(namespace) or self._space(namespace)
        try:
            return self._get(space, key, False)
        except Busy:
            from heavenbase.colour import call_in_thread

            return await call_in_thread(self._get, space, key, True)

    def set(self, namespace: str, key: bytes, value: bytes, *, ttl: float | None = None) -> None:
        """Store a value for `ttl` seconds (None: for ever). Raises InputError for a key that is not 32 bytes."""
        space = self._checked(namespace, key, value)
        self._set(space, key, value, ttl, wait=True)
        if self._housekeeping.due:
            self._housekeeping.run()

    async def aset(self, namespace: str, key: bytes, value: bytes, *, ttl: float | None = None) -> None:
        """Async form of `set`: writes at once, and goes through a thread to open, wait, repair and clean up."""
        from heavenbase.colour import call_in_thread

        space = self._checked(namespace, key, value)
        try:
            self._set(space, key, value, ttl, wait=False)
        except Busy:
            await call_in_thread(self._set, space, key, value, ttl, wait=True)
        if self._housekeeping.due:
            await call_in_thread(self._housekeeping.run)

    def set_many(self, namespace: str, values: Mapping[bytes, bytes], *, ttl: float | None = None) -> None:
        """Store several values, some of them in one transaction: a write costs more than what is written."""
        space = self._space(namespace)
        some: list[tuple[bytes, bytes]] = []
        size = 0
        for key, value in values.items():
            self._checked(namespace, key, value)
            if some and (len(some) >= rows.STEP_ROWS or size + len(value) > rows.STEP_BYTES):
                self._set_all(space, some, ttl, wait=True)
                some, size = [], 0
            some.append((key, value))
            size += len(value)
        if some:
            self._set_all(space, some, ttl, wait=True)
        if self._housekeeping.due:
            self._housekeeping.run()

    def peek(self, namespace: str, key: bytes) -> bytes | None:
        """Like `get`, but no use of the entry. Raises CacheError."""
        space = self._space(namespace)
        with as_cache_error(self.path):
            row = self._database.read(lambda open_: open_.execute(rows.GET, (space.id, key)).fetchone())
        if row is None or (row[1] is not None and row[1] <= self._now()):
            return None
        return row[3] if crc32(row[3], crc32(key, space.seed)) == row[2] else None

    def delete(self, namespace: str, key: bytes) -> bool:
        """Forget one entry; whether it was there. Raises CacheError."""
        space = self._space(namespace)
        with as_cache_error(self.path):
            return self._housekeeping.delete(lambda connection: rows.drop(connection, space.id, key)) > 0

    def clear(self, namespace: str | None = None) -> int:
        """Forget a namespace, or everything, and erase it from the disk; the number of entries. Raises CacheError."""
        with as_cache_error(self.path):
            totals = self._database.read(rows.all_totals)
            if namespace is None or all(name == namespace or not entries for name, (entries, _) in totals.items()):
                self.purge()
                return sum(entries for entries, _ in totals.values())
            space = self._space(namespace)
            done = 0
            while some := self._housekeeping.delete(lambda connection: rows.drop_some(connection, space.id)):
                done += some
            self._housekeeping.compact()
            return done

    def purge(self) -> None:
        """Delete the file, its log, and the damaged files that were moved aside. Raises CacheError."""
        self._housekeeping.forget_uses()
        with as_cache_error(self.path):
            self._database.purge()

    def sweep(self) -> int:
        """Delete every expired entry; their number. Writing sweeps on its own. Raises CacheError."""
        with as_cache_error(self.path):
            return self._housekeeping.sweep()[0]

    def stats(self) -> dict[str, dict[str, int]]:
        """By namespace: entries and bytes in the file (0 when it is out of reach), and this process's counts.

        Counts: hits, misses, stored, evicted, expired, damaged, locked, failed.
        """
        try:
            totals = self._database.read(rows.all_totals)
        except (Busy, Unusable):
            totals = {}
        self._tell()
        answer = {}
        for name in [*totals, *(name for name in self._spaces if name not in totals)]:
            entries, size = totals.get(name, (0, 0))
            counts = self._spaces[name].counts if name in self._spaces else Counts()
            answer[name] = {"entries": entries, "bytes": size, **asdict(counts)}
        return answer

    def entries(
        self, namespace: str | None = None, *, limit: int | None = None, offset: int = 0
    ) -> Iterator[CacheEntry]:
        """The unexpired entries of a namespace, or of all, the last used first. Raises CacheError, InputError."""
        if offset < 0 or (limit is not None and limit < 0):
            raise InputError(f"limit and offset cannot be negative: {limit}, {offset}")
        with as_cache_error(self.path):
            self._housekeeping.flush(len(self._housekeeping.used))
            names = [namespace] if namespace is not None else list(self._database.read(rows.all_totals))
        self._tell()
        return listing(self._database, names, self._now(), limit, offset)

    def close(self) -> None:
        """Write what is known about uses, and close the file. A closed store answers None and stores nothing."""
        if self._database.reader is not None:
            with suppress(Busy, Unusable):
                self._housekeeping.flush(USED_AT_CLOSE)
        self._database.close()

    # One read, one write

    def _get(self, space: Space, key: bytes, wait: bool) -> bytes | None:
        # Every cached call pays for these lines, so they are in one piece.
        database = self._database
        reader = database.reader
        self._reads += 1
        row: Any
        if reader is not None and self._reads & CHECK_MASK:
            try:
                with database.read_lock:
                    row = reader.execute(rows.GET, (space.id, key)).fetchone()
            except sqlite3.Error:
                row = self._get_row(space, key, wait)
        else:
            row = self._get_row(space, key, wait)
        if row is None:
            space.counts.misses += 1
            return None
        identity, expires, checksum, value = row
        now = int(self._clock() * 1e6)
        try:
            intact = crc32(value, crc32(key, space.seed)) == checksum
            if expires is not None and expires <= now:
                space.counts.misses += 1
                space.counts.expired += 1
                return None
        except TypeError:  # garbage that SQLite takes for a row has values of any type
            intact = False
        if not intact:
            self._repair(space, key, wait)
            return None
        if now <= self._last:
            now = self._last + 1
        self._last = now
        used = self._housekeeping.used
        used[identity] = now
        if len(used) > USED_LIMIT:
            used.popitem(last=False)
        space.counts.hits += 1
        return value  # type: ignore[no-any-return]

    def _get_row(self, space: Space, key: bytes, wait: bool) -> Any:
        def select(connection: sqlite3.Connection) -> Any:
            return connection.execute(rows.GET, (space.id, key)).fetchone()

        return self._tolerant(space, lambda: self._database.read(select, wait), wait)

    def _repair(self, space: Space, key: bytes, wait: bool) -> None:
        self._tolerant(space, lambda: self._database.write(lambda open_: rows.drop(open_, space.id, key), wait), wait)
        space.counts.misses += 1
        space.counts.damaged += 1
        self._warner.warn("entry", f"an entry of the response cache {self.path} was damaged and is deleted")

    def _set(self, space: Space, key: bytes, value: bytes, ttl: float | None, *, wait: bool) -> None:
        self._set_all(space, [(key, value)], ttl, wait=wait)

    def _set_all(self, space: Space, items: Sequence[tuple[bytes, bytes]], ttl: float | None, *, wait: bool) -> None:
        """Store values in one transaction."""
        limits, house = space.limits, self._housekeeping
        alive = ttl is None or ttl > 0
        fitting = [alive and len(value) <= LARGEST_VALUE and not limits.exceeded(1, len(value)) for _, value in items]
        now = self._now()
        expires = None if ttl is None or not ttl < LONGEST_TTL else now + int(ttl * 1e6)

        def put(connection: sqlite3.Connection) -> tuple[int, bool]:
            totals = (0, 0)
            for (key, value), fits in zip(items, fitting, strict=True):
                if fits:
                    totals = rows.put(connection, space.id, space.name, key, value, self._stamp(now), expires)
                else:
                    rows.drop(connection, space.id, key)
            return rows.evict(connection, space.id, limits, house.used) if limits.exceeded(*totals) else (0, False)

        def store() -> tuple[int, bool]:
            if house.log_full:
                if not wait:
                    raise Busy("the log has to be emptied")
                if not house.empty_log():
                    raise Unusable(
                        f"the log of {self.path} cannot be emptied, because another program keeps reading it", "full"
                    )
            return self._database.write(put, wait)

        done = self._tolerant(space, store, wait)
        if done is not None:
            evicted, more = done
            space.counts.stored += sum(fitting)
            space.counts.evicted += evicted
            for _, value in items:
                house.note_set(evicted, len(value))
                evicted = 0  # told once
            if more:
                house.note_crowd(space)

    # Failures

    def _tolerant(self, space: Space, action: Callable[[], T], wait: bool) -> T | None:
        """What the action answers; None after a failure, which is counted and told. Busy only without `wait`."""
        answer = None
        try:
            answer = action()
        except Busy:
            if not wait:
                raise
            self._locked(space)
        except Unusable as error:
            if error.kind == "busy":
                self._locked(space)
            elif error.kind != "closed":
                space.counts.failed += 1
                self._warner.warn(error.kind, f"the response cache: {error}; see {ROOT}.path")
        finally:
            if self._database.news:
                space.counts.damaged += 1
                self._tell()
        return answer

    def _locked(self, space: Space) -> None:
        space.counts.locked += 1
        limit = f"{self._settings.busy_timeout * 1000:g} ms"
        self._warner.warn(
            "locked", f"the response cache {self.path} stayed locked for {limit}, see {ROOT}.options.busy_timeout_ms"
        )

    def _tell(self) -> None:
        while self._database.news:
            self._housekeeping.forget_uses()
            self._warner.warn("damaged", self._database.news.popleft())

    # Small things

    def _space(self, namespace: str) -> Space:
        space = self._spaces.get(namespace)
        if space is None:
            space = Space.named(namespace, self._settings.limits.get(namespace, NO_LIMITS))
            self._spaces[namespace] = space
        return space

    def _checked(self, namespace: str, key: bytes, value: bytes) -> Space:
        if type(key) is not bytes or type(value) is not bytes:
            raise InputTypeError(f"the cache stores bytes by bytes, not {type(value).__name__} by {type(key).__name__}")
        if len(key) != KEY_BYTES:
            raise InputError(f"a cache key has {KEY_BYTES} bytes, not {len(key)}")
        return self._space(namespace)

    def _now(self) -> int:
        return int(self._clock() * 1e6)

    def _stamp(self, now: int) -> int:
        """`now`, but never the same twice, so that the order of use is known however coarse the clock is."""
        self._last = max(now, self._last + 1)
        return self._last
