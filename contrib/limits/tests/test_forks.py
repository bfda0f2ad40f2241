"""A process that is forked while its threads are on their way: the child waits for nobody who is not there."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from hb_limits import Limits

from .budget_support import House

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are begun otherwise here")


def child_of(work: Callable[[], Any]) -> int:
    """Fork; the exit code of the child that does the work, which has seconds for it."""
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Holder:
    """A thread that holds locks until it is told to let go, as long as it takes."""

    def __init__(self, *locks: Any) -> None:
        self._is_held, self._go = threading.Event(), threading.Event()

        def hold() -> None:
            with ExitStack() as stack:
                for lock in locks:
                    stack.enter_context(lock)
                self._is_held.set()
                self._go.wait()

        self._thread = threading.Thread(target=hold)

    def __enter__(self) -> None:
        self._thread.start()
        self._is_held.wait()

    def __exit__(self, *_: object) -> None:
        self._go.set()
        self._thread.join()


def test_a_child_does_not_wait_for_the_locks_of_limits_and_has_places_of_its_own() -> None:
    limits = Limits(rules=[{"name": "two", "concurrency": 1}])
    kernel = hb.Kernel({"heavenbase.llm.cache.enabled": False}, middleware=[limits])
    llm = hb.LLM(provider="mock", model="mock", kernel=kernel, mock_text="hello")
    stream = llm.stream("hi")
    next(stream)  # it has the place
    (pool,) = limits._pools.values()
    with Holder(pool._lock, limits._lock):
        assert child_of(lambda: llm.chat("hi", timeout=5)) == 0
    stream.close()
    assert llm.chat("hi") == "hello"


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_a_child_does_not_wait_for_the_locks_of_budgets(store: str, tmp_path: Path) -> None:
    options = {"store": store, "path": str(tmp_path / "b.db") if store == "sqlite" else None}
    house = House([{"money": 9}, {"name": "call", "per": "call", "money": 9}], **options)
    house.llm().complete("hi")
    keeper = house.budgets.keeper
    locks = [keeper._lock, keeper.calls._lock, keeper.calls.store._lock, house.budgets._lock]
    with Holder(*locks, *([keeper.store._lock] if store == "memory" else [])):
        assert child_of(lambda: house.llm().complete("hi")) == 0
    house.llm().complete("hi")
    asked = len(house.bank.asked) + (store == "sqlite")
    assert house.spent() == asked * house.bank.asked[0].most
    house.budgets.close()


def test_a_fork_waits_for_who_writes_the_file(tmp_path: Path) -> None:
    """A child that copied SQLite in the middle of its work would wait inside it for ever."""
    house = House([{"money": 9}], store="sqlite", path=str(tmp_path / "b.db"))
    house.llm().complete("hi")
    stop = threading.Event()

    def write() -> None:
        while not stop.wait(0.001):
            house.rows()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert [child_of(lambda: house.llm().complete("hi")) for _ in range(3)] == [0] * 3
    finally:
        stop.set()
        writer.join()
    assert house.spent() == 4 * house.bank.asked[0].most
    house.budgets.close()
