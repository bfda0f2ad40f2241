"""Rows C1 to C5: the response cache. Row C4 on a real server is in plugins/cache-redis/tests."""

from __future__ import annotations

import errno
import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.server import LoopbackServer
from heavenbase.errors import CacheWarning
from heavenbase.plugin import Cache, CacheStore
from tests.faults.harness import CANARY, Mode, every, harness

WORKER = Path(__file__).with_name("cache_worker.py")
ON = {"heavenbase.llm.cache.enabled": True}
ANSWER = "the answer that is kept " * 20


def garbage_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(random.Random(1).randbytes(100))


def cut_in_half(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def zero_length(path: Path) -> None:
    path.write_bytes(b"")


def garbage_page(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        (size,) = raw.execute("PRAGMA page_size").fetchone()
    place = path.read_bytes().index(ANSWER.encode()) // size * size
    with path.open("r+b") as file:
        file.seek(place)
        file.write(random.Random(2).randbytes(size))


def flipped_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(ANSWER.encode()) + 100] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [garbage_header, cut_in_half, zero_length, garbage_page, flipped_bit])
@every()
def test_c1_a_damaged_file_is_a_miss_and_makes_room_for_a_fresh_one(
    server: LoopbackServer, tmp_path: Path, mode: Mode, damage: Callable[[Path], None]
) -> None:
    path = tmp_path / "cache.db"
    config = {**ON, "heavenbase.llm.cache.path": str(path)}
    for _ in range(2):
        server.reply(ANSWER)
    with harness(server, config=config) as made:
        assert made.run(mode).text == ANSWER
    damage(path)
    with harness(server, config=config) as made:
        with pytest.warns(CacheWarning) as told:
            ran = made.run(mode)
        assert (ran.error, ran.text, len(server.requests)) == (None, ANSWER, 2)
        assert len(told) == 1
        assert made.run(mode).text == ANSWER
    with harness(server, config=config) as made:
        assert made.run(mode).text == ANSWER
    assert len(server.requests) == 2
    moved = list(tmp_path.glob("cache.db.corrupt-*"))
    assert bool(moved) == (damage is not flipped_bit)
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@every()
def test_c2_a_file_that_stays_locked_costs_no_call(server: LoopbackServer, tmp_path: Path, mode: Mode) -> None:
    path = tmp_path / "cache.db"
    config = {**ON, "heavenbase.llm.cache.path": str(path), "heavenbase.llm.cache.options.busy_timeout_ms": 20}
    with harness(server, config=config) as made:
        made.run(mode, "make the file")
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.warns(CacheWarning, match="locked") as told:
                found = [made.run(mode, f"question {number}") for number in range(3)]
        assert [ran.error for ran in found] == [None] * 3
        assert len(told) == 1
        assert len(server.requests) == 4


@every()
def test_c2_a_place_that_cannot_be_written_costs_no_call(server: LoopbackServer, tmp_path: Path, mode: Mode) -> None:
    (tmp_path / "file").write_text("not a folder")
    config = {**ON, "heavenbase.llm.cache.path": str(tmp_path / "file" / "cache.db")}
    with harness(server, config=config) as made, pytest.warns(CacheWarning) as told:
        found = [made.run(mode) for _ in range(3)]
    assert [ran.error for ran in found] == [None] * 3
    assert (len(told), len(server.requests)) == (1, 3)


class FullStore(CacheStore):
    """A store whose disk is full."""

    def get(self, namespace: str, key: bytes) -> bytes | None:
        return None

    def set(self, namespace: str, key: bytes, value: bytes, *, ttl: float | None = None) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


class FullCache(Cache):
    """Opens full stores."""

    name = "full"

    def open(self, settings: Mapping[str, Any]) -> FullStore:
        return FullStore()


@every()
def test_c2_an_answer_is_not_lost_because_it_cannot_be_stored(server: LoopbackServer, mode: Mode) -> None:
    with harness(server, config={**ON, "heavenbase.llm.cache.backend": "full"}) as made:
        made.kernel.registry.add(FullCache())
        with pytest.warns(CacheWarning, match="No space left") as told:
            found = [made.run(mode) for _ in range(2)]
    assert [ran.error for ran in found] == [None, None]
    assert (len(told), len(server.requests)) == (1, 2)


