"""What keeps the file small and fast: no write per hit, short transactions, a bounded log, nothing that scans."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hb_cache_sqlite import SQLiteCache, housekeeping, rows, schema
from hb_cache_sqlite.store import SQLiteStore
from hb_testing.caches import ManualClock, cache_key
from heavenbase.errors import CacheWarning


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


def open_store(path: Path, clock: ManualClock, **limits: int) -> SQLiteStore:
    return SQLiteCache().open({"path": str(path), "clock": clock, "namespaces": {"text": limits}})


def query(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as raw:
        return raw.execute(sql).fetchall()


def changes(path: Path) -> Callable[[], bool]:
    """Whether another connection has written since the last call."""
    raw = sqlite3.connect(path)
    last = raw.execute("PRAGMA data_version").fetchone()

    def changed() -> bool:
        nonlocal last
        now = raw.execute("PRAGMA data_version").fetchone()
        last, differs = now, now != last
        return bool(differs)

    return changed


def log_size(path: Path) -> int:
    return os.path.getsize(f"{path}-wal")


# Use


def test_hits_write_nothing(path: Path, clock: ManualClock) -> None:
    with closing(open_store(path, clock)) as store:
        for number in range(50):
            store.set("text", cache_key(number), b"x")
        changed = changes(path)
        for _ in range(20):
            for number in range(50):
                clock.advance(1)
                assert store.get("text", cache_key(number)) == b"x"
        assert not changed()
        store.set("text", cache_key(0), b"y")
        assert changed()


def test_use_is_remembered_when_the_store_closes(path: Path, clock: ManualClock) -> None:
    with closing(open_store(path, clock)) as store:
        for name in "abc":
            store.set("text", cache_key(name), b"x")
    with closing(open_store(path, clock)) as store:
        clock.advance(1)
        store.get("text", cache_key("a"))
    with closing(open_store(path, clock, max_entries=3)) as store:
        store.set("text", cache_key("d"), b"x")
        assert [name for name in "abcd" if store.get("text", cache_key(name))] == ["a", "c", "d"]


def test_use_by_one_process_is_in_time_known_to_another(path: Path, clock: ManualClock) -> None:
    with closing(open_store(path, clock)) as one, closing(open_store(path, clock, max_entries=100)) as other:
        for number in range(70):
            one.set("text", cache_key(number), b"x")
        one.get("text", cache_key(0))
        for number in range(100, 100 + housekeeping.SWEEP_EVERY):
            one.set("image", cache_key(number), b"x")
        for number in range(200, 240):
            other.set("text", cache_key(number), b"x")
        assert other.get("text", cache_key(0)) == b"x"
        assert other.get("text", cache_key(1)) is None


def test_remembered_uses_are_bounded(path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hb_cache_sqlite.store.USED_LIMIT", 20)
    with closing(open_store(path, clock)) as store:
        for number in range(60):
            store.set("text", cache_key(number), b"x")
        for number in range(60):
            store.get("text", cache_key(number))
        assert len(store._housekeeping.used) == 20


# Short transactions


def test_one_transaction_deletes_a_bounded_number_of_rows_and_bytes(path: Path, clock: ManualClock) -> None:
    with closing(open_store(path, clock)) as store:
        space = rows.namespace_id("text")
        for number in range(150):
            store.set("text", cache_key(number), b"x", ttl=1)
        for number in range(8):
            store.set("image", cache_key(number), bytes(400_000), ttl=1)
    clock.advance(2)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        now = int(clock() * 1e6)
        assert rows.sweep(raw, now) == rows.STEP_ROWS
        assert rows.drop_some(raw, space) == rows.STEP_ROWS
        assert rows.drop_some(raw, space) == 150 - 2 * rows.STEP_ROWS
        assert rows.sweep(raw, now) == 3, "three values are more than 1 MiB"


def test_limits_that_were_lowered_are_reached_step_by_step(path: Path, clock: ManualClock) -> None:
    with closing(open_store(path, clock)) as store:
        for number in range(1000):
            store.set("text", cache_key(number), b"x")
    with closing(open_store(path, clock, max_entries=5)) as store:
        store.set("text", cache_key("first"), b"x")
        left = store.stats()["text"]["entries"]
        assert left == 1001 - rows.STEP_ROWS * (1 + housekeeping.STEPS)
        for number in range(4):
            store.set("text", cache_key(("more", number)), b"x")
        assert store.stats()["text"]["entries"] == 5
        assert store.stats()["text"]["evicted"] == 1000


def test_sweeping_deletes_all_that_expired(path: Path, clock: ManualClock) -> None:
    with closing(open_store(path, clock)) as store:
        for number in range(300):
            store.set("text", cache_key(number), b"x", ttl=number + 1)
        clock.advance(200)
        assert store.sweep() == 200
        assert store.sweep() == 0
        assert store.stats()["text"]["entries"] == 100


def test_expired_entries_go_with_the_first_write_after_a_pause(path: Path, clock: ManualClock) -> None:
    with closing(open_store(path, clock)) as store:
        for number in range(300):
            store.set("text", cache_key(number), b"x", ttl=1)
    clock.advance(3600)
    with closing(open_store(path, clock)) as store:
        store.set("text", cache_key("new"), b"x")
        assert store.stats()["text"]["entries"] == 301 - rows.STEP_ROWS * housekeeping.STEPS
        store.set("text", cache_key("new"), b"x")
        assert store.stats()["text"]["entries"] == 1


def test_a_value_beyond_what_sqlite_takes_is_not_stored(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hb_cache_sqlite.store.LARGEST_VALUE", 1000)
    with closing(open_store(path, clock)) as store:
        store.set("text", cache_key(1), bytes(1000))
        store.set("text", cache_key(2), bytes(1001))
        assert store.get("text", cache_key(1)) == bytes(1000)
        assert store.get("text", cache_key(2)) is None


# The log


def test_the_log_is_emptied_again_and_again(path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "CHECKPOINT_BYTES", 400_000)
    with closing(open_store(path, clock)) as store:
        largest = 0
        for number in range(120):
            store.set("text", cache_key(number), bytes(3000))
            largest = max(largest, log_size(path))
        assert 50_000 < largest < 1_000_000
        assert os.path.getsize(path) > 120 * 3000


def test_a_foreign_reader_cannot_make_the_log_grow_for_ever(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "CHECKPOINT_BYTES", 200_000)
    monkeypatch.setattr(housekeeping, "CHECKPOINT_AGAIN", 100_000)
    monkeypatch.setattr(housekeeping, "LOG_LIMIT", 600_000)
    with closing(open_store(path, clock)) as store:
        store.set("text", cache_key("first"), b"x")
        store.set("image", cache_key("first"), b"x")
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM entries").fetchone()
            with pytest.warns(CacheWarning, match="another program keeps reading"):
                store_many(store, 120)
            assert log_size(path) < 1_000_000
            assert store.get("text", cache_key("first")) == b"x"
            assert store.stats()["text"]["failed"] > 0
        store.set("text", cache_key("after"), b"x")
        assert store.get("text", cache_key("after")) == b"x"
        assert store.clear("text") > 0
        assert log_size(path) < 100_000


def store_many(store: SQLiteStore, count: int) -> None:
    for number in range(count):
        store.set("text", cache_key(number), bytes(3000))


def test_the_log_is_never_copied_while_another_process_could_restart_it(path: Path, clock: ManualClock) -> None:
    with closing(open_store(path, clock)) as store:
        store.set("text", cache_key(1), b"x")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            assert other.execute("PRAGMA wal_autocheckpoint").fetchone() == (1000,)
            other.execute("BEGIN IMMEDIATE")
            store._housekeeping._checkpoint_at = 0
            store._housekeeping.run()
            assert store._housekeeping._pending > 0, "not emptied without the write lock"
        store._housekeeping._checkpoint_at = 0
        store._housekeeping.run()
        assert store._housekeeping._pending == 0


# The event loop


@pytest.fixture
def threads_used(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the methods that ran outside of the event loop's thread."""
    used: list[str] = []
    original = housekeeping.Housekeeping.run

    def run(self: housekeeping.Housekeeping) -> None:
        if threading.current_thread() is not threading.main_thread():
            used.append("run")
        original(self)

    monkeypatch.setattr(housekeeping.Housekeeping, "run", run)
    return used


