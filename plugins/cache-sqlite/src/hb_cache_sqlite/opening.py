"""Opening the file of a cache, and putting a fresh one in the place of a damaged one.

Functions raise Busy, Refused, Damaged, OSError and sqlite3.Error.
"""

from __future__ import annotations

import os
import sqlite3
import time
from typing import TYPE_CHECKING, NamedTuple

from hb_cache_sqlite import files, schema
from hb_cache_sqlite.failures import Busy, Damaged, Refused, classify

if TYPE_CHECKING:
    from hb_cache_sqlite.settings import Settings


class Opened(NamedTuple):
    """Two connections to one file, its identity, and a sentence about a damaged one that was moved aside."""

    reader: sqlite3.Connection
    writer: sqlite3.Connection
    identity: tuple[int, int] | None
    news: str | None


def open_file(settings: Settings) -> Opened:
    """Connections to the file, which is made when it is missing and replaced when it is damaged."""
    path = settings.path
    kind = None if settings.allow_network else files.network_file_system(path)
    if kind is not None:
        raise Refused(f"{path} lies on a network file system ({kind}); set heavenbase.llm.cache.path to a local folder")
    files.make_folder(os.path.dirname(path))
    with files.exclusive(path, settings.busy_timeout):
        news = None
        if files.identity(path) is None:
            schema.create(path)
        try:
            reader = _connect(settings)
        except (Damaged, sqlite3.Error) as error:
            if classify(error) != "damaged":
                raise
            news = _move_aside(settings, str(error))
            reader = _connect(settings)
        try:
            return Opened(reader, schema.connect(path), files.identity(path), news)
        except BaseException:
            reader.close()
            raise


def replace_file(settings: Settings, identity: tuple[int, int] | None, reason: str) -> str | None:
    """Move the damaged file aside and make a fresh one; what to tell the user.

    None when another process has replaced the file of this identity already. Close all connections before.
    """
    with files.exclusive(settings.path, settings.busy_timeout):
        if files.identity(settings.path) != identity:
            return None
        return _move_aside(settings, reason)


def purge_file(settings: Settings) -> None:
    """Delete the file, what lies beside it, and every damaged file moved aside. Close all connections before."""
    if not os.path.isdir(os.path.dirname(settings.path)):
        return
    with files.exclusive(settings.path, settings.busy_timeout):
        if os.path.exists(settings.path):
            try:
                _connect(settings).close()
            except (Damaged, sqlite3.Error) as error:
                _check_link(settings, str(error))
        files.remove_all(settings.path)


def _connect(settings: Settings) -> sqlite3.Connection:
    path = settings.path
    if os.path.isfile(path) and not os.path.getsize(path):
        raise Damaged("it is empty")
    until = time.monotonic() + settings.busy_timeout
    while True:
        try:
            return schema.connect(path, known=False)
        except sqlite3.Error as error:
            if classify(error) != "busy":
                raise
            if time.monotonic() >= until:
                raise Busy(f"{path} is locked") from error
        time.sleep(0.002)


def _check_link(settings: Settings, reason: str) -> None:
    """Refused for what a link leads to: it may be anything of the user's, which is no cache that was damaged."""
    link = settings.link or (settings.path if os.path.islink(settings.path) else "")
    if link:
        raise Refused(
            f"{link} is a link to {os.path.realpath(link)}, which is no cache ({reason}) and stays where it is; remove "
            "the link, or set heavenbase.llm.cache.path to a file that does not exist"
        )


def _move_aside(settings: Settings, reason: str) -> str:
    _check_link(settings, reason)
    target = files.move_aside(settings.path, settings.clock())
    schema.create(settings.path)
    return (
        f"the response cache {settings.path} was damaged ({reason}); it is now {target} and a fresh one takes its place"
    )
