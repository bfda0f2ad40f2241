"""Fault row C2: a file that is locked, full, read-only, missing or another's costs a call nothing but its cache."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hb_cache_sqlite import SQLiteCache, files
from hb_cache_sqlite.store import SQLiteStore
from hb_testing.caches import ManualClock, cache_key
from heavenbase.errors import CacheError, CacheWarning

NOBODY = 65534


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def open_store(path: Path, clock: ManualClock, busy_timeout_ms: float = 1000) -> SQLiteStore:
    options = {"busy_timeout_ms": busy_timeout_ms}
    return SQLiteCache().open({"path": str(path), "clock": clock, "options": options})


def use(store: SQLiteStore) -> bytes | None:
    """One call's worth of the cache."""
    found = store.get("text", cache_key("call"))
    store.set("text", cache_key("call"), b"answer")
    return found


async def ause(store: SQLiteStore) -> bytes | None:
    found = await store.aget("text", cache_key("call"))
    await store.aset("text", cache_key("call"), b"answer")
    return found


def use_in_loop(store: SQLiteStore) -> bytes | None:
    return asyncio.run(ause(store))


BOTH_COLOURS = pytest.mark.parametrize("use", [use, use_in_loop], ids=["sync", "async"])
Use = Callable[[SQLiteStore], "bytes | None"]


