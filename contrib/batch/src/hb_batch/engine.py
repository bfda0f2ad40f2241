"""Looping workers over requests that are taken one by one: never more in flight than allowed, no task per request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Workers(Generic[T]):
    """Runs `one(place, item)` for each item, at most `most` at a time.

    Items are taken as workers become free, from an iterable of either colour. What `one` raises ends the whole: it is
    for `one` to keep what becomes of its item. `stop` lets the items in flight end and takes no more; `abort` cancels
    them too.
    """

    def __init__(
        self, items: Iterable[T] | AsyncIterable[T], one: Callable[[int, T], Awaitable[None]], *, most: int
    ) -> None:
        self._sync: Iterator[T] | None = None
        self._async: AsyncIterator[T] | None = None
        if isinstance(items, AsyncIterable):
            self._async = aiter(items)
        else:
            self._sync = iter(items)
        self._one, self._most = one, most
        self._taken = 0
        self._is_over = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[None] | None = None
        self._taking: asyncio.Lock | None = None

    def stop(self) -> None:
        """Take no further item; `run` returns when those in flight have ended."""
        self._is_over = True
        if self._async is not None:
            for task in self._tasks:
                if task.get_name() == _WAITING:
                    task.cancel()

    def abort(self) -> None:
        """Take no further item, and cancel those in flight; `run` returns when they are closed."""
        self._is_over = True
        self._end()

    async def run(self) -> None:
        """All items, until the last has ended, or one raised."""
        self._ended = asyncio.get_running_loop().create_future()
        self._taking = asyncio.Lock()
        try:
            self._hire()
            await self._ended
        finally:
            self._is_over = True
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    def _hire(self) -> None:
        task = asyncio.get_running_loop().create_task(self._work())
        self._tasks.add(task)
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() and not self._is_over and self._ended is not None:
            self._is_over = True
            self._ended.cancel()  # by whoever is asked, and not by us: as if it had been raised here
            return
        error = None if task.cancelled() else task.exception()
        if error is not None and self._ended is not None and not self._ended.done():
            self._is_over = True
            self._ended.set_exception(error)
        elif not self._tasks:
            self._end()

    def _end(self) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    async def _work(self) -> None:
        source, one = self._sync, self._one
        while not self._is_over:
            if source is not None:
                try:
                    item = next(source)
                except StopIteration:
                    self._is_over = True
                    return
            else:
                try:
                    item = await self._awaited()
                except StopAsyncIteration:
                    self._is_over = True
                    return
            place = self._taken
            self._taken += 1
            if len(self._tasks) < self._most:
                self._hire()
            await one(place, item)

    async def _awaited(self) -> T:
        assert self._async is not None
        assert self._taking is not None
        task = asyncio.current_task()
        assert task is not None
        name = task.get_name()
        task.set_name(_WAITING)
        try:
            async with self._taking:  # an async generator gives one item at a time
                if self._is_over:
                    raise StopAsyncIteration
                return await anext(self._async)
        finally:
            task.set_name(name)


_WAITING = "hb-batch, waiting for a request"
