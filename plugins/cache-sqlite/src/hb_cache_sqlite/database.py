"""One database file: a connection to read, one to write, one to empty the log, short waits, and what errors lead to.

Only Busy and Unusable leave `Database`. Lock order: write_lock, read_lock, the lock file.
"""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from hb_cache_sqlite import files, forks, opening, schema
from hb_cache_sqlite.failures import Busy, Damaged, Refused, Replaced, Unusable, classify

if TYPE_CHECKING:
    from collections.abc import Callable

    from hb_cache_sqlite.failures import Kind
    from hb_cache_sqlite.settings import Settings

T = TypeVar("T")
RETRY_AFTER = 5.0
RETRY_BUSY_AFTER = 1.0
THREAD_WAIT = 1.0
"""Seconds that a thread waits for another one of this process, whose own waits are shorter."""
REOPENINGS = 5
FAILURES = (sqlite3.Error, OSError, Busy, Replaced, Damaged, Refused, TypeError, ValueError, OverflowError)


class Database:
    """The file of one store. `reader` is None while it is not open; use it under `read_lock`.

    Every method with `wait=False` raises Busy instead of waiting, opening or repairing: call it again from a thread.
    """

    def __init__(self, settings: Settings) -> None:
        self.path = settings.path
        self.reader: sqlite3.Connection | None = None
        self.read_lock = threading.Lock()
        self.write_lock = threading.Lock()
        self.news: deque[str] = deque()
        """Sentences about files that were moved aside, for the user."""
        self._settings = settings
        self._writer: sqlite3.Connection | None = None
        self._keeper: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._generation = 0
        self._failure: tuple[str, Kind] | None = None
        self._failed_at = 0.0
        self._closed = False
        self._inherited: list[object] = []
        forks.register(self)

    def read(self, step: Callable[[sqlite3.Connection], T], wait: bool = True) -> T:
        """What `step` reads."""

        def attempt() -> T:
            if self.moved():
                with _Held(self.write_lock, THREAD_WAIT if wait else 0.0):
                    self._drop()
            with self.read_lock:
                if self.reader is None:
                    raise Replaced("another thread closed the file")
                return step(self.reader)

        return self._run(attempt, wait)

    def write(self, step: Callable[[sqlite3.Connection], T], wait: bool = True) -> T:
        """What `step` returns, after its changes were committed in one transaction."""

        def attempt() -> T:
            with _Held(self.write_lock, THREAD_WAIT if wait else 0.0):
                connection = self._writer
                if connection is None or self.moved():
                    self._drop()
                    raise Replaced("another file lies in its place")
                connection.execute("BEGIN IMMEDIATE")
                try:
                    answer = step(connection)
                    connection.execute("COMMIT")
                    return answer
                except BaseException:
                    if connection.in_transaction:  # a full disk ends it by itself
                        with suppress(sqlite3.Error):
                            connection.execute("ROLLBACK")
                    raise

        return self._run(attempt, wait)

    def checkpoint(self) -> bool:
        """Move the write-ahead log into the file; whether all of it was."""

        def step(_: sqlite3.Connection) -> bool:
            # The transaction around this one writes nothing. It keeps every process from restarting the log while
            # it is copied, which releases of SQLite before 3.51.3 do not survive (the WAL-reset bug).
            if self._keeper is None:
                self._keeper = schema.connect(self.path)
            busy, frames, copied = self._keeper.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            return not busy and frames == copied

        # The slow half of the work, waiting for the disk to hold the log, is done before anybody has to wait for it.
        with suppress(OSError):
            files.flush(self.path + "-wal")
        return self.write(step)

    def log_size(self) -> int:
        """Bytes of the write-ahead log."""
        try:
            return os.path.getsize(self.path + "-wal")
        except OSError:
            return 0

    def moved(self) -> bool:
        """Whether another file, or none, lies where the open one did."""
        return files.identity(self.path) != self._identity

    def purge(self) -> None:
        """Delete the file, its log and every damaged file moved aside. Raises Busy, Unusable."""
        with _Held(self.write_lock, THREAD_WAIT):
            self._drop()
            try:
                opening.purge_file(self._settings)
            except (OSError, Refused, sqlite3.Error) as error:
                raise Unusable(str(error), classify(error)) from error
            self._failure = None

    def close(self) -> None:
        """Close the connections for good. Harmless when repeated."""
        self._closed = True
        with suppress(Busy), _Held(self.write_lock, THREAD_WAIT):
            self._drop()

    # Forks

    def before_fork(self) -> bool:
        """Close the connections and hold both locks; False when another thread keeps them."""
        if not self.write_lock.acquire(timeout=THREAD_WAIT):
            return False
        if not self.read_lock.acquire(timeout=THREAD_WAIT):
            self.write_lock.release()
            return False
        self._close_all()
        return True

    def after_fork(self) -> None:
        """Release the locks."""
        self.read_lock.release()
        self.write_lock.release()

    def abandon(self) -> None:
        """In a child that inherited open connections: keep them unused for ever, and do without the file."""
        self._inherited += [one for one in (self.reader, self._writer, self._keeper) if one is not None]
        self.reader = self._writer = self._keeper = None
        self.read_lock, self.write_lock = threading.Lock(), threading.Lock()
        self._closed = self._closed or bool(self._inherited)

    # Opening, and what follows from errors

    def _run(self, attempt: Callable[[], T], wait: bool) -> T:
        until: float | None = None
        repaired = False
        reopened = 0
        while True:
            generation = self._generation
            cause: Exception
            try:
                self._open(wait)
                generation = self._generation  # opening counts, too: damage may show on the first read
                return attempt()
            except FAILURES as error:
                cause = error
            if not wait:
                raise Busy(str(cause)) from cause
            kind = classify(cause)
            if kind == "damaged" and not repaired:
                repaired = True
                self._replace(generation, str(cause))
            elif kind == "replaced" and reopened < REOPENINGS:
                reopened += 1
            elif kind not in ("busy", "replaced"):
                raise self._fail(cause, kind) from cause
            elif until is None:
                until = time.monotonic() + self._settings.busy_timeout
            elif time.monotonic() >= until:
                raise Busy(str(cause)) from cause
            else:
                time.sleep(random.uniform(0.0005, 0.003))

    def _open(self, wait: bool) -> None:
        if self.reader is not None:
            return
        if self._closed:
            raise Unusable("the cache is closed", "closed")
        if self._failure is not None:
            message, kind = self._failure
            pause = RETRY_BUSY_AFTER if kind == "busy" else RETRY_AFTER
            if abs(self._settings.clock() - self._failed_at) < pause:
                raise Unusable(message, kind)
        if not wait:
            raise Busy("the file is not open yet")
        with _Held(self.write_lock, THREAD_WAIT if wait else 0.0):
            if self.reader is None:
                try:
                    opened = opening.open_file(self._settings)
                except Busy as error:
                    self._remember(str(error), "busy")
                    raise
                with self.read_lock:
                    self.reader, self._writer, self._identity, news = opened
                    self._generation += 1
                    self._failure = None
                if news:
                    self.news.append(news)

    def _replace(self, generation: int, reason: str) -> None:
        """Put a fresh file in place of the damaged one, unless another thread or process did."""
        try:
            with _Held(self.write_lock, THREAD_WAIT):
                if self._generation != generation:
                    return
                self._drop()
                self._generation += 1
                news = opening.replace_file(self._settings, self._identity, reason)
        except (OSError, Busy, Refused, sqlite3.Error) as error:
            raise self._fail(error, classify(error)) from error
        if news:
            self.news.append(news)

    def _fail(self, error: Exception, kind: Kind) -> Unusable:
        message = str(error) if kind == "refused" else f"{self.path} cannot be used: {error}"
        if kind != "full" or self.reader is None:  # what is stored can be read though the disk is full
            self._remember(message, kind)
            with suppress(Busy), _Held(self.write_lock, THREAD_WAIT):
                self._drop()
        return Unusable(message, kind)

    def _remember(self, message: str, kind: Kind) -> None:
        self._failure, self._failed_at = (message, kind), self._settings.clock()

    def _drop(self) -> None:
        with self.read_lock:
            self._close_all()

    def _close_all(self) -> None:
        connections = (self._keeper, self._writer, self.reader)
        self.reader = self._writer = self._keeper = None
        for connection in connections:
            if connection is not None:
                with suppress(sqlite3.Error):
                    connection.close()


class _Held:
    """A lock held for a block; Busy when it is not free in time."""

    __slots__ = ("_lock", "_timeout")

    def __init__(self, lock: threading.Lock, timeout: float) -> None:
        self._lock = lock
        self._timeout = timeout

    def __enter__(self) -> None:
        if not self._lock.acquire(timeout=self._timeout):
            raise Busy("another thread is writing")

    def __exit__(self, *_: object) -> None:
        self._lock.release()
