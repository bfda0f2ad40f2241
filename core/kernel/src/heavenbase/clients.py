"""SDK clients kept per key, event loop and process; bounded, and closed with the kernel."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

LIMIT = 64
"""Clients kept per kernel; the least recently used is forgotten beyond that."""


class _Entry(NamedTuple):
    client: Any
    is_async: bool
    loop: weakref.ref[AbstractEventLoop] | None

    def is_dead(self) -> bool:
        """Whether the client belongs to a loop that is gone."""
        return self.loop is not None and ((loop := self.loop()) is None or loop.is_closed())


class ClientPool:
    """One client per (key, loop, process). A client of a closed loop or of a parent process is never handed out."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._entries: OrderedDict[tuple[str, bool, int], _Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._pid = os.getpid()

    def get(self, key: str, factory: Callable[[], Any], is_async: bool = False) -> Any:
        """The client of this key, made by `factory` when there is none; async ones belong to the running loop.

        An async client that is asked for where no loop runs belongs to none, and must work on any.
        """
        if self._pid != os.getpid():
            self._forget()
        loop = _running_loop() if is_async else None
        place = (key, is_async, id(loop))
        with self._lock:
            entry = self._entries.get(place)
            if entry is not None and (entry.loop is None or entry.loop() is loop):
                self._entries.move_to_end(place)
                return entry.client
            client = factory()
            # A new loop may have the address of a dead one.
            replaced = self._entries.pop(place, None)
            self._entries[place] = _Entry(client, is_async, weakref.ref(loop) if loop is not None else None)
            evicted = [*self._evict(), *([replaced] if replaced is not None else [])]
        for old in evicted:
            _close(old)
        return client

    def close(self) -> None:
        """Close the sync clients, and the async ones whose loop no longer runs."""
        for entry in self._take():
            _close(entry)

    async def aclose(self, *, only_loop: bool = False) -> None:
        """Close all clients, or `only_loop` those of the running loop; those of it and of none are awaited."""
        running = _running_loop()
        for entry in self._take(running if only_loop else None):
            if entry.is_async and (entry.loop is None or entry.loop() is running):
                await _aclose(entry.client)
            else:
                _close(entry)

    def _evict(self) -> list[_Entry]:
        dead = [place for place, entry in self._entries.items() if entry.is_dead()]
        evicted = [self._entries.pop(place) for place in dead]
        while len(self._entries) > self._limit:
            # Only forgotten: a call or a caller may still be using it, and its last user frees it.
            self._entries.popitem(last=False)
        return evicted

    def _take(self, loop: AbstractEventLoop | None = None) -> list[_Entry]:
        if self._pid != os.getpid():
            self._forget()
        with self._lock:
            places = [it for it, entry in self._entries.items() if not loop or (entry.loop and entry.loop() is loop)]
            return [self._entries.pop(place) for place in places]

    def _forget(self) -> None:
        # After a fork the sockets are shared with the parent: closing them here would speak on its connections.
        self._lock = threading.Lock()
        self._entries = OrderedDict()
        self._pid = os.getpid()


def _running_loop() -> AbstractEventLoop | None:
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _close(entry: _Entry) -> None:
    """Close a client from outside its loop: schedule it where the loop runs, else drop its sockets."""
    client = entry.client
    if not entry.is_async:
        if (close := getattr(client, "close", None)) is not None:
            close()
        return
    if entry.loop is None:
        return  # what it opened belongs to the loops that it worked on, and is closed with them
    loop = entry.loop()
    if loop is not None and loop.is_running():
        loop.call_soon_threadsafe(lambda: loop.create_task(_aclose(client)))
    elif (abort := getattr(client, "hb_abort", None)) is not None:
        abort()


async def _aclose(client: Any) -> None:
    close = getattr(client, "aclose", None) or getattr(client, "close", None)
    if close is not None:
        result = close()
        if hasattr(result, "__await__"):
            await result
