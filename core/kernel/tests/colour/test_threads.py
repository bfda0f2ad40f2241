"""Sync code in async colour: live items, context, errors, and no reader left behind."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from heavenbase.colour.parallel import AHEAD, call_in_thread, iterate_in_thread
from heavenbase.errors import ServerError
from heavenbase.llm import LLM
from heavenbase.types import Chunk, Completion

from ..support import ScriptedGateway, make_kernel

tenant = contextvars.ContextVar("tenant", default="nobody")


def test_a_function_runs_in_a_thread_with_the_callers_context() -> None:
    async def main() -> tuple[str, bool]:
        tenant.set("acme")
        return await call_in_thread(lambda: (tenant.get(), threading.current_thread() is threading.main_thread()))

    assert asyncio.run(main()) == ("acme", False)


def test_items_arrive_while_the_iterator_is_still_running() -> None:
    go_on = threading.Event()

    def items() -> Iterator[str]:
        yield tenant.get()
        assert go_on.wait(5)
        yield "second"

    async def main() -> list[str]:
        tenant.set("acme")
        found = []
        async for item in iterate_in_thread(items):
            found.append(item)
            go_on.set()
        return found

    assert asyncio.run(main()) == ["acme", "second"]


@pytest.mark.parametrize("early", [True, False])
def test_errors_of_the_iterator_are_raised_where_it_is_read(early: bool) -> None:
    def items() -> Iterator[int]:
        if not early:
            yield 1
        raise ServerError("down")

    async def main() -> list[int]:
        return [item async for item in iterate_in_thread(items)]

    with pytest.raises(ServerError, match="down"):
        asyncio.run(main())


def test_the_reader_stops_ahead_of_its_consumer_and_ends_with_it() -> None:
    produced: list[int] = []
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            for number in range(100_000):
                produced.append(number)
                yield number
        finally:
            closed.set()

    async def main() -> None:
        stream: Any = iterate_in_thread(items)
        assert await anext(stream) == 0
        await stream.aclose()
        assert await asyncio.to_thread(closed.wait, 5)

    asyncio.run(main())
    assert len(produced) <= AHEAD + 2


def test_all_items_come_in_order_and_none_is_lost() -> None:
    async def main() -> list[int]:
        return [item async for item in iterate_in_thread(lambda: iter(range(5000)))]

    assert asyncio.run(main()) == list(range(5000))


class SyncGateway(ScriptedGateway):
    """A gateway whose author wrote only the sync colour."""

    achat = ScriptedGateway.__mro__[1].achat  # type: ignore[attr-defined]
    astream = ScriptedGateway.__mro__[1].astream  # type: ignore[attr-defined]
    aembed_batch = ScriptedGateway.__mro__[1].aembed_batch  # type: ignore[attr-defined]
    agenerate_images = ScriptedGateway.__mro__[1].agenerate_images  # type: ignore[attr-defined]


def test_a_gateway_without_async_forms_answers_async_calls_from_threads() -> None:
    gateway = SyncGateway(Completion("hi", finish_reason="stop"), [Chunk("a"), Chunk("b", finish_reason="stop")], None)
    llm = LLM(kernel=make_kernel(plugins=(gateway,)))

    async def main() -> tuple[Any, Any, Any, Any]:
        text = await llm.achat("x")
        pieces = [piece async for piece in llm.astream("x")]
        return text, pieces, await llm.aembed("four"), await llm.aimagen("x")

    assert asyncio.run(main()) == ("hi", ["a", "b"], [4.0, 1.0], [])


def test_e10_leaving_a_stream_from_a_thread_closes_the_plugins_generator() -> None:
    closed = threading.Event()

    class Endless(SyncGateway):
        def stream(self, call: Any, request: Any) -> Iterator[Chunk]:
            try:
                while True:
                    yield Chunk("a")
            finally:
                closed.set()

    llm = LLM(kernel=make_kernel(plugins=(Endless(),)))

    async def main() -> None:
        stream: Any = llm.astream("x")
        assert await anext(stream) == "a"
        await stream.aclose()
        assert await asyncio.to_thread(closed.wait, 5)

    asyncio.run(main())