def told(store: SQLiteStore, use: Use) -> list[str]:
    """The warnings of one use, which finds nothing."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert use(store) is None
    assert all(warning.category is CacheWarning for warning in caught)
    return [str(warning.message) for warning in caught]


def check_failing(store: SQLiteStore, clock: ManualClock, use: Use, match: str, count: str = "failed") -> None:
    """A use is a miss that stores nothing, told once a minute and counted."""
    (message,) = told(store, use)
    assert match in message
    assert "calls go on without the cache" in message
    assert told(store, use) == []
    assert store.stats()["text"][count] >= 2
    clock.advance(59)
    assert told(store, use) == []
    clock.advance(1)
    (message,) = told(store, use)
    assert match in message


@contextmanager
def locked(path: Path, how: str = "BEGIN IMMEDIATE") -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        if how == "everything":
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            how = "BEGIN EXCLUSIVE"
        connection.execute(how)
        yield connection


# Locks


@BOTH_COLOURS
def test_a_file_that_stays_locked_for_writing_is_read_and_not_written(
    tmp_path: Path, clock: ManualClock, use: Use
) -> None:
    path = tmp_path / "cache.db"
    with closing(open_store(path, clock, busy_timeout_ms=20)) as store:
        store.set("text", cache_key("before"), b"before")
        with locked(path):
            started = time.monotonic()
            check_failing(store, clock, use, "stayed locked for 20 ms", "locked")
            assert store.get("text", cache_key("before")) == b"before"
            assert time.monotonic() - started < 2
        use(store)
        assert use(store) == b"answer"


def test_a_file_locked_for_everything_is_a_miss(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "cache.db"
    with closing(open_store(path, clock, busy_timeout_ms=20)) as store:
        use(store)
    with closing(open_store(path, clock, busy_timeout_ms=20)) as store:
        with locked(path, "everything"):
            (message,) = told(store, use)
            assert "locked" in message
        clock.advance(5)
        assert use(store) == b"answer"


def test_a_lock_that_is_soon_released_is_waited_for(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "cache.db"
    with closing(open_store(path, clock, busy_timeout_ms=5000)) as store:
        store.get("text", cache_key(1))

        async def main() -> None:
            with locked(path) as holder:
                storing = asyncio.create_task(store.aset("text", cache_key(1), b"one"))
                await asyncio.sleep(0.01)
                assert not storing.done()
                # The loop runs while the store waits: were it blocked, nobody could release the lock.
                holder.execute("ROLLBACK")
                await storing

        asyncio.run(main())
        assert store.get("text", cache_key(1)) == b"one"


def test_another_process_opening_the_file_is_waited_for_in_a_thread(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "cache.db"
    with closing(open_store(path, clock, busy_timeout_ms=5000)) as store:

        async def main() -> bytes | None:
            with files.exclusive(str(path), 1):
                reading = asyncio.create_task(store.aget("text", cache_key(1)))
                await asyncio.sleep(0.01)
                assert not reading.done()
            return await reading

        assert asyncio.run(main()) is None
        assert store.stats()["text"]["locked"] == 0


# Room


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB, where this user may make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() or not shutil.which("mount") or subprocess.run(mount).returncode:
        pytest.skip("needs the right to mount a small file system: sudo pytest plugins/cache-sqlite -k disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@BOTH_COLOURS
def test_a_full_disk_is_read_and_not_written(tiny_disk: Path, clock: ManualClock, use: Use) -> None:
    with closing(open_store(tiny_disk / "cache.db", clock)) as store:
        store.set("text", cache_key("before"), b"before")
        (tiny_disk / "other").write_bytes(bytes(os.statvfs(tiny_disk).f_bavail * os.statvfs(tiny_disk).f_frsize))
        check_failing(store, clock, use, "cannot be used: database or disk is full")
        assert store.get("text", cache_key("before")) == b"before"
        (tiny_disk / "other").unlink()
        clock.advance(5)
        use(store)
        assert use(store) == b"answer"


def test_a_disk_too_full_to_make_the_file_is_a_miss(tiny_disk: Path, clock: ManualClock) -> None:
    (tiny_disk / "other").write_bytes(bytes(os.statvfs(tiny_disk).f_bavail * os.statvfs(tiny_disk).f_frsize))
    with closing(open_store(tiny_disk / "cache.db", clock)) as store:
        check_failing(store, clock, use, "cache.db cannot be used")
        (tiny_disk / "other").unlink()
        clock.advance(5)
        use(store)
        assert use(store) == b"answer"


LIMITED = """
import resource, signal, sys, warnings
from hb_cache_sqlite import SQLiteCache
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
warnings.simplefilter("ignore")
store = SQLiteCache().open({"path": sys.argv[1]})
store.set("text", bytes(32), b"before")
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
store.set("text", b"k" * 32, bytes(500_000))
assert store.get("text", b"k" * 32) is None
assert store.stats()["text"]["failed"] >= 1, store.stats()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file sizes")
def test_a_file_that_may_not_grow_is_not_written(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "cache.db"
    subprocess.run([sys.executable, "-c", LIMITED, str(path)], check=True, timeout=30)
    with closing(open_store(path, clock)) as store:
        assert store.get("text", bytes(32)) == b"before"
        store.set("text", b"k" * 32, bytes(500_000))
        assert store.get("text", b"k" * 32) == bytes(500_000)


# Permissions and places


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder, seen by a user whom permissions bind."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if os.geteuid():
            yield folder
        else:
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
            try:
                yield folder
            finally:
                os.seteuid(0)
        folder.chmod(0o700)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
@BOTH_COLOURS
def test_a_folder_that_may_not_be_written_is_a_miss(unprivileged: Path, clock: ManualClock, use: Use) -> None:
    unprivileged.chmod(0o500)
    with closing(open_store(unprivileged / "cache.db", clock)) as store:
        check_failing(store, clock, use, "Permission denied")
        unprivileged.chmod(0o700)
        clock.advance(5)
        use(store)
        assert use(store) == b"answer"


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_a_file_that_may_not_be_written_is_a_miss(unprivileged: Path, clock: ManualClock) -> None:
    path = unprivileged / "cache.db"
    with closing(open_store(path, clock)) as store:
        store.set("text", cache_key("call"), b"old")
    path.chmod(0o400)
    with closing(open_store(path, clock)) as store, warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        use(store)
        path.chmod(0o600)
        clock.advance(5)
        assert use(store) in (b"old", b"answer")


@BOTH_COLOURS
def test_a_folder_that_cannot_be_made_is_a_miss(tmp_path: Path, clock: ManualClock, use: Use) -> None:
    (tmp_path / "file").write_text("in the way")
    with closing(open_store(tmp_path / "file" / "llm" / "cache.db", clock)) as store:
        check_failing(store, clock, use, "Not a directory")
        assert (tmp_path / "file").read_text() == "in the way"


def test_a_folder_in_the_place_of_the_file_is_a_miss(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "cache.db").mkdir()
    with closing(open_store(tmp_path / "cache.db", clock)) as store:
        check_failing(store, clock, use, "cannot be used")


def test_a_folder_removed_while_open_is_made_again(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "llm" / "cache.db"
    with closing(open_store(path, clock)) as store:
        use(store)
        for name in os.listdir(path.parent):
            (path.parent / name).unlink()
        path.parent.rmdir()
        use(store)
        assert use(store) == b"answer"
        assert path.exists()


def test_a_failing_file_is_not_tried_again_before_five_seconds(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "file").write_text("in the way")
    with closing(open_store(tmp_path / "file" / "cache.db", clock)) as store:
        with pytest.warns(CacheWarning):
            use(store)
        (tmp_path / "file").unlink()
        clock.advance(4.9)
        assert use(store) is None
        assert not (tmp_path / "file").exists()
        clock.advance(0.1)
        use(store)
        assert use(store) == b"answer"


def test_a_clock_set_back_does_not_keep_the_cache_off(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "file").write_text("in the way")
    with closing(open_store(tmp_path / "file" / "cache.db", clock)) as store:
        with pytest.warns(CacheWarning):
            use(store)
        (tmp_path / "file").unlink()
        clock.advance(-3600)
        use(store)
        assert use(store) == b"answer"


# Other people's files


@pytest.mark.parametrize("journal", ["WAL", "DELETE"])
def test_the_database_of_another_program_is_refused_and_left_alone(
    tmp_path: Path, clock: ManualClock, journal: str
) -> None:
    path = tmp_path / "cache.db"
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(f"PRAGMA journal_mode = {journal}")
        raw.execute("CREATE TABLE letters (text)")
        raw.execute("INSERT INTO letters VALUES ('dear reader')")
    path.chmod(0o644)
    with closing(open_store(path, clock)) as store:
        check_failing(store, clock, use, "database of another program; set heavenbase.llm.cache.path")
        for ask in (store.purge, store.clear, store.entries, store.sweep):
            with pytest.raises(CacheError, match="another program"):
                ask()
    assert path.stat().st_mode & 0o777 == 0o644
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT text FROM letters").fetchall() == [("dear reader",)]
        assert raw.execute("PRAGMA journal_mode").fetchone()[0].upper() == journal


def test_a_network_file_system_is_refused_unless_allowed(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "network_file_system", lambda path: "nfs4")
    path = tmp_path / "cache.db"
    with closing(open_store(path, clock)) as store:
        check_failing(store, clock, use, "network file system (nfs4); set heavenbase.llm.cache.path")
    assert os.listdir(tmp_path) == []
    allowed = SQLiteCache().open({"path": str(path), "options": {"allow_network_file_system": True}})
    with closing(allowed) as store:
        use(store)
        assert use(store) == b"answer"


MOUNTS = """\
/dev/vda / ext4 rw,relatime 0 0
tmpfs /home tmpfs rw 0 0
server:/export /home/ann/my\\040files nfs4 rw 0 0
//box/share /mnt/share cifs rw 0 0
/dev/vdb /mnt/share/local ext4 rw 0 0
sshfs /mnt/ssh fuse.sshfs rw 0 0
odd
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/ann/cache.db", None),
        ("/home/ann/my files/cache.db", "nfs4"),
        ("/home/ann/my filesystem/cache.db", None),
        ("/mnt/share/llm/cache.db", "cifs"),
        ("/mnt/share/local/cache.db", None),
        ("/mnt/ssh/cache.db", "fuse.sshfs"),
        ("/cache.db", None),
    ],
)
def test_the_file_system_is_that_of_the_innermost_mount(tmp_path: Path, path: str, kind: str | None) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    assert files.network_file_system(path, str(mounts)) == kind
    assert files.network_file_system(path, str(tmp_path / "none")) is None


# After closing


@BOTH_COLOURS
def test_a_closed_store_answers_nothing_and_says_nothing(tmp_path: Path, clock: ManualClock, use: Use) -> None:
    store = open_store(tmp_path / "cache.db", clock)
    use(store)
    store.close()
    assert told(store, use) == []
    assert store.stats()["text"]["failed"] == 0


def test_the_backend_closes_the_stores_that_it_opened(tmp_path: Path, clock: ManualClock) -> None:
    backend = SQLiteCache()
    store = backend.open({"path": str(tmp_path / "cache.db"), "clock": clock})
    use(store)
    assert len(os.listdir(tmp_path)) == 4, "the log is open"
    backend.close()
    assert sorted(os.listdir(tmp_path)) == ["cache.db", "cache.db.lock"]
