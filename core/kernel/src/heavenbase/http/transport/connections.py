"""Which SDK clients share connections: all of one gateway, route and process, and for async ones event loop.

An SDK client holds a lease. When the last lease on a route ends, its unused connections are closed; those in use as
soon as their answer is read. A client that is used after its lease ended still works, without keeping connections.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from heavenbase.colour import drive
from heavenbase.http.transport.route import Route

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable

    from heavenbase.http.transport.body import AsyncBody
    from heavenbase.http.transport.exchange import Exchange
    from heavenbase.http.transport.sender import Sender


class Connections:
    """Leases on the connections of one gateway."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._sync: dict[Route, Sender] = {}
        self._async: weakref.WeakKeyDictionary[AbstractEventLoop, dict[Route, Sender]] = weakref.WeakKeyDictionary()

    def lease(self, route: Route) -> Lease:
        """A sender for sync clients on this route."""
        return self.lease_on(None, route)

    def close(self) -> None:
        """Close the unused connections of the sync routes, also those that a forgotten client left behind."""
        with self._lock:
            self._check_process()
            found = list(self._sync.values())
        for sender in found:
            sender.close()

    def async_lease(self, route: Route, *, prefer_aiohttp: bool = True) -> Lease | RoamingLease:
        """A sender for async clients on this route and the running loop; over aiohttp where that is installed.

        Where no loop runs, the sender takes a lease on each loop that it is used on.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return RoamingLease(self, route, prefer_aiohttp)
        return self.lease_on(loop, route, prefer_aiohttp)

    def lease_on(self, loop: AbstractEventLoop | None, route: Route, prefer_aiohttp: bool = False) -> Lease:
        """A lease on the connections of one event loop, which is running; on those of sync callers for None."""
        with self._lock:
            self._check_process()
            known = self._sync if loop is None else self._async.setdefault(loop, {})
            if route not in known:
                if prefer_aiohttp and has_aiohttp():
                    from heavenbase.http.transport.aiohttp_pools import AiohttpPools

                    known[route] = AiohttpPools(route)
                else:
                    from heavenbase.http.transport.pools import Pools

                    known[route] = Pools(route, is_async=loop is not None)
            return Lease(known[route])

    def _check_process(self) -> None:
        # After a fork the sockets are the parent's: to use or to close them here would speak on its connections.
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._sync = {}
            self._async = weakref.WeakKeyDictionary()


def has_aiohttp() -> bool:
    """Whether aiohttp is installed."""
    return find_spec("aiohttp") is not None


class Lease:
    """One SDK client's hold on the connections of a route."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.send = sender.send
        self._is_held = True
        sender.leases += 1
        sender.is_closing = False

    def close(self) -> None:
        """End the lease of a sync client."""
        drive.run(self.aclose())

    async def aclose(self) -> None:
        """End the lease."""
        if self._is_held:
            self._is_held = False
            self.sender.leases -= 1
            if not self.sender.leases:
                await self.sender.aclose()


class RoamingLease:
    """The hold of an async SDK client that was made where no event loop ran: one lease per loop it is used on."""

    def __init__(self, connections: Connections, route: Route, prefer_aiohttp: bool) -> None:
        self._connections = connections
        self._how = (route, prefer_aiohttp)
        self._leases: weakref.WeakKeyDictionary[AbstractEventLoop, Lease] = weakref.WeakKeyDictionary()

    def send(self, exchange: Exchange, request: Any) -> Awaitable[AsyncBody]:
        """Send a request over the connections of the running loop."""
        loop = asyncio.get_running_loop()
        lease = self._leases.get(loop)
        if lease is None:
            lease = self._leases[loop] = self._connections.lease_on(loop, *self._how)
        return lease.send(exchange, request)  # type: ignore[no-any-return]

    async def aclose(self) -> None:
        """End the lease on the running loop; other loops end theirs with themselves."""
        lease = self._leases.get(asyncio.get_running_loop())
        if lease is not None:
            await lease.aclose()
