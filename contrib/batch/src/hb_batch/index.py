"""What a large file is looked up by: the keys of its rows, in a database of its own that is thrown away afterwards."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from typing import Any, NamedTuple, Self

from hb_batch.errors import BatchFileError

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
        import sqlite3  # batches in memory go without

        try:
            handle, self._path = tempfile.mkstemp(prefix=".hb-index-", suffix=".sqlite", dir=folder)
        except OSError as error:
            raise BatchFileError(f"{folder or 'temporary files'}: no index can be made: {error.strerror}") from error
        os.close(handle)
        self._failure: type[Exception] = sqlite3.Error
        self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            for pragma in ("journal_mode=OFF", "synchronous=OFF", f"cache_size=-{CACHE}", "locking_mode=EXCLUSIVE"):
                self._do(f"PRAGMA {pragma}")
            self._do("CREATE TABLE place (key BLOB PRIMARY KEY, file INT, offset INT, rank INT) WITHOUT ROWID")
            self._do("BEGIN")
        except BaseException:
            self.close()
            raise
        if os.name == "posix":  # an open file needs no name, and what has none is not left behind by a kill
            os.unlink(self._path)
        self._changes = 0

    def _do(self, what: str, values: tuple[Any, ...] = ()) -> Any:
        try:
            return self._db.execute(what, values)
        except self._failure as error:  # such as a disk that is full
            raise BatchFileError(f"{self._path}: the index cannot be written: {error}") from error

    def add(self, key: bytes, place: Place) -> Place | None:
        """Keep a place, unless the key has one already, which is returned."""
        done = self._do("INSERT OR IGNORE INTO place VALUES (?, ?, ?, ?)", (key, *place))
        self._count()
        return None if done.rowcount else self.get(key)

    def keep_best(self, key: bytes, place: Place) -> None:
        """Keep a place in the stead of one that is no better."""
        self._do(
            "INSERT INTO place VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET file = excluded.file, "
            "offset = excluded.offset, rank = excluded.rank WHERE excluded.rank >= place.rank",
            (key, *place),
        )
        self._count()

    def get(self, key: bytes) -> Place | None:
        """The place of a key."""
        found = self._do("SELECT file, offset, rank FROM place WHERE key = ?", (key,)).fetchone()
        return Place(*found) if found is not None else None

    def _count(self) -> None:
        self._changes += 1
        if self._changes % COMMIT == 0:  # a transaction that is never ended keeps all it changed in memory
            self._do("COMMIT")
            self._do("BEGIN")

    def close(self) -> None:
        """Forget everything."""
        self._db.close()
        with suppress(FileNotFoundError):
            os.unlink(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
