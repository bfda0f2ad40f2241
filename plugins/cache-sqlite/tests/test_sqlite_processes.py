"""Fault rows C3 and K3: several processes, some killed, and forks."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from hb_cache_sqlite import SQLiteCache, database
from hb_cache_sqlite.store import SQLiteStore
from hb_testing.caches import cache_key

WORKER = str(Path(__file__).with_name("cache_worker.py"))
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")


def start(path: Path, seed: int, calls: int) -> subprocess.Popen[str]:
    command = [sys.executable, WORKER, str(path), str(seed), str(calls)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def output(process: subprocess.Popen[str]) -> list[str]:
    out, errors = process.communicate(timeout=30)
    assert errors == ""
    return out.splitlines()


def integrity(path: Path) -> str:
    with closing(sqlite3.connect(path)) as raw:
        return str(raw.execute("PRAGMA integrity_check").fetchone()[0])


def test_processes_share_a_file_while_writers_are_killed(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    steady = [start(path, seed, 2500) for seed in (1, 2)]
    for seed in (3, 4):
        victim = start(path, seed, 10**9)
        assert victim.stdout is not None
        assert victim.stdout.readline() == "ready\n"
        time.sleep(0.03)
        victim.kill()
        assert "wrong" not in "".join(victim.communicate(timeout=30))
    for process in steady:
        assert output(process) == ["ready", "locked 0 failed 0 damaged 0"]
    assert integrity(path) == "ok"
    assert not [name for name in os.listdir(tmp_path) if ".corrupt-" in name]
    with closing(sqlite3.connect(path)) as raw:
        counted = raw.execute("SELECT count(*), sum(size), sum(length(value)) FROM entries").fetchone()
        assert raw.execute("SELECT entries, bytes FROM namespaces").fetchone() == counted[:2]
        assert counted[1] == counted[2]
        assert 0 < counted[0] <= 900


def test_processes_that_start_at_once_make_one_file(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    for process in [start(path, 1, 50) for _ in range(3)]:
        assert output(process) == ["ready", "locked 0 failed 0 damaged 0"]
    with closing(SQLiteCache().open({"path": str(path), "busy_timeout_ms": 5000})) as store:
        assert store.stats()["text"]["entries"] > 20
    assert sorted(os.listdir(tmp_path)) == ["cache.db", "cache.db.lock"]


# Forks


def forked(work: Callable[[], bool]) -> int:
    """The exit code of a child that does the work: 0 when it answers True."""
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def store(tmp_path: Path) -> SQLiteStore:
    return SQLiteCache().open({"path": str(tmp_path / "cache.db"), "busy_timeout_ms": 5000})


@needs_fork
def test_a_child_opens_the_file_for_itself_and_shares_the_entries(store: SQLiteStore) -> None:
    store.set("text", cache_key("parent"), b"parent")

    def work() -> bool:
        inherited = store._database.reader is not None
        found = store.get("text", cache_key("parent"))
        store.set("text", cache_key("child"), b"child")
        store.close()
        return not inherited and found == b"parent"

    assert forked(work) == 0
    assert store.get("text", cache_key("child")) == b"child"
    store.set("text", cache_key("parent"), b"again")
    assert store.get("text", cache_key("parent")) == b"again"
    store.close()
    assert integrity(Path(store.path)) == "ok"


@needs_fork
def test_parent_and_child_write_at_the_same_time(store: SQLiteStore) -> None:
    def write(name: str) -> bool:
        for number in range(200):
            store.set("text", cache_key((name, number)), name.encode())
        return all(store.get("text", cache_key((name, number))) == name.encode() for number in range(200))

    store.set("text", cache_key("before"), b"x")
    child = os.fork()
    if not child:
        os._exit(0 if write("child") else 1)
    assert write("parent")
    # A child that ends without closing its handle leaves the file to the others.
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.stats()["text"]["entries"] == 401
    store.close()
    assert integrity(Path(store.path)) == "ok"


@needs_fork
def test_forking_while_other_threads_use_the_store_harms_neither(store: SQLiteStore) -> None:
    stop = threading.Event()
    failures: list[BaseException] = []

    def hammer() -> None:
        try:
            while not stop.is_set():
                store.set("text", cache_key("busy"), b"busy")
                assert store.get("text", cache_key("busy")) == b"busy"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=hammer) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            assert forked(lambda: store.get("text", cache_key("busy")) in (b"busy", None)) == 0
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    store.close()
    assert integrity(Path(store.path)) == "ok"


@needs_fork
def test_a_child_that_inherited_an_open_file_leaves_it_alone(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "THREAD_WAIT", 0.01)
    store.set("text", cache_key(1), b"one")
    with store._database.write_lock:  # as if another thread were in the middle of a long write
        code = forked(lambda: store.get("text", cache_key(1)) is None and store.stats()["text"]["failed"] == 0)
    assert code == 0
    assert store.get("text", cache_key(1)) == b"one"
    store.close()
