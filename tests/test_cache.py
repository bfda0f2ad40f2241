"""The response cache end to end: LLM, kernel, gateway-openai, sockets, and the backends sqlite and memory."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.server import LoopbackServer

KEY = "sk-canary-0123456789abcdef"  # the conftest of the workspace looks for it
BACKENDS = ("sqlite", "memory")


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer() as running:
        yield running


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("HEAVENBASE_HOME", str(folder))
    return folder


class Wall:
    """Epoch seconds that pass only when told to."""

    now = 1_750_000_000.0

    def __call__(self) -> float:
        return self.now


def kernel_of(backend: str, **config: Any) -> hb.Kernel:
    settings = {f"heavenbase.llm.cache.{name.replace('__', '.')}": value for name, value in config.items()}
    return hb.Kernel({"heavenbase.llm.cache.backend": backend, **settings}, environ=os.environ)


def llm_of(kernel: hb.Kernel, server: LoopbackServer, **options: Any) -> hb.LLM:
    where = {"base_url": server.url("openai"), "api_key": KEY}
    return hb.LLM(preset="custom", model="m", kernel=kernel, **{**where, **options})


def database(home: Path) -> Path:
    return home / "data" / "llm" / "cache.db"


@pytest.mark.parametrize("backend", BACKENDS)
def test_hb38_a_second_chat_makes_no_request(server: LoopbackServer, backend: str) -> None:
    with kernel_of(backend) as kernel:
        llm = llm_of(kernel, server)
        first = llm.chat("hi")
        assert [llm.chat("hi"), "".join(llm.stream("hi")), asyncio.run(llm.achat("hi"))] == [first] * 3
        assert len(server.requests) == 1
        llm.chat("hi", cache=False)
        assert len(server.requests) == 2


def test_hb38_a_second_chat_makes_no_request_in_a_new_process_either(server: LoopbackServer) -> None:
    code = (
        "import sys, heavenbase as hb\n"
        f"llm = hb.LLM(preset='custom', model='m', base_url={server.url('openai')!r}, api_key='sk-1')\n"
        "print(llm.chat('hi'))"
    )
    found = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout
        for _ in range(2)
    ]
    assert found[0] == found[1] != ""
    assert len(server.requests) == 1


def test_hb38_cache_true_counts_over_a_cache_that_is_off(server: LoopbackServer) -> None:
    with kernel_of("sqlite", enabled=False) as kernel:
        llm = llm_of(kernel, server)
        for _ in range(2):
            llm.chat("hi")
        assert len(server.requests) == 2
        for _ in range(2):
            llm.chat("hi", cache=True)
        assert len(server.requests) == 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_hb39_what_is_not_determined_is_never_cached(server: LoopbackServer, backend: str) -> None:
    with kernel_of(backend) as kernel:
        llm = llm_of(kernel, server)
        for options in ({"temperature": 0.7, "seed": None}, {"top_p": 0.5}):
            before = len(server.requests)
            for _ in range(2):
                llm.chat("hi", **options)
            assert len(server.requests) == before + 2


@pytest.mark.parametrize("backend", BACKENDS)
def test_hb39_ttl_seconds_expires_rows(server: LoopbackServer, backend: str) -> None:
    wall = Wall()
    config = {"heavenbase.llm.cache.backend": backend, "heavenbase.llm.cache.namespaces.text.ttl_seconds": 60}
    with hb.Kernel(config, environ=os.environ, wall=wall) as kernel:
        llm = llm_of(kernel, server)
        for seconds, requests in ((0, 1), (59, 1), (2, 2), (59, 2)):
            wall.now += seconds
            llm.chat("hi")
            assert len(server.requests) == requests


@pytest.mark.parametrize("backend", BACKENDS)
def test_limits_hold_and_the_last_used_stay(server: LoopbackServer, backend: str) -> None:
    with kernel_of(backend, namespaces__text__max_entries=3) as kernel:
        llm = llm_of(kernel, server)
        for text in "abcd":
            llm.chat(text)
            llm.chat("a")
        assert len(server.requests) == 4
        llm.chat("d")
        assert len(server.requests) == 4
        llm.chat("b")
        assert len(server.requests) == 5


@pytest.mark.parametrize("backend", BACKENDS)
def test_hb40_only_the_new_inputs_of_an_embedding_are_sent(server: LoopbackServer, backend: str) -> None:
    with kernel_of(backend) as kernel:
        llm = llm_of(kernel, server)
        one, two = llm.embed(["one", "two"])
        found = llm.embed(["three", "one", "two"], include=["embeddings", "raw"])
        assert server.requests[-1].json["input"] == ["three"]
        assert found["embeddings"][1:] == [one, two]
        assert (found["raw"]["cached"], found["raw"]["misses"]) == (2, 1)
        assert asyncio.run(llm.aembed(["two", "three"])) == [two, found["embeddings"][0]]
        assert len(server.requests) == 2


def test_images_are_cached_with_a_seed(server: LoopbackServer) -> None:
    with kernel_of("sqlite") as kernel:
        where = {"base_url": server.url("openrouter"), "api_key": KEY}
        llm = hb.LLM(model="gpt-image-mini", provider="openrouter", kernel=kernel, **where)
        options: dict[str, Any] = {"seed": 3}
        first = llm.imagen("a cat", include=["images", "raw"], **options)
        again = llm.imagen("a cat", include=["images", "raw"], **options)
        assert len(server.requests) == 1
        assert [image.to_bytes() for image in again["images"]] == [image.to_bytes() for image in first["images"]]
        assert again["raw"] == first["raw"]


def test_hb43_the_cache_file_holds_no_key_and_is_its_users_alone(server: LoopbackServer, home: Path) -> None:
    with kernel_of("sqlite") as kernel:
        llm = llm_of(kernel, server, headers={"x-team": "hush-hush-token"})
        llm.chat("hi", extra_headers={"x-more": "hush-hush-token"})
        llm.embed("hi")
    files = [path for path in home.rglob("*") if path.is_file()]
    assert database(home) in files
    for path in files:
        assert KEY.encode() not in path.read_bytes()
        assert b"hush-hush-token" not in path.read_bytes()
    if os.name == "posix":
        kept = [path for path in files if path.parent == database(home).parent or path.name == "cache.key"]
        assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}


def test_hb44_a_hit_takes_less_than_a_millisecond(server: LoopbackServer) -> None:
    with kernel_of("sqlite") as kernel:
        llm = llm_of(kernel, server)
        llm.chat("hi")
        times = []
        for _ in range(50):
            began = time.perf_counter()
            llm.chat("hi")
            times.append(time.perf_counter() - began)
    assert sorted(times)[25] < 0.001
    assert len(server.requests) == 1


def test_a_locked_file_does_not_hold_up_the_loop_of_async_callers(server: LoopbackServer, home: Path) -> None:
    gaps: list[float] = []

    async def tick() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.005)
            gaps.append(time.monotonic() - began)

    async def run(llm: hb.LLM) -> list[str]:
        ticking = asyncio.create_task(tick())
        try:
            return list(await asyncio.gather(*(llm.achat(f"question {number}") for number in range(5))))
        finally:
            ticking.cancel()
            await llm.kernel.clients.aclose()

    with kernel_of("sqlite", options__busy_timeout_ms=700) as kernel:
        llm = llm_of(kernel, server)
        llm.chat("make the file")
        asyncio.run(llm.achat("make the client"))
        with closing(sqlite3.connect(database(home), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.warns(hb.errors.CacheWarning, match="locked"):
                answers = asyncio.run(run(llm))
    assert all(answers)
    assert max(gaps) < 0.6, "the wait of 700 ms for the lock was spent in a thread"


def test_the_answers_of_the_mock_are_not_kept(home: Path) -> None:
    with kernel_of("sqlite") as kernel:
        llm = hb.LLM(preset="mock", kernel=kernel)
        answers = [llm.complete("hi", cache_policy="force") for _ in range(2)]
    assert [answer.cached for answer in answers] == [False, False]
    assert not database(home).exists()


def test_explain_shows_the_key_that_the_call_is_kept_under(server: LoopbackServer) -> None:
    env = {**os.environ, "OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": server.url("openai")}

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "heavenbase", *words]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout

    target = ("-m", "gpt-4o", "-b", "openai")
    key = json.loads(run("explain", "hi", "--json", *target))["cache"]["key"]
    run("chat", "hi", "--no-stream", *target)
    [entry] = json.loads(run("cache", "list", "--json"))["entries"]
    assert entry["key"] == key
