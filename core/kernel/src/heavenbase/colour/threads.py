"""Sync code in async colour: calls and iterators in a bounded pool of threads, with live items and cancellation."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

P = ParamSpec("P")
T = TypeVar("T")
WORKERS = 64
AHEAD = 64
"""Items that a producing thread may be ahead of its consumer."""

_pool: tuple[int, ThreadPoolExecutor] | None = None
_lock = threading.Lock()


def _executor() -> ThreadPoolExecutor:
    # A forked child inherits the object but none of its threads, so the pool belongs to a process.
    import os

    global _pool
    with _lock:
        if _pool is None or _pool[0] != os.getpid():
            _pool = (os.getpid(), ThreadPoolExecutor(WORKERS, thread_name_prefix="hb"))
        return _pool[1]


async def call_in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a sync function run in the pool, in the caller's context."""
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_executor(), lambda: context.run(function, *args, **kwargs))


async def iterate_in_thread(make: Callable[[], Iterator[T]]) -> AsyncIterator[T]:
    """The items of a sync iterator that is made and read in the pool, each as soon as it exists.

    The reader stops `AHEAD` items before its consumer; closing this generator closes the iterator after its current
    item. Exceptions of the iterator are raised here.
    """
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
            close = getattr(source, "close", None)
            if close is not None:
                close()
            finished = True
            notify()

    context = contextvars.copy_context()
    reading = loop.run_in_executor(_executor(), context.run, read)
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
