"""The work that keeps the file small, done in short transactions between writes and never for a read.

Access times are gathered here and written in batches, since a write per hit would cost more than the hit.
"""

from __future__ import annotations

import random
import threading
from collections import OrderedDict
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

from hb_cache_sqlite import rows, schema
from hb_cache_sqlite.failures import Busy, Unusable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from hb_cache_sqlite.database import Database
    from hb_cache_sqlite.spaces import Space

SWEEP_EVERY = 64
STEPS = 4
"""Transactions of each kind that one `run` makes at most."""
CHECKPOINT_BYTES = 8 << 20
CHECKPOINT_AGAIN = 1 << 20
LOG_LIMIT = 64 << 20
PAGES_PER_ROW = 5
"""Pages that storing or deleting a small value changes: its own, three indexes, the counts."""
USED_LIMIT = 16384
USED_AT_CLOSE = 1024
VACUUM_PAGES = 64


class Housekeeping:
    """Evictions, sweeps, access times and checkpoints of one store; `now` gives microseconds since the epoch.

    Methods but `run` raise Busy and Unusable.
    """

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        self.used: OrderedDict[int, int] = OrderedDict()
        """Times of accesses that the file does not know yet, by row id; at most USED_LIMIT."""
        self.log_full = False
        """Whether the write-ahead log reached its bound, because a foreign reader keeps it from being emptied."""
        self._database = database
        self._now = now
        self._running = threading.Lock()
        self._crowded: dict[int, Space] = {}
        self._writes = SWEEP_EVERY - 1  # what expired while nobody ran goes with the first write
        self._pending = 0
        self._checkpoint_at = _some_bytes()

    def forget_uses(self) -> None:
        """Forget the accesses: another file has other rows."""
        self.used = OrderedDict()

    def note_set(self, evicted: int, size: int) -> None:
        """Count a transaction that stored a value of `size` bytes and evicted some entries."""
        self._writes += 1
        self._note_changes(1 + evicted, size)

    def note_crowd(self, space: Space) -> None:
        """Remember a namespace that holds more than its limits, because one step did not free enough."""
        self._crowded[space.id] = space

    @property
    def due(self) -> bool:
        """Whether `run` has something to do."""
        return self._writes >= SWEEP_EVERY or self._pending >= self._checkpoint_at or bool(self._crowded)

    def run(self) -> None:
        """Do some of what is due: tens of milliseconds at most, with the write lock held for a few at a time.

        What cannot be done now, because the file is locked or unusable, is left for the next time.
        """
        if not self._running.acquire(blocking=False):
            return
        try:
            for space in list(self._crowded.values()):
                self._evict(space)
            if self._writes >= SWEEP_EVERY:
                _, more = self.sweep(STEPS)
                self.flush(STEPS * rows.STEP_ROWS)
                self._writes = SWEEP_EVERY if more else 0
            self.empty_log_when_long()
        except (Busy, Unusable):
            pass
        finally:
            self._running.release()

    def sweep(self, steps: int | None = None) -> tuple[int, bool]:
        """Delete expired entries in up to `steps` transactions (None: all); their number, and whether more may be."""
        now = self._now()
        deleted = 0
        for _ in count() if steps is None else range(steps):
            some = self.delete(lambda connection: rows.sweep(connection, now))
            deleted += some
            if not some:
                return deleted, False
        return deleted, True

    def flush(self, most: int) -> None:
        """Write up to `most` access times, the last ones first."""
        for _ in range(0, min(most, len(self.used)), rows.STEP_ROWS):
            some: dict[int, int] = {}
            with suppress(KeyError):  # another thread was faster
                while len(some) < rows.STEP_ROWS:
                    row, when = self.used.popitem()
                    some[row] = when
            self._database.write(lambda connection, some=some: rows.touch(connection, some))  # type: ignore[misc]
            self._note_changes(len(some))

    def delete(self, step: Callable[[sqlite3.Connection], int]) -> int:
        """One step that deletes entries and answers their number."""
        done = self._database.write(step)
        self._note_changes(done)
        self.empty_log_when_long()
        return done

    def empty_log_when_long(self) -> None:
        """Move the write-ahead log into the file when enough was written since the last time."""
        if self._pending >= self._checkpoint_at:
            self.empty_log()

    def empty_log(self) -> bool:
        """Move the write-ahead log into the file; whether writing may go on."""
        self._checkpoint_at = self._pending + CHECKPOINT_AGAIN
        if self._database.checkpoint():
            self._pending = 0
            self._checkpoint_at = _some_bytes()
            self.log_full = False
        else:
            self.log_full = self._database.log_size() > LOG_LIMIT
        return not self.log_full

    def compact(self) -> None:
        """Give the room of deleted entries back, and leave nothing of them in the log."""
        while self._database.write(_vacuum_some):
            self._note_changes(VACUUM_PAGES)
            self.empty_log_when_long()
        if self.empty_log():
            self._database.write(schema.cut_log)
            self._database.write(lambda open_: open_.execute(f"PRAGMA journal_size_limit = {schema.LOG_KEPT}"))

    def _note_changes(self, changed: int, size: int = 0) -> None:
        self._pending += size + changed * PAGES_PER_ROW * schema.PAGE_SIZE

    def _evict(self, space: Space) -> None:
        for _ in range(STEPS):
            evicted, more = self._database.write(lambda open_: rows.evict(open_, space.id, space.limits, self.used))
            space.counts.evicted += evicted
            self._note_changes(evicted)
            self.empty_log_when_long()
            if not more:
                self._crowded.pop(space.id, None)
                break


def _some_bytes() -> int:
    """How much to write until the next checkpoint: not the same in processes that started together."""
    return int(CHECKPOINT_BYTES * random.uniform(0.3, 1))


def _vacuum_some(connection: sqlite3.Connection) -> bool:
    if not connection.execute("PRAGMA freelist_count").fetchone()[0]:
        return False
    connection.execute(f"PRAGMA incremental_vacuum({VACUUM_PAGES})").fetchall()
    return True
