"""How batches in memory end: limits of single requests, and iterables that fail."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.server import LoopbackServer
from heavenbase.colour import call_in_thread

from .support import Batch


@pytest.mark.parametrize("limit", [0.03, {"total": 0.03}], ids=["seconds", "clocks"])
@pytest.mark.parametrize("asked", [{"messages": "hang"}, {"input": "hang"}], ids=["chat", "embed"])
def test_g16_a_limit_of_a_request_of_its_own_returns_on_time(batch: Batch, asked: dict[str, Any], limit: Any) -> None:
    release = threading.Event()

    class Blocking(hb.Middleware):
        """Waits in a thread, and for no clock."""

        name = "blocking"
        around = "call"

        async def __call__(self, call: Any, next: Any) -> Any:
            await call_in_thread(release.wait, 5)
            return await next(call)

    try:
        started = time.monotonic()
        found = batch([{**asked, "timeout": limit}], timeout=20, middleware=[Blocking()])
        assert time.monotonic() - started < 3
    finally:
        release.set()
    assert [error.error_type for error in found.errors] == ["DeadlineExceeded"]


def test_what_was_answered_before_an_iterable_failed_is_in_its_error(batch: Batch, server: LoopbackServer) -> None:
    def broken() -> Iterator[str]:
        yield from ("one", "two")
        deadline = time.monotonic() + 5
        while len(server.requests) < 2 and time.monotonic() < deadline:
            time.sleep(0.001)
        raise LookupError("no more")

    async def abroken() -> AsyncIterator[str]:
        for text in ("one", "two"):
            yield text
        raise LookupError("no more")

    given: Any = broken() if batch.colour == "sync" else abroken()
    with pytest.raises(LookupError, match="no more") as caught:
        batch(given, max_concurrency=1)
    so_far = caught.value.batch  # type: ignore[attr-defined]
    assert so_far.failed == 0
    assert so_far.results[0].text


class Shown:
    """What shows the progress of a generator: it says a length that may be none, or wrong."""

    def __init__(self, items: Iterator[str], length: int | None) -> None:
        self._items, self._length = items, length

    def __len__(self) -> int:
        return self._length  # type: ignore[return-value]

    def __iter__(self) -> Iterator[str]:
        return self._items


@pytest.mark.parametrize("length", [None, 5, 1], ids=str)
def test_a_length_that_is_none_or_wrong_changes_no_answers(batch: Batch, length: int | None) -> None:
    readers: set[int] = set()

    def asked() -> Iterator[str]:
        for text in ("one", "two"):
            readers.add(threading.get_ident())
            yield text

    found = batch(Shown(asked(), length))
    assert (len(found.results), found.succeeded, found.cancelled, found.success_rate) == (2, 2, 0, 1.0)
    assert readers == {threading.get_ident()}
