"""What can go wrong with the file, and which of it an error of SQLite or of the system is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

from heavenbase.errors import CacheError

Kind: TypeAlias = Literal["busy", "replaced", "damaged", "full", "refused", "failed"]


class Busy(Exception):
    """Another thread or process holds what is needed; waiting may help."""


class Replaced(Exception):
    """Another file lies in the place of the open one, or another thread closed it: open it anew, at once."""


class Damaged(Exception):
    """The file is no database of this release: it has to make room for a fresh one."""


class Refused(Exception):
    """The file or its folder must not be used; the message says what to do."""


class Unusable(Exception):
    """The file cannot be used now; `kind` says why, "closed" after the store was closed."""

    def __init__(self, message: str, kind: Kind | Literal["closed"]) -> None:
        super().__init__(message)
        self.kind = kind


def classify(error: Exception) -> Kind:
    """Which failure an error means."""
    if isinstance(error, Busy):
        return "busy"
    if isinstance(error, Replaced):
        return "replaced"
    if isinstance(error, Refused):
        return "refused"
    if isinstance(error, Damaged | TypeError | ValueError | OverflowError):
        return "damaged"  # garbage that SQLite takes for rows has values of any type
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return "failed"
    primary = code & 0xFF
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL):
        return "busy"
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or code == sqlite3.SQLITE_IOERR_SHORT_READ:
        return "damaged"
    if primary == sqlite3.SQLITE_ERROR and str(error).startswith("no such"):
        return "damaged"  # its tables are gone
    return "full" if primary == sqlite3.SQLITE_FULL else "failed"


@contextmanager
def as_cache_error(path: str) -> Iterator[None]:
    """Turn what `Database` raises into the error that users know."""
    try:
        yield
    except (Busy, Unusable) as error:
        raise CacheError(f"the response cache {path}: {error}; try again, or see heavenbase.llm.cache.path") from error
