"""What the cache leaves on the disk, and who may read it."""

from __future__ import annotations

import ast
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import hb_cache_sqlite
from hb_cache_sqlite import SQLiteCache
from hb_cache_sqlite.store import SQLiteStore
from hb_testing.caches import cache_key

CANARY = b"canary-5d1f0c-my-private-prompt"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that does not exist yet, under the most permissive umask."""
    old = os.umask(0)
    try:
        yield tmp_path / "home" / "data"
    finally:
        os.umask(old)


def open_store(folder: Path) -> SQLiteStore:
    return SQLiteCache().open({"data_dir": str(folder)})


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def holds(folder: Path, text: bytes) -> list[str]:
    """The names of the files that hold a text."""
    return [str(path) for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


def test_files_and_folders_are_for_their_owner_only(folder: Path) -> None:
    with closing(open_store(folder)) as store:
        store.set("text", cache_key(1), CANARY)
        names = sorted(os.listdir(folder / "llm"))
        assert names == ["cache.db", "cache.db-shm", "cache.db-wal", "cache.db.lock"]
        assert {name: oct(mode(folder / "llm" / name)) for name in names} == dict.fromkeys(names, "0o600")
        for made in (folder.parent, folder, folder / "llm"):
            assert oct(mode(made)) == "0o700"


def test_a_file_that_others_may_read_is_taken_from_them(folder: Path) -> None:
    with closing(open_store(folder)) as store:
        store.set("text", cache_key(1), CANARY)
    path = folder / "llm" / "cache.db"
    path.chmod(0o666)
    with closing(open_store(folder)) as store:
        assert store.get("text", cache_key(1)) == CANARY
        store.set("text", cache_key(2), CANARY)
        assert {oct(mode(folder / "llm" / name)) for name in os.listdir(path.parent)} == {"0o600"}


def test_a_damaged_file_moved_aside_stays_private(folder: Path) -> None:
    (folder / "llm").mkdir(parents=True)
    (folder / "llm" / "cache.db").write_bytes(CANARY * 100)
    (folder / "llm" / "cache.db").chmod(0o644)
    with closing(open_store(folder)) as store, pytest.warns(UserWarning, match="damaged"):
        store.set("text", cache_key(1), b"x")
    (moved,) = (folder / "llm").glob("*.corrupt-*")
    assert oct(mode(moved)) == "0o600"


def test_purging_removes_every_trace_even_of_damaged_files(folder: Path) -> None:
    (folder / "llm").mkdir(parents=True)
    (folder / "llm" / "cache.db").write_bytes(CANARY * 100)
    with closing(open_store(folder)) as store:
        with pytest.warns(UserWarning, match="damaged"):
            store.set("text", cache_key(1), CANARY)
        assert len(holds(folder, CANARY)) == 2
        store.purge()
        assert holds(folder, CANARY) == []
        assert os.listdir(folder / "llm") == ["cache.db.lock"]
        store.set("text", cache_key(1), CANARY)
        assert store.get("text", cache_key(1)) == CANARY


def test_purging_where_nothing_was_stored_makes_nothing(folder: Path) -> None:
    with closing(open_store(folder)) as store:
        store.purge()
    assert not folder.exists()


def test_clearing_a_namespace_erases_it_from_the_disk(folder: Path) -> None:
    with closing(open_store(folder)) as store:
        for number in range(300):
            store.set("text", cache_key(number), CANARY + bytes(3000))
            store.set("image", cache_key(number), b"picture")
        assert holds(folder, CANARY) != []
        before = (folder / "llm" / "cache.db").stat().st_size
        assert store.clear("text") == 300
        assert holds(folder, CANARY) == []
        assert store.stats()["image"]["entries"] == 300
        assert store.get("image", cache_key(7)) == b"picture"
    after = (folder / "llm" / "cache.db").stat().st_size
    assert after < max(before, 1_000_000) / 4


def test_deleted_and_expired_entries_do_not_linger_after_closing(folder: Path) -> None:
    now = [1e9]
    store = SQLiteCache().open({"data_dir": str(folder), "clock": lambda: now[0]})
    with closing(store):
        store.set("text", cache_key(1), CANARY)
        store.set("text", cache_key(2), CANARY, ttl=5)
        store.set("text", cache_key(3), b"kept")
        store.delete("text", cache_key(1))
        now[0] += 5
        assert store.sweep() == 1
    assert holds(folder, CANARY) == []


def test_the_cache_runs_no_data_as_code() -> None:
    source = Path(hb_cache_sqlite.__file__).parent
    called: set[str] = set()
    imported: set[str] = set()
    for path in source.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                called.add(node.func.id)
    assert not imported & {"pickle", "marshal", "shelve", "dill", "yaml", "ctypes"}
    assert not called & {"eval", "exec", "compile", "__import__"}


def test_importing_the_plugin_and_making_the_backend_do_not_load_sqlite() -> None:
    code = "import sys, hb_cache_sqlite; hb_cache_sqlite.SQLiteCache().close(); print('sqlite3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "False\n"
