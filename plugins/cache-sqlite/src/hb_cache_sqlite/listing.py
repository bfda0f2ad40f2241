"""Listing the entries of a file in pages, so that a long listing holds nothing up."""

from __future__ import annotations

import heapq
from itertools import islice
from typing import TYPE_CHECKING

from hb_cache_sqlite import rows
from hb_cache_sqlite.failures import as_cache_error
from heavenbase.plugin import CacheEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from hb_cache_sqlite.database import Database


def listing(
    database: Database, namespaces: Iterable[str], now: int, limit: int | None, offset: int
) -> Iterator[CacheEntry]:
    """The entries of these namespaces that live at `now` (microseconds), the last used first.

    Entries that change meanwhile may be missed. Raises CacheError.
    """
    every = heapq.merge(*(_listed(database, name, now) for name in namespaces), key=lambda entry: -entry.accessed)
    return islice(every, offset, None if limit is None else offset + limit)


def _listed(database: Database, namespace: str, now: int) -> Iterator[CacheEntry]:
    number = rows.namespace_id(namespace)
    some = _page(database, number, now, None)
    while some:
        for _, _, key, size, created, accessed, expires in some:
            until = None if expires is None else expires / 1e6
            yield CacheEntry(namespace, key, size, created / 1e6, accessed / 1e6, until)
        some = _page(database, number, now, some[-1])


def _page(database: Database, number: int, now: int, last: rows.Row | None) -> list[rows.Row]:
    with as_cache_error(database.path):
        return database.read(lambda connection: rows.page(connection, number, now, last))