def test_async_calls_use_the_file_at_once_and_leave_cleaning_to_threads(
    path: Path, clock: ManualClock, threads_used: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "CHECKPOINT_BYTES", 1 << 40)
    with closing(open_store(path, clock)) as store:

        async def main() -> None:
            assert await store.aget("text", cache_key(0)) is None
            for number in range(housekeeping.SWEEP_EVERY * 3):
                stored = store.aset("text", cache_key(number), b"x")
                if store._housekeeping._writes < housekeeping.SWEEP_EVERY - 1:
                    # Nothing is due, so it ends without ever giving way to the loop.
                    with pytest.raises(StopIteration):
                        stored.send(None)
                else:
                    await stored
            found = store.aget("text", cache_key(1))
            with pytest.raises(StopIteration) as ended:
                found.send(None)
            assert ended.value.value == b"x"

        asyncio.run(main())
        assert 2 <= len(threads_used) <= 4


# No scans


@pytest.mark.parametrize(
    "sql",
    [
        rows.GET,
        "SELECT id, namespace, size FROM entries WHERE expires <= 1 ORDER BY expires LIMIT 64",
        "SELECT id, size, accessed FROM entries WHERE namespace = 1 ORDER BY accessed LIMIT 64",
        "SELECT id, namespace, size FROM entries WHERE namespace = 1 LIMIT 64",
        "SELECT id FROM entries WHERE namespace = 1 AND (accessed, id) < (5, 5) ORDER BY accessed DESC, id DESC",
    ],
)
def test_every_statement_finds_its_rows_by_an_index(path: Path, clock: ManualClock, sql: str) -> None:
    with closing(open_store(path, clock)) as store:
        store.set("text", cache_key(1), b"x", ttl=1)
    parameters = sql.count("?")
    with closing(sqlite3.connect(path)) as raw:
        plan = " ".join(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {sql}", (1,) * parameters))
    assert "USING" in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan


def test_counts_are_kept_with_the_entries(path: Path, clock: ManualClock) -> None:
    with closing(open_store(path, clock, max_entries=50, max_bytes=3000)) as store:
        for number in range(200):
            store.set("text", cache_key(number % 90), bytes(number), ttl=1 + number % 7)
            if not number % 3:
                clock.advance(1)
                store.delete("text", cache_key((number * 5) % 90))
        assert query(path, "SELECT entries, bytes FROM namespaces") == query(
            path, "SELECT count(*), sum(size) FROM entries"
        )
        stats = store.stats()["text"]
        assert stats["stored"] == 200
        assert stats["evicted"] > 0


def test_the_file_is_made_with_the_layout_that_was_measured(path: Path, clock: ManualClock) -> None:
    with closing(open_store(path, clock)) as store:
        store.set("text", cache_key(1), b"x")
    assert query(path, "PRAGMA page_size") == [(schema.PAGE_SIZE,)]
    assert query(path, "PRAGMA auto_vacuum") == [(2,)]
    assert query(path, "PRAGMA journal_mode") == [("wal",)]
    assert query(path, "PRAGMA user_version") == [(schema.VERSION,)]
