"""A lock on a folder between processes; the operating system frees it when its holder dies."""

from __future__ import annotations

import errno
import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOCK_FILE = ".pull.lock"
_BUSY = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}


@contextmanager
def folder_lock(folder: Path, waiting: Callable[[], None], poll: float = 0.05) -> Iterator[bool]:
    """Hold the folder's lock; `waiting` is called every `poll` seconds while another holds it.

    Yields False where the file system knows no locks: then nobody is kept out.
    """
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        held = False
        while not held:
            try:
                _try_lock(descriptor)
                held = True
            except OSError as error:
                if error.errno not in _BUSY:
                    break
                waiting()
                time.sleep(poll)
        yield held
    finally:
        # Closing the descriptor frees the lock; the file stays, for deleting it would let two holders in.
        os.close(descriptor)


def _try_lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
