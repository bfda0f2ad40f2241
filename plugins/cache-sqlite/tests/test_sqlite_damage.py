"""Fault row C1: a damaged file is a miss, moved aside, replaced and told once."""

from __future__ import annotations

import os
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hb_cache_sqlite import SQLiteCache, schema
from hb_cache_sqlite.store import SQLiteStore
from hb_testing.caches import ManualClock, cache_key
from heavenbase.errors import CacheError, CacheWarning

VALUE = b"what the model said " * 100
COUNT = 60
STAMP = "20250615T150640Z"  # the clock's first second


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def path(tmp_path: Path, clock: ManualClock) -> Path:
    """A closed cache file with COUNT entries."""
    path = tmp_path / "cache.db"
    with closing(open_store(path, clock)) as store:
        fill(store)
    assert sorted(os.listdir(tmp_path)) == ["cache.db", "cache.db.lock"]
    return path


@pytest.fixture
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        yield


def open_store(path: Path, clock: ManualClock) -> SQLiteStore:
    return SQLiteCache().open({"path": str(path), "clock": clock})


def fill(store: SQLiteStore) -> None:
    for number in range(COUNT):
        store.set("text", cache_key(number), VALUE)


def read_all(store: SQLiteStore) -> int:
    """How many entries are found; each found one is right."""
    found = [store.get("text", cache_key(number)) for number in range(COUNT)]
    assert {value for value in found if value is not None} <= {VALUE}
    return sum(value is not None for value in found)


def read_and_fill(store: SQLiteStore) -> int:
    """How many entries were found before all were stored again."""
    found = read_all(store)
    fill(store)
    return found


def overwrite(path: Path, start: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)


def garbage_header(path: Path) -> None:
    overwrite(path, 0, b"\xa5" * 200)


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def zero_length(path: Path) -> None:
    os.truncate(path, 0)


def text_file(path: Path) -> None:
    path.write_text("these are not the entries you are looking for\n" * 300)


def garbage_roots(path: Path) -> None:
    """Garbage in the pages where the tables and indexes begin."""
    for page in range(2, 9):
        overwrite(path, (page - 1) * schema.PAGE_SIZE, os.urandom(schema.PAGE_SIZE))


def zeroed_pages(path: Path) -> None:
    size = path.stat().st_size
    overwrite(path, schema.PAGE_SIZE, bytes(size - schema.PAGE_SIZE))


DAMAGES = [garbage_header, cut_in_half, zero_length, text_file, garbage_roots, zeroed_pages]


def corrupt_names(path: Path) -> list[str]:
    return sorted(name for name in os.listdir(path.parent) if ".corrupt-" in name)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_damaged_at_rest_is_moved_aside_and_replaced_with_one_warning(
    path: Path, clock: ManualClock, damage: Callable[[Path], None]
) -> None:
    damage(path)
    with closing(open_store(path, clock)) as store:
        with pytest.warns(CacheWarning, match="damaged") as told:
            read_and_fill(store)
        assert len(told) == 1
        assert f"cache.db.corrupt-{STAMP}" in str(told[0].message)
        assert read_all(store) == COUNT
        assert corrupt_names(path)[0] == f"cache.db.corrupt-{STAMP}"
        assert store.stats()["text"]["damaged"] >= 1
    assert integrity(path) == "ok"


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_damaged_while_open_never_gives_a_wrong_value(
    path: Path, clock: ManualClock, quiet: None, damage: Callable[[Path], None]
) -> None:
    with closing(open_store(path, clock)) as store:
        assert store.get("text", cache_key(0)) == VALUE
        damage(path)
        store._database.reader.execute("PRAGMA cache_size = 0")  # type: ignore[union-attr]
        read_all(store)
        fill(store)
        read_all(store)
    with closing(open_store(path, clock)) as store:
        fill(store)
        assert read_all(store) == COUNT


def test_a_garbage_page_found_while_open_is_moved_aside_and_replaced(path: Path, clock: ManualClock) -> None:
    with closing(open_store(path, clock)) as store:
        assert store.get("text", cache_key(0)) == VALUE
        garbage_roots(path)
        with closing(open_store(path, clock)) as other, pytest.warns(CacheWarning, match="damaged"):
            assert read_and_fill(other) == 0
        assert corrupt_names(path)[0] == f"cache.db.corrupt-{STAMP}"
        # The first store still has the old file open; it notices with its next write.
        store.set("text", cache_key("new"), b"new")
        assert read_all(store) == COUNT


def test_a_garbage_page_that_the_first_read_meets_is_moved_aside_and_replaced(path: Path, clock: ManualClock) -> None:
    with closing(sqlite3.connect(path)) as raw:
        (size,) = raw.execute("PRAGMA page_size").fetchone()
    data = bytearray(path.read_bytes())
    for place in {data.index(VALUE), data.rindex(VALUE)}:
        start = place // size * size
        data[start : start + size] = b"\x5a" * size
    path.write_bytes(data)
    with closing(open_store(path, clock)) as store:
        with pytest.warns(CacheWarning, match="damaged"):
            assert read_and_fill(store) < COUNT
        assert read_all(store) == COUNT
    assert corrupt_names(path)[0] == f"cache.db.corrupt-{STAMP}"


def test_every_flipped_bit_of_a_value_is_detected_and_costs_one_entry(path: Path, clock: ManualClock) -> None:
    data = path.read_bytes()
    at = data.index(VALUE)
    overwrite(path, at + 777, bytes([data[at + 777] ^ 4]))
    assert integrity(path) == "ok", "SQLite itself does not see it"
    with closing(open_store(path, clock)) as store:
        with pytest.warns(CacheWarning, match="an entry") as told:
            assert read_all(store) == COUNT - 1
        assert len(told) == 1
        assert store.stats()["text"]["damaged"] == 1
        assert store.stats()["text"]["entries"] == COUNT - 1
        assert corrupt_names(path) == []
        assert read_all(store) == COUNT - 1


