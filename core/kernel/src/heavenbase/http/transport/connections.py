"""Which SDK clients share connections: all of one gateway, route and process, and for async ones event loop.

An SDK client holds a lease. When the last lease on a route ends, its unused connections are closed; those in use as
soon as their answer is read. A client that is used after its lease ended still works, without keeping connections.
"""

from __future__ import annotations

import os
import threading
import weakref
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from heavenbase.colour import drive
from heavenbase.http.transport.route import Route

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    from heavenbase.http.transport.body import AsyncBody, Body
    from heavenbase.http.transport.exchange import Exchange


class Connections:
    """Leases on the connections of one gateway."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._sync: dict[Route, _Shared] = {}
        self._async: weakref.WeakKeyDictionary[AbstractEventLoop, dict[Route, _Shared]] = weakref.WeakKeyDictionary()

    def lease(self, route: Route) -> Driven:
        """A sender for sync clients on this route."""
        from heavenbase.http.transport.pools import Pools

        with self._lock:
            self._check_process()
            return Driven(Lease(_shared(self._sync, route, lambda: Pools(route, is_async=False))))

    def close(self) -> None:
        """Close the unused connections of the sync routes, also those that a forgotten client left behind."""
        with self._lock:
            self._check_process()
            found = list(self._sync.values())
        for shared in found:
            drive.run(shared.pools.aclose())

    def async_lease(self, route: Route, *, prefer_aiohttp: bool = True) -> Lease | RoamingLease:
        """A sender for async clients on this route and the running loop; over aiohttp where that is installed.

        Where no loop runs, the sender takes a lease on each loop that it is used on.
        """
        import asyncio

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return RoamingLease(lambda loop: self._async_lease(loop, route, prefer_aiohttp))
        return self._async_lease(loop, route, prefer_aiohttp)

    def _async_lease(self, loop: AbstractEventLoop, route: Route, prefer_aiohttp: bool) -> Lease:

        def make() -> Any:
            if prefer_aiohttp and has_aiohttp():
                from heavenbase.http.transport.aiohttp_pools import AiohttpPools

                return AiohttpPools(route)
            from heavenbase.http.transport.pools import Pools

            return Pools(route, is_async=True)

        with self._lock:
            self._check_process()
            return Lease(_shared(self._async.setdefault(loop, {}), route, make))

    def _check_process(self) -> None:
        # After a fork the sockets are the parent's: to use or to close them here would speak on its connections.
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._sync = {}
            self._async = weakref.WeakKeyDictionary()


def has_aiohttp() -> bool:
    """Whether aiohttp is installed."""
    return find_spec("aiohttp") is not None


class _Shared:
    """Pools and the number of leases on them."""

    def __init__(self, pools: Any) -> None:
        self.pools = pools
        self.leases = 0


def _shared(known: dict[Route, _Shared], route: Route, make: Callable[[], Any]) -> _Shared:
    found = known.get(route)
    if found is None:
        found = known[route] = _Shared(make())
    return found


class Lease:
    """One SDK client's hold on the connections of a route."""

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared
        self._is_held = True
        shared.leases += 1
        shared.pools.open()
        self.send = shared.pools.send

    async def aclose(self) -> None:
        """End the lease."""
        if self._is_held:
            self._is_held = False
            self._shared.leases -= 1
            if not self._shared.leases:
                await self._shared.pools.aclose()


class Driven:
    """A sender for sync clients, over one whose every step is sync."""

    def __init__(self, sender: Any) -> None:
        self.sender = sender

    def send(self, exchange: Exchange, request: Any) -> Body:
        """Send a request; the body for sync callers."""
        return drive.run(self.sender.send(exchange, request))  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close the sender."""
        drive.run(self.sender.aclose())


class RoamingLease:
    """The hold of an async SDK client that was made where no event loop ran: one lease per loop it is used on."""

    def __init__(self, lease: Callable[[AbstractEventLoop], Lease]) -> None:
        self._lease = lease
        self._leases: weakref.WeakKeyDictionary[AbstractEventLoop, Lease] = weakref.WeakKeyDictionary()

    async def send(self, exchange: Exchange, request: Any) -> AsyncBody:
        """Send a request over the connections of the running loop."""
        import asyncio

        loop = asyncio.get_running_loop()
        lease = self._leases.get(loop)
        if lease is None:
            lease = self._leases[loop] = self._lease(loop)
        return await lease.send(exchange, request)  # type: ignore[no-any-return]

    async def aclose(self) -> None:
        """End the lease on the running loop; other loops end theirs with themselves."""
        import asyncio

        lease = self._leases.pop(asyncio.get_running_loop(), None)
        if lease is not None:
            await lease.aclose()
