"""What a large file is looked up by: the keys of its rows, in a database of its own that is thrown away afterwards."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from typing import NamedTuple, Self

CACHE = 2 * 1024
"""KiB of the database that are kept in memory, whatever the size of the file."""
COMMIT = 10_000


class Place(NamedTuple):
    """Where a row stands: in which of several files, from which byte on, and how good it is (higher is better)."""

    file: int
    offset: int
    rank: int = 0


class Index:
    """Places by key, in a temporary file of the folder; it holds nothing that cannot be read again from the files."""

    def __init__(self, folder: str | None = None) -> None:
        handle, self._path = tempfile.mkstemp(prefix=".hb-index-", suffix=".sqlite", dir=folder)
        os.close(handle)
        self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(f"PRAGMA cache_size=-{CACHE}")
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("CREATE TABLE place (key BLOB PRIMARY KEY, file INT, offset INT, rank INT) WITHOUT ROWID")
        self._db.execute("BEGIN")
        self._changes = 0

    def add(self, key: bytes, place: Place) -> Place | None:
        """Keep a place, unless the key has one already, which is returned."""
        done = self._db.execute("INSERT OR IGNORE INTO place VALUES (?, ?, ?, ?)", (key, *place))
        self._count()
        return None if done.rowcount else self.get(key)

    def keep_best(self, key: bytes, place: Place) -> None:
        """Keep a place in the stead of one that is no better."""
        self._db.execute(
            "INSERT INTO place VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET file = excluded.file, "
            "offset = excluded.offset, rank = excluded.rank WHERE excluded.rank >= place.rank",
            (key, *place),
        )
        self._count()

    def get(self, key: bytes) -> Place | None:
        """The place of a key."""
        found = self._db.execute("SELECT file, offset, rank FROM place WHERE key = ?", (key,)).fetchone()
        return Place(*found) if found is not None else None

    def _count(self) -> None:
        self._changes += 1
        if self._changes % COMMIT == 0:  # a transaction that is never ended keeps all it changed in memory
            self._db.execute("COMMIT")
            self._db.execute("BEGIN")

    def close(self) -> None:
        """Forget everything."""
        self._db.close()
        os.unlink(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