def test_a_value_under_another_key_is_a_miss(path: Path, clock: ManualClock, quiet: None) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        first, second = raw.execute("SELECT id, key FROM entries LIMIT 2").fetchall()
        raw.execute("DELETE FROM entries WHERE id = ?", (second[0],))
        raw.execute("UPDATE entries SET key = ? WHERE id = ?", (second[1], first[0]))
    with closing(open_store(path, clock)) as store:
        assert read_all(store) == COUNT - 2


@pytest.mark.parametrize("column", ["expires", "checksum", "value"])
def test_rows_of_the_wrong_type_are_misses(path: Path, clock: ManualClock, quiet: None, column: str) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(f"UPDATE entries SET {column} = 'no number, no bytes'")
    with closing(open_store(path, clock)) as store:
        assert read_all(store) == 0
        fill(store)
        assert read_all(store) == COUNT


def test_another_layout_version_makes_room_for_a_fresh_file(path: Path, clock: ManualClock) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = 7")
    with closing(open_store(path, clock)) as store:
        with pytest.warns(CacheWarning, match="version 7 where this release reads version 1"):
            assert store.get("text", cache_key(1)) is None
        fill(store)
        assert read_all(store) == COUNT


def test_missing_tables_make_room_for_a_fresh_file(path: Path, clock: ManualClock) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("DROP TABLE namespaces")
    with closing(open_store(path, clock)) as store:
        with pytest.warns(CacheWarning, match="no such table"):
            read_and_fill(store)
        assert read_all(store) == COUNT


def test_the_log_beside_a_damaged_file_goes_with_it(path: Path, clock: ManualClock, quiet: None) -> None:
    garbage_header(path)
    for side in ("-wal", "-shm"):
        Path(str(path) + side).write_bytes(b"left behind" * 100)
    with closing(open_store(path, clock)) as store:
        fill(store)
        assert read_all(store) == COUNT
    assert integrity(path) == "ok"


def test_a_log_left_without_its_file_is_not_replayed_into_the_fresh_one(path: Path, clock: ManualClock) -> None:
    store = open_store(path, clock)
    store.set("text", cache_key("in the log"), b"old")
    log = Path(str(path) + "-wal").read_bytes()
    store.close()
    path.unlink()
    Path(str(path) + "-wal").write_bytes(log)
    with closing(open_store(path, clock)) as store:
        assert store.get("text", cache_key("in the log")) is None
        fill(store)
        assert read_all(store) == COUNT


def test_only_the_last_damaged_files_are_kept(path: Path, clock: ManualClock, quiet: None) -> None:
    for _ in range(5):
        clock.advance(60)
        garbage_header(path)
        with closing(open_store(path, clock)) as store:
            store.set("text", cache_key(1), VALUE)
    assert len(corrupt_names(path)) == 3
    assert f"cache.db.corrupt-{STAMP}" not in corrupt_names(path)


def test_two_damages_in_one_second_keep_both_files(path: Path, clock: ManualClock, quiet: None) -> None:
    for _ in range(2):
        garbage_header(path)
        with closing(open_store(path, clock)) as store:
            store.set("text", cache_key(1), VALUE)
    assert corrupt_names(path) == [f"cache.db.corrupt-{STAMP}", f"cache.db.corrupt-{STAMP}-2"]


def integrity(path: Path) -> str:
    with closing(sqlite3.connect(path)) as raw:
        return str(raw.execute("PRAGMA integrity_check").fetchone()[0])


@pytest.mark.parametrize("content", [b"my notes, not a cache " * 1000, b"", b"SQLite format 3\0 but no more"])
def test_h8_what_a_link_leads_to_stays_where_it_is(tmp_path: Path, clock: ManualClock, content: bytes) -> None:
    important = tmp_path / "important.txt"
    important.write_bytes(content)
    important.chmod(0o644)
    link = tmp_path / "cache.db"
    link.symlink_to(important)
    with closing(open_store(link, clock)) as store:
        with pytest.warns(CacheWarning, match=r"is a link to .*important\.txt, which is no cache"):
            store.set("text", cache_key(1), VALUE)
        assert store.get("text", cache_key(1)) is None
        with pytest.raises(CacheError, match="is a link to"):
            store.purge()
    assert important.read_bytes() == content
    assert important.stat().st_mode & 0o777 == 0o644
    assert link.is_symlink()
    assert not list(tmp_path.glob("*.corrupt-*"))


def test_h8_a_cache_behind_a_link_is_used_and_not_moved_when_it_breaks(
    tmp_path: Path, path: Path, clock: ManualClock
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with closing(open_store(link, clock)) as store:
        assert read_all(store) == COUNT
    path.write_bytes(b"x" * path.stat().st_size)
    with closing(open_store(link, clock)) as store, pytest.warns(CacheWarning, match="is a link to"):
        assert read_all(store) == 0
    assert path.read_bytes().startswith(b"xxx")


def test_h8_a_link_that_took_the_place_of_the_cache_is_not_followed(
    tmp_path: Path, path: Path, clock: ManualClock
) -> None:
    important = tmp_path / "important.txt"
    with closing(open_store(path, clock)) as store:
        assert read_all(store) == COUNT
        important.write_bytes(b"my notes")
        path.unlink()
        path.symlink_to(important)
        with pytest.warns(CacheWarning, match="is a link to"):
            store.set("text", cache_key(1), VALUE)
    assert important.read_bytes() == b"my notes"
