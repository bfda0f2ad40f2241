"""The two drivers: one `async def` flow serves async callers on their loop and sync callers without any loop.

A sync call's flow never suspends, because every leaf that could wait takes its sync form; so `send(None)` runs it to
its end. What suspends all the same is a plugin that answered a sync call in async colour: that is reported, by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from heavenbase.errors import PluginContractError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Sequence

T = TypeVar("T")


def run(flow: Coroutine[Any, Any, T]) -> T:
    """The result of a flow whose leaves are all sync; PluginContractError if it suspends."""
    try:
        flow.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    where = _innermost(flow)
    flow.close()
    raise _suspended(where)


def iterate(stream: AsyncGenerator[T, None]) -> Iterator[T]:
    """The items of a stream whose leaves are all sync; closing the iterator closes the stream at once."""
    advance = stream.__anext__
    try:
        while True:
            step = advance()
            try:
                step.send(None)
            except StopIteration as item:
                yield item.value
            except StopAsyncIteration:
                return
            else:
                where = _innermost(stream)
                step.close()
                raise _suspended(where)
    finally:
        run(_close(stream))


async def lift(items: Iterator[T]) -> AsyncIterator[T]:
    """A sync iterator as the async iterator that flows read; closed with it."""
    try:
        for item in items:
            yield item
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()


async def run_many(
    one: Callable[[Any], Coroutine[Any, Any, T]], items: Sequence[Any], *, workers: int, is_async: bool
) -> list[T]:
    """The results of a flow over several items, in order, `workers` at a time: threads in sync colour, else tasks.

    The first failure is raised; items not yet begun are left out.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        return [await one(item) for item in items]
    if not is_async:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(workers, thread_name_prefix="hb-batch") as pool:
            futures = [pool.submit(run, one(item)) for item in items]
            try:
                return [future.result() for future in futures]
            finally:
                for future in futures:
                    future.cancel()
    import asyncio

    results: list[Any] = [None] * len(items)
    queue = iter(enumerate(items))

    async def work() -> None:
        for place, item in queue:
            results[place] = await one(item)

    # Looping workers instead of a task per item: a tenth of the cost, and never more than `workers` in flight.
    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(work())
    return results


async def _close(stream: AsyncGenerator[Any, None]) -> None:
    await stream.aclose()


def _innermost(flow: Any) -> str:
    """The module and function in which a suspended flow waits."""
    frame = None
    while flow is not None:
        frame = _first(flow, "cr_frame", "ag_frame", "gi_frame") or frame
        flow = _first(flow, "cr_await", "ag_await", "gi_yieldfrom")
    return f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}" if frame is not None else "a plugin"


def _first(holder: Any, *names: str) -> Any:
    return next((found for name in names if (found := getattr(holder, name, None)) is not None), None)


def _suspended(where: str) -> PluginContractError:
    return PluginContractError(
        f"{where} waited asynchronously inside a sync call; answer sync calls in sync colour "
        "(a value or an iterator), or use the async methods (achat, astream, aembed, aimagen)"
    )
