"""An event loop of a batch's own, in a thread: for sync callers, whether or not a loop runs where they are."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")
PATIENCE = 5.0
"""Seconds that a caller who is interrupted waits for requests in flight to be closed."""


class Feed:
    """Items of a sync iterable, read in the caller's thread, handed to a loop in another one.

    A generator may belong to the thread that made it, and may take its time; the loop is not held up.
    """

    def __init__(self, items: Iterable[Any], ahead: int) -> None:
        self._items = items
        self._room = threading.Semaphore(ahead)
        self._queue: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self._is_over = False

    def pour(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand over item by item, until there is none or the batch is over."""
        last: tuple[str, Any] = ("end", None)
        try:
            for item in self._items:
                self._room.acquire()
                if self._is_over:
                    return
                loop.call_soon_threadsafe(self._queue.put_nowait, ("item", item))
        except Exception as error:
            last = ("error", error)
        try:
            loop.call_soon_threadsafe(self._queue.put_nowait, last)
        except RuntimeError:  # the batch ended meanwhile, and its loop is closed
            return

    def end(self) -> None:
        """The batch is over: nothing more is wanted."""
        self._is_over = True
        self._room.release()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        kind, value = await self._queue.get()
        if kind == "item":
            self._room.release()
            return value
        self._queue.put_nowait((kind, value))  # for the next worker that asks
        if kind == "error":
            raise value
        raise StopAsyncIteration


def run_privately(make: Callable[[], Coroutine[Any, Any, T]], clients: Any, feed: Feed | None = None) -> T:
    """The result of a coroutine on a loop of its own. Ctrl-C cancels it, and is raised when it is closed.

    The result is handed over before the loop's clients are closed.
    """
    running = _Running(make, clients, feed)
    thread = threading.Thread(target=copy_context().run, args=(running.work,), name="hb-batch", daemon=True)
    thread.start()
    try:
        if feed is not None:
            running.ready.wait()
            feed.pour(running.loop)
        running.done.wait()
    except BaseException:
        running.cancel()
        running.done.wait(PATIENCE)
        raise
    if running.error is not None:
        raise running.error
    return running.result  # type: ignore[no-any-return]


class _Running:
    """A coroutine on its way, and what came of it."""

    def __init__(self, make: Callable[[], Coroutine[Any, Any, Any]], clients: Any, feed: Feed | None) -> None:
        self._make, self._clients, self._feed = make, clients, feed
        self.ready, self.done = threading.Event(), threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None
        self.loop: asyncio.AbstractEventLoop
        self._task: asyncio.Task[Any] | None = None

    def work(self) -> None:
        """Run it, in the thread."""
        try:
            asyncio.run(self._run())
        except BaseException as error:
            self._settle(None, error)

    async def _run(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self.ready.set()
        try:
            self._settle(await self._make(), None)
        except BaseException as error:
            self._settle(None, error)
        await self._clients.aclose(only_loop=True)

    def _settle(self, result: Any, error: BaseException | None) -> None:
        if self.done.is_set():
            return
        self.result, self.error = result, error
        if self._feed is not None:
            self._feed.end()
        self.ready.set()
        self.done.set()

    def cancel(self) -> None:
        """End it from another thread."""
        self.ready.wait()
        if self._task is not None and not self.done.is_set():
            self.loop.call_soon_threadsafe(self._task.cancel)