@pytest.mark.slow
def test_c3_processes_share_a_file_while_one_of_them_is_killed_again_and_again(tmp_path: Path) -> None:
    path, keys = tmp_path / "cache.db", 500

    def start(seed: int, rounds: int) -> subprocess.Popen[str]:
        command = [sys.executable, str(WORKER), str(path), str(keys), str(rounds), str(seed)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def begin(*processes: subprocess.Popen[str]) -> None:
        for each in processes:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"
        for each in processes:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()

    steady = [start(1, 3), start(2, 3)]
    begin(*steady)  # together: who came late would find all there
    for number in range(3):
        victim = start(10 + number, 100)
        begin(victim)
        time.sleep(0.05)
        victim.kill()
        victim.communicate()
    for process in steady:
        out, errors = process.communicate(timeout=120)
        assert errors == ""
        assert json.loads(out.splitlines()[-1]) == {"most": 1, "wrong": 0}
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert raw.execute("SELECT count(*) FROM entries").fetchone() == (keys,)
    assert not list(tmp_path.glob("*.corrupt-*"))


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    yield port


@contextmanager
def dropping_port() -> Iterator[int]:
    """A port that takes connections and closes them at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drop() -> None:
            while True:
                try:
                    listener.accept()[0].close()
                except OSError:
                    return

        thread = threading.Thread(target=drop)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:  # or a test that fails would keep the run from ever ending
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("broken", [silent_port, refusing_port, dropping_port])
@every()
def test_c4_a_shared_cache_that_is_out_of_reach_costs_a_quarter_of_a_second_and_then_nothing(
    server: LoopbackServer, mode: Mode, broken: Any
) -> None:
    pytest.importorskip("hb_cache_redis.store")
    with broken() as port:
        config = {
            **ON,
            "heavenbase.llm.cache.backend": "redis",
            "heavenbase.llm.cache.namespace": "team",
            "heavenbase.llm.cache.options.url": f"redis://127.0.0.1:{port}/0",
        }
        with harness(server, config=config) as made:
            made.run(mode, "warm up", cache=False)
            times: list[float] = []

            def ask(number: int) -> None:
                began = time.monotonic()
                assert made.run(mode, f"question {number}").error is None
                times.append(time.monotonic() - began)

            with pytest.warns(CacheWarning, match="does not work") as told:
                list(map(ask, range(6)))
            assert len(told) == 1
            # A quarter of a second for the cache, the rest for a busy machine, which may hold up one call in three.
            assert sorted(times[:3])[1] < 0.4
            assert sorted(times[3:])[1] < 0.15, "the circuit is open after three failures"
            assert len(server.requests) == 7


@every()
def test_c5_tenants_credentials_and_places_do_not_share(server: LoopbackServer, mode: Mode) -> None:
    def ask(**config: Any) -> None:
        with harness(server, config={**ON, **config}) as made:
            made.run(mode)
            made.run(mode)

    ask()
    assert len(server.requests) == 1
    ask(**{"heavenbase.llm.cache.namespace": "tenant-a"})
    ask(**{"heavenbase.llm.cache.namespace": "tenant-b"})
    assert len(server.requests) == 3
    with harness(server, config=ON) as made:
        made.llm = hb.LLM(
            preset="custom", model="m", base_url=server.url("openai"), api_key="sk-other", kernel=made.kernel
        )
        made.run(mode)
        assert len(server.requests) == 4
        made.llm = hb.LLM(
            preset="custom", model="n", base_url=server.url("openai"), api_key="sk-other", kernel=made.kernel
        )
        made.run(mode)
        assert len(server.requests) == 5
        for tenant in ("a", "b", "a"):
            made.run(mode, tenant=tenant)
        assert len(server.requests) == 7
    with LoopbackServer() as other, harness(other, config=ON) as made:
        made.run(mode)
        assert len(other.requests) == 1
    assert len(server.requests) == 7


@pytest.mark.parametrize("reason", ["length", "content_filter"])
@every()
def test_c5_a_truncated_or_filtered_answer_is_not_stored(server: LoopbackServer, mode: Mode, reason: str) -> None:
    with harness(server, config=ON) as made:
        for _ in range(2):
            server.reply("half an answer", finish_reason=reason)
            made.run(mode)
    assert len(server.requests) == 2


@pytest.mark.parametrize("fault", ["E1.after", "E2.3"])
@every(("stream", "astream"))
def test_c5_a_cut_stream_is_not_stored(server: LoopbackServer, mode: Mode, fault: str) -> None:
    with harness(server, fault, config=ON) as made:
        for _ in range(2):
            assert made.run(mode).error is not None
    assert len(server.requests) == 2


@every()
def test_c5_an_error_is_not_stored(server: LoopbackServer, mode: Mode) -> None:
    with harness(server, config=ON) as made:
        server.reply(status=400)
        assert made.run(mode).error is not None
        assert made.run(mode).error is None
    assert len(server.requests) == 2


class Fallback(hb.Middleware):
    """Asks another model when the first fails, as a fallback does: around the whole call."""

    other: Any = None

    async def __call__(self, call: Any, next: Any) -> Any:
        try:
            return await next(call)
        except hb.HBError:
            return await next(call.replace(spec=self.other))


@every(("chat", "achat"))
def test_c5_the_answer_of_a_fallback_is_stored_under_the_model_that_made_it(server: LoopbackServer, mode: Mode) -> None:
    where = {"base_url": server.url("openai"), "api_key": CANARY}
    fallback = Fallback()
    with harness(server) as made, hb.Kernel(ON, environ=os.environ, middleware=[fallback]) as kernel:
        made.kernel.close()
        made.kernel = kernel
        fallback.other = kernel.resolve("custom", "backup", **where)
        made.llm = hb.LLM(preset="custom", model="m", kernel=kernel, **where)
        server.reply(status=400)
        assert made.run(mode).error is None
        assert [request.json["model"] for request in server.requests] == ["m", "backup"]
        assert made.run(mode).error is None
        assert server.requests[-1].json["model"] == "m", "m itself had not answered"
        made.llm = hb.LLM(preset="custom", model="backup", kernel=kernel, **where)
        assert made.run(mode).error is None
        assert len(server.requests) == 3, "what backup answered is the kept answer of backup"
