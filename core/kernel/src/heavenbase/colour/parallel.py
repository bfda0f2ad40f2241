"""One flow over several items, some at a time, in the colour of the call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from heavenbase.colour.drive import run

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

T = TypeVar("T")


async def run_many(
    one: Callable[[Any], Coroutine[Any, Any, T]], items: Sequence[Any], *, workers: int, is_async: bool
) -> list[T]:
    """The results of a flow over several items, in order, `workers` at a time: threads in sync colour, else tasks.

    The first failure is raised; items not yet begun are left out.
    """
    workers = min(workers, len(items))
    if workers <= 1:
        return [await one(item) for item in items]
    return await _in_tasks(one, items, workers) if is_async else _in_threads(one, items, workers)


def _in_threads(one: Callable[[Any], Coroutine[Any, Any, T]], items: Sequence[Any], workers: int) -> list[T]:
    from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
    from contextvars import copy_context

    # The flow is made in its thread: one that is cancelled before it began must not exist unawaited.
    def work(item: Any) -> T:
        return run(one(item))

    with ThreadPoolExecutor(workers, thread_name_prefix="hb-batch") as pool:
        futures = [pool.submit(copy_context().run, work, item) for item in items]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in futures:
                if future in done:
                    future.result()
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()


async def _in_tasks(one: Callable[[Any], Coroutine[Any, Any, T]], items: Sequence[Any], workers: int) -> list[T]:
    import asyncio

    results: list[Any] = [None] * len(items)
    queue = iter(enumerate(items))

    async def work() -> None:
        for place, item in queue:
            results[place] = await one(item)

    # Looping workers instead of a task per item: a tenth of the cost, and never more than `workers` in flight.
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
    except BaseExceptionGroup as failures:
        # Callers catch the error of one request, not a group of them.
        raise failures.exceptions[0] from failures.exceptions[0].__cause__
    return results
