"""Connections kept for the next request, shared by all SDK clients on one route; on httpcore2, in both colours.

httpcore2 looks through all connections of a pool at each request, so a route has many small pools: one more per
origin whenever the others are full. The bound on all of them together is `Slots`.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpcore2

from heavenbase.errors import HBError, InputError
from heavenbase.http.transport.anetwork import AsyncBackend
from heavenbase.http.transport.connections import Route, proxy_credentials, tls_context
from heavenbase.http.transport.logs import scrub_logs
from heavenbase.http.transport.network import Backend
from heavenbase.http.transport.sender import KEEPALIVE, Sender, close_with_loop

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from heavenbase.http.transport.exchange import Exchange

SHARD = 32
"""Connections of one httpcore2 pool."""


for _part in ("connection", "http11", "proxy"):
    scrub_logs(f"httpcore2.{_part}")


@dataclass(slots=True, eq=False)
class _Shard:
    pool: Any
    active: int = 0


class CoreSender(Sender):
    """Sends through pools or connections of httpcore2; `_take` gives a `_Shard` with one."""

    async def _open(self, exchange: Exchange, request: Any, used: _Shard) -> tuple[Any, Any]:
        if not isinstance(request, httpcore2.Request):
            url = request.url
            # The limits of httpx are left behind: those of the exchange count.
            request = httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
            )
        pool = used.pool
        response = await pool.handle_async_request(request) if self.is_async else pool.handle_request(request)
        exchange.head(response.status, response.headers)
        stream = response.stream
        return stream.__aiter__() if self.is_async else iter(stream), stream

    async def _end(self, source: Any, answer: Any) -> None:
        if self.is_async:
            await source.aclose()
            await answer.aclose()
        else:
            answer.close()

    async def _close(self, shard: _Shard) -> None:
        await shard.pool.aclose() if self.is_async else shard.pool.close()

    @staticmethod
    def explain(exchange: Exchange, error: Exception) -> HBError:
        """The error of hb for one of httpcore2's."""
        if isinstance(error, httpcore2.RemoteProtocolError):
            if exchange.eof:
                return exchange.closed("closed the connection before the answer was complete")
            return exchange.no_http()
        if isinstance(error, httpcore2.ProxyError):
            return exchange.connect_failed(f"the proxy answered {str(error)[:100]!r}")
        if isinstance(error, httpcore2.LocalProtocolError | httpcore2.UnsupportedProtocol):
            # The library's text repeats the offending header, which may be a credential.
            return InputError(f"{exchange.target}: the request has a header or URL that HTTP cannot carry")
        return exchange.closed(f"broke the connection ({type(error).__name__})")


class Pools(CoreSender):
    """Connections of one route: of sync callers, or of those on one event loop."""

    def __init__(self, route: Route, *, is_async: bool) -> None:
        super().__init__(route.max_connections, is_async=is_async)
        self._route = route
        self._lock = threading.Lock()
        self._shards: dict[tuple[bytes, bytes, int | None], list[_Shard]] = {}
        if is_async:
            self._at_end = close_with_loop(self.aclose)

    async def aclose(self) -> None:
        """Close the connections that nothing uses; the others as soon as their answer is read."""
        with self._lock:
            self.is_closing = True
            idle = [shard for shards in self._shards.values() for shard in shards if not shard.active]
        for shard in idle:
            await self._close(shard)

    def _take(self, request: Any) -> _Shard:
        url = request.url
        origin = (url.raw_scheme, url.raw_host, url.port)
        with self._lock:
            shards = self._shards.setdefault(origin, [])
            for shard in shards:
                if shard.active < SHARD:
                    break
            else:
                shard = _Shard(make_pool(self._route, url.scheme == "https", is_async=self.is_async))
                shards.append(shard)
            shard.active += 1
            return shard

    async def _give_back(self, used: _Shard) -> None:
        with self._lock:
            used.active -= 1
            is_last = self.is_closing and not used.active
        if is_last:
            await self._close(used)


class SingleConnection(CoreSender):
    """One connection outside of all pools, to the first of these addresses that takes it; none is looked up.

    It sends a request of httpcore2, and is closed when the answer is.
    """

    def __init__(
        self, url: httpcore2.URL, addresses: Sequence[str], tls: ssl.SSLContext | None, *, is_async: bool
    ) -> None:
        super().__init__(1, is_async=is_async)
        backend: Any = AsyncBackend(addresses=addresses) if is_async else Backend(addresses=addresses)
        connection = httpcore2.AsyncHTTPConnection if is_async else httpcore2.HTTPConnection
        self._only = _Shard(connection(origin=url.origin, ssl_context=tls, network_backend=backend))

    def _take(self, request: Any) -> _Shard:
        return self._only

    async def _give_back(self, used: _Shard) -> None:
        await self._close(used)


def make_pool(route: Route, secure: bool, *, is_async: bool) -> Any:
    """A pool of `SHARD` connections, all of which may be kept."""
    proxy = None
    if route.proxy is not None:
        # The user name stands in the URL; httpcore2 wants both apart.
        bare = httpcore2.URL(route.proxy)
        url = httpcore2.URL(scheme=bare.scheme, host=bare.host.rpartition(b"@")[2], port=bare.port, target=b"/")
        proxy = httpcore2.Proxy(url, auth=proxy_credentials(route.proxy))
    tunnel = secure and proxy is not None
    pool = httpcore2.AsyncConnectionPool if is_async else httpcore2.ConnectionPool
    backend: Any = AsyncBackend(tunnel=tunnel) if is_async else Backend(tunnel=tunnel)
    return pool(
        ssl_context=tls_context(route.ca_file, route.trusts_env) if secure else None,
        proxy=proxy,
        max_connections=SHARD,
        max_keepalive_connections=SHARD,
        keepalive_expiry=KEEPALIVE,
        network_backend=backend,
    )
