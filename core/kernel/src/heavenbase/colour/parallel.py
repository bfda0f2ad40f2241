"""Several items at once in the colour of the call, and sync code in async colour: in a bounded pool of threads."""

from __future__ import annotations

import os
import threading
from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from heavenbase.colour.drive import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
    from concurrent.futures import ThreadPoolExecutor

P = ParamSpec("P")
T = TypeVar("T")
WORKERS = 64
AHEAD = 64
"""Items that a producing thread may be ahead of its consumer."""

LONG = 16_384
"""Characters of a text; work on a longer one leaves the loop of an async call."""

_pool: tuple[int, ThreadPoolExecutor] | None = None
_lock = threading.Lock()


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


def _executor() -> ThreadPoolExecutor:
    # A forked child inherits the object but none of its threads, so the pool belongs to a process.
    from concurrent.futures import ThreadPoolExecutor

    global _pool
    with _lock:
        if _pool is None or _pool[0] != os.getpid():
            _pool = (os.getpid(), ThreadPoolExecutor(WORKERS, thread_name_prefix="hb"))
        return _pool[1]


async def call_in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a sync function run in the pool, in the caller's context."""
    import asyncio

    context, loop = copy_context(), asyncio.get_running_loop()
    return await loop.run_in_executor(_executor(), lambda: context.run(function, *args, **kwargs))


async def iterate_in_thread(make: Callable[[], Iterator[T]]) -> AsyncIterator[T]:
    """The items of a sync iterator that is made and read in the pool, each as soon as it exists.

    The reader stops `AHEAD` items before its consumer; closing this generator closes the iterator after its current
    item. Exceptions of the iterator are raised here.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    items: deque[T] = deque()
    ready = asyncio.Event()
    room = threading.Semaphore(AHEAD)
    stopped = threading.Event()
    failure: list[BaseException] = []
    finished = False

    def notify() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(ready.set)

    def read() -> None:
        nonlocal finished
        source: Any = None
        try:
            source = make()
            for item in source:
                items.append(item)
                notify()
                room.acquire()
                if stopped.is_set():
                    break
        except BaseException as error:
            failure.append(error)
        finally:
            if (close := getattr(source, "close", None)) is not None:
                close()
            finished = True
            notify()

    reading = loop.run_in_executor(_executor(), copy_context().run, read)
    try:
        while True:
            while items:
                room.release()
                yield items.popleft()
            if finished and not items:
                if failure:
                    raise failure[0]
                return
            await ready.wait()
            ready.clear()
    finally:
        stopped.set()
        room.release()
        if finished:
            await reading
