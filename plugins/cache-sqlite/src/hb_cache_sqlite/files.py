"""The files of the cache: who may read them, where they may lie, and how a damaged set is moved aside."""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hb_cache_sqlite.failures import Busy

if TYPE_CHECKING:
    from collections.abc import Iterator

SIDES = ("-wal", "-shm")
KEPT_DAMAGED = 3
NETWORK = frozenset(
    {"afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.ceph", "fuse.davfs2", "fuse.glusterfs"}
    | {"fuse.gcsfuse", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs"}
    | {"nfs", "nfs4", "ocfs2", "orangefs", "smb3", "smbfs"}
)
"""Types of file systems on which the locks or the shared memory of SQLite cannot be relied on."""


def make_folder(folder: str) -> None:
    """Make a folder and its missing parents, each for its owner only. Raises OSError."""
    missing = []
    while not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for path in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)


def make_private(path: str) -> None:
    """Make an empty file that only its owner may read. Raises FileExistsError and other OSErrors."""
    # Exclusive, because opening and closing a file that SQLite has open drops the locks of this whole process on it.
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def restrict(path: str) -> None:
    """Take the file and those beside it from everybody but their owner. Raises OSError."""
    for name in (path, *(path + side for side in SIDES)):
        with contextlib.suppress(FileNotFoundError):
            if os.stat(name).st_mode & 0o077:
                os.chmod(name, 0o600)


def flush(path: str) -> None:
    """Wait until the disk holds a file. Not for the database: closing it would drop its locks. Raises OSError."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def identity(path: str) -> tuple[int, int] | None:
    """What tells this file from another that takes its place; None when it is missing."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def remove(*paths: str) -> None:
    """Delete the files that exist. Raises OSError."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def network_file_system(path: str, mounts: str = "/proc/mounts") -> str | None:
    """The type of the network file system that holds a path; None when there is none, or the system does not tell."""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as lines:
            rows = [line.split(" ") for line in lines]
    except OSError:
        return None
    best, kind = "", ""
    for row in rows:
        if len(row) < 3:
            continue
        point = row[1]
        for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
            point = point.replace(code, character)
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, row[2]
    return kind if kind in NETWORK else None


@contextlib.contextmanager
def exclusive(path: str, timeout: float) -> Iterator[None]:
    """Hold the lock file beside a cache file: no other process opens, makes, moves or removes it meanwhile.

    Raises Busy when it is not free within `timeout` seconds, OSError when it cannot be made.
    """
    from filelock import FileLock, Timeout  # on use: it takes longer to load than this plugin

    lock = FileLock(path + ".lock", timeout=timeout, mode=0o600, poll_interval=0.002)
    try:
        lock.acquire()
    except Timeout:
        raise Busy(f"another process is opening {path}") from None
    try:
        yield
    finally:
        lock.release()


def damaged_copies(path: str) -> list[str]:
    """The sets of files moved aside so far, oldest first, by the name of their database file."""
    folder, name = os.path.split(path)
    names = (entry for entry in os.listdir(folder) if entry.startswith(f"{name}.corrupt-"))
    return sorted(os.path.join(folder, entry) for entry in names if not entry.endswith(SIDES))


def move_aside(path: str, now: float) -> str:
    """Rename a damaged file and those beside it to `<path>.corrupt-<time>`; the new name. Keeps the last three.

    Call it with the lock held and all connections of this process closed. Raises OSError.
    """
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    target, count = f"{path}.corrupt-{stamp}", 1
    while os.path.lexists(target):
        count += 1
        target = f"{path}.corrupt-{stamp}-{count}"
    restrict(path)
    # The log goes first: one left behind would be replayed into the fresh file.
    for side in (*SIDES, ""):
        with contextlib.suppress(FileNotFoundError):
            os.replace(path + side, target + side)
    for old in damaged_copies(path)[:-KEPT_DAMAGED]:
        remove(*(old + side for side in ("", *SIDES)))
    return target


def remove_all(path: str) -> None:
    """Delete the file, those beside it, and every set moved aside. Same conditions as `move_aside`."""
    for name in (path, path + ".new", *damaged_copies(path)):
        remove(*(name + side for side in (*SIDES, "-journal", "")))
