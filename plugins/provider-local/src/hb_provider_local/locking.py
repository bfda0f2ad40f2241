"""A lock on a folder between processes; the operating system frees it when its holder dies."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOCK_FILE = ".pull.lock"


@contextmanager
def folder_lock(folder: Path, waiting: Callable[[], None], poll: float = 0.05) -> Iterator[bool]:
    """Hold the folder's lock; `waiting` is called every `poll` seconds while another holds it.

    Yields False where the file system knows no locks: then nobody is kept out.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK_FILE, timeout=poll, mode=0o600, poll_interval=poll)
    while not lock.is_locked:
        try:
            lock.acquire()
        except Timeout:
            waiting()
        except (OSError, NotImplementedError):
            break
    try:
        yield lock.is_locked
    finally:
        lock.release()
