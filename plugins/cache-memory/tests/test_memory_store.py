"""What the memory store does beyond the contract: bounded bookkeeping, forks, settings, the backend."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest

from hb_cache_memory import MemoryCache
from hb_cache_memory.store import MemoryStore
from hb_testing.caches import ManualClock, cache_key
from heavenbase.errors import ConfigError, InputTypeError


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def open_store(clock: ManualClock, **limits: int) -> MemoryStore:
    return MemoryCache().open({"clock": clock, "namespaces": {"text": limits}})


def test_the_deadlines_of_replaced_entries_do_not_pile_up(clock: ManualClock) -> None:
    store = open_store(clock, max_entries=10)
    for number in range(5000):
        store.set("text", cache_key(number % 20), b"x", ttl=1000)
    assert len(store._shelves["text"]._deadlines) < 200
    clock.advance(1000)
    assert store.sweep() == 10
    assert store.stats()["text"] == {
        "entries": 0, "bytes": 0, "hits": 0, "misses": 0, "stored": 5000, "evicted": 4990, "expired": 10
    }  # fmt: skip


def test_an_old_deadline_does_not_end_the_entry_that_replaced_it(clock: ManualClock) -> None:
    store = open_store(clock)
    store.set("text", cache_key(1), b"old", ttl=10)
    store.set("text", cache_key(1), b"new", ttl=100)
    store.set("text", cache_key(2), b"kept", ttl=10)
    store.set("text", cache_key(2), b"kept")
    clock.advance(50)
    assert store.sweep() == 0
    assert store.get("text", cache_key(1)) == b"new"
    assert store.get("text", cache_key(2)) == b"kept"


def test_counts_tell_what_happened(clock: ManualClock) -> None:
    store = open_store(clock, max_entries=2)
    store.get("text", cache_key("none"))
    for name in "abc":
        store.set("text", cache_key(name), b"xy", ttl=5)
    store.get("text", cache_key("c"))
    clock.advance(5)
    store.get("text", cache_key("c"))
    assert store.stats()["text"] == {
        "entries": 1, "bytes": 2, "hits": 1, "misses": 2, "stored": 3, "evicted": 1, "expired": 1
    }  # fmt: skip


def test_every_open_store_is_its_own(clock: ManualClock) -> None:
    backend = MemoryCache()
    one, other = backend.open({}), backend.open({})
    one.set("text", cache_key(1), b"x")
    assert other.get("text", cache_key(1)) is None


def test_closing_the_backend_empties_its_stores(clock: ManualClock) -> None:
    backend = MemoryCache()
    store = backend.open({})
    store.set("text", cache_key(1), b"x")
    backend.close()
    assert store.stats()["text"]["entries"] == 0


def test_the_hook_answers_its_own_name_only() -> None:
    backend = MemoryCache()
    assert backend.cache("sqlite", {}) is None
    assert isinstance(backend.cache("memory", {"namespaces": None}), MemoryStore)


@pytest.mark.parametrize("value", [-1, True, "many", 1.5])
def test_a_wrong_limit_names_its_key(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"namespaces\.text\.max_bytes: must be a whole number"):
        MemoryCache().open({"namespaces": {"text": {"max_bytes": value}}})


def test_a_namespace_that_is_no_text_is_refused(clock: ManualClock) -> None:
    with pytest.raises(InputTypeError, match="namespace is a str"):
        open_store(clock).set(5, cache_key(1), b"x")  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_forked_while_another_thread_holds_the_lock_is_not_stuck(clock: ManualClock) -> None:
    store = open_store(clock)
    store.set("text", cache_key(1), b"x")
    taken, release = threading.Event(), threading.Event()

    def hold() -> None:
        with store.lock:
            taken.set()
            release.wait(0.05)

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait()
    child = os.fork()
    if not child:
        os._exit(0 if store.get("text", cache_key(1)) == b"x" else 1)
    release.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.get("text", cache_key(1)) == b"x"
