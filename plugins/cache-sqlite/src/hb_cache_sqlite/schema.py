"""The layout of the database file, and connections to it."""

from __future__ import annotations

import os
import sqlite3

from hb_cache_sqlite import files
from hb_cache_sqlite.failures import Damaged, Refused

VERSION = 1
APPLICATION = 0x68624341  # "hbCA", which tells our files from other programs'
PAGE_SIZE = 8192
CACHE_KIB = 8192
LOG_KEPT = 16 << 20
"""Bytes of the write-ahead log that are written over and over; cutting it each time would double what a write costs."""

# A value of a few kB would spill out of an index-organised (WITHOUT ROWID) page and double the file, and rows in order
# of age keep pages full; so the key is an index of its own.
TABLES = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL,
    key BLOB NOT NULL,
    created INTEGER NOT NULL,
    accessed INTEGER NOT NULL,
    expires INTEGER,
    size INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    value BLOB NOT NULL,
    UNIQUE (namespace, key)
);
CREATE INDEX entries_by_use ON entries (namespace, accessed);
CREATE INDEX entries_by_expiry ON entries (expires) WHERE expires IS NOT NULL;
CREATE TABLE namespaces (
    id INTEGER PRIMARY KEY,
    name BLOB NOT NULL,
    entries INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);
"""


def connect(path: str, *, known: bool = True) -> sqlite3.Connection:
    """A connection to an existing file. It never waits for a lock, and never empties the log by itself.

    A file that is not `known` is checked before anything about it is changed. Raises sqlite3.Error, and Refused where
    the file system cannot hold the write-ahead log; of a file that is not known also what `check` raises.
    """
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        if not known:
            check(connection, path)
            files.restrict(path)
        if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
            raise Refused(f"the file system of {path} has no shared memory, which the cache needs")
        connection.executescript(
            f"""
            PRAGMA synchronous = NORMAL;
            PRAGMA wal_autocheckpoint = 0;
            PRAGMA journal_size_limit = {LOG_KEPT};
            PRAGMA secure_delete = ON;
            PRAGMA trusted_schema = OFF;
            PRAGMA cache_size = -{CACHE_KIB};
            """
        )
    except BaseException:
        connection.close()
        raise
    return connection


def create(path: str) -> None:
    """Make a fresh file at a path where there is none, at once complete. Raises OSError, sqlite3.Error.

    Call it with the lock held, so that nobody opens what lies beside the file.
    """
    new = path + ".new"
    files.remove(*(name + side for name in (path, new) for side in (*files.SIDES, "-journal")), new)
    files.make_private(new)
    connection = sqlite3.connect(new, isolation_level=None)
    try:
        # Losing a file that holds nothing yet is no loss, so nothing waits for the disk here.
        connection.executescript(
            f"""
            PRAGMA synchronous = OFF;
            PRAGMA page_size = {PAGE_SIZE};
            PRAGMA auto_vacuum = INCREMENTAL;
            PRAGMA application_id = {APPLICATION};
            PRAGMA user_version = {VERSION};
            {TABLES}
            PRAGMA journal_mode = WAL;
            """
        )
    finally:
        connection.close()
    os.replace(new, path)


def cut_log(connection: sqlite3.Connection) -> None:
    """Start the log anew and cut off what lies behind. Call it in a transaction after a complete checkpoint."""
    connection.execute("PRAGMA journal_size_limit = 0")
    connection.execute(f"PRAGMA user_version = {VERSION}")  # any write that no optimisation leaves out


def check(connection: sqlite3.Connection, path: str) -> None:
    """Raise Damaged when the file is not of this layout, Refused when it belongs to another program.

    Reads a few pages only, whatever the size.
    """
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if application != APPLICATION and tables and not {"entries", "namespaces"} <= tables:
        raise Refused(
            f"{path} is a database of another program; set heavenbase.llm.cache.path to a file that does not exist"
        )
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION or version != VERSION:
        raise Damaged(f"its layout is version {version} where this release reads version {VERSION}")
    connection.execute("SELECT count(*) FROM namespaces WHERE id = 0 AND entries + bytes >= 0").fetchone()
    connection.execute("SELECT id FROM entries WHERE namespace = 0 AND key = x'' AND checksum = 0").fetchone()
