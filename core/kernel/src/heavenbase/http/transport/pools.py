"""Connections kept for the next request, shared by all SDK clients on one route; on httpcore2, in both colours.

httpcore2 looks through all connections of a pool at each request, so a route has many small pools: one more per
origin whenever the others are full. The bound on all of them together is `Slots`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import httpcore2

from heavenbase.colour import drive
from heavenbase.errors import HBError, InputError
from heavenbase.http.transport.anetwork import AsyncBackend
from heavenbase.http.transport.body import AsyncBody, Body
from heavenbase.http.transport.network import Backend
from heavenbase.http.transport.route import Route, proxy_credentials, tls_context
from heavenbase.http.transport.slots import AsyncSlots, Slots

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Sequence

    from heavenbase.http.transport.exchange import Exchange

SHARD = 32
"""Connections of one httpcore2 pool."""

KEEPALIVE = 60.0
"""Seconds that an unused connection is kept."""


class _Shard:
    __slots__ = ("active", "pool")

    def __init__(self, pool: Any) -> None:
        self.pool = pool
        self.active = 0


class Pools:
    """Connections of one route: of sync callers, or of those on one event loop."""

    def __init__(self, route: Route, *, is_async: bool) -> None:
        self._route = route
        self._is_async = is_async
        self._slots: Any = AsyncSlots(route.max_connections) if is_async else Slots(route.max_connections)
        self._lock = threading.Lock()
        self._shards: dict[tuple[bytes, bytes, int | None], list[_Shard]] = {}
        self._is_closing = False
        if is_async:
            self._at_end = close_with_loop(self.aclose)

    async def send(self, exchange: Exchange, request: Any) -> AsyncBody | Body:
        """Send a request of httpx or httpx2; returns when the head of the answer came. Raises errors of hb."""
        is_async = self._is_async
        outgoing = core_request(request)
        if is_async:
            await self._slots.acquire(exchange)
        else:
            self._slots.acquire(exchange)
        shard = self._take(outgoing.url)
        pool = shard.pool
        failure: HBError
        try:
            response = await pool.handle_async_request(outgoing) if is_async else pool.handle_request(outgoing)
            exchange.head(response.status, response.headers)
            stream = response.stream
            source: Any = stream.__aiter__() if is_async else iter(stream)

            async def close() -> None:
                try:
                    if is_async:
                        await source.aclose()
                        await stream.aclose()
                    else:
                        stream.close()
                finally:
                    await self._release(shard, exchange)

            try:
                if is_async:
                    exchange.abody = AsyncBody(exchange, source, close, explain)
                    return exchange.abody
                exchange.body = Body(exchange, source, lambda: drive.run(close()), explain)
                return exchange.body
            except HBError:
                await stream.aclose() if is_async else stream.close()
                raise
        except HBError:
            await self._release(shard, exchange)
            raise
        except Exception as error:
            await self._release(shard, exchange)
            failure = explain(exchange, error)
        except BaseException:
            await self._release(shard, exchange)
            raise
        raise failure

    def open(self) -> None:
        """Keep connections from now on."""
        self._is_closing = False

    async def aclose(self) -> None:
        """Close the connections that nothing uses; the others as soon as their answer is read."""
        with self._lock:
            self._is_closing = True
            idle = [shard for shards in self._shards.values() for shard in shards if not shard.active]
        for shard in idle:
            await self._close(shard)

    def _take(self, url: httpcore2.URL) -> _Shard:
        origin = (url.scheme, url.host, url.port)
        with self._lock:
            shards = self._shards.setdefault(origin, [])
            for shard in shards:
                if shard.active < SHARD:
                    break
            else:
                shard = _Shard(make_pool(self._route, url.scheme == b"https", is_async=self._is_async))
                shards.append(shard)
            shard.active += 1
            return shard

    async def _release(self, shard: _Shard, exchange: Exchange) -> None:
        self._slots.release(exchange)
        with self._lock:
            shard.active -= 1
            is_last = self._is_closing and not shard.active
        if is_last:
            await self._close(shard)

    async def _close(self, shard: _Shard) -> None:
        await shard.pool.aclose() if self._is_async else shard.pool.close()


def core_request(request: Any) -> httpcore2.Request:
    """httpcore2's form of a request of httpx or httpx2; the limits are not in it, they are the exchange's."""
    url = request.url
    return httpcore2.Request(
        method=request.method,
        url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=request.stream,
    )


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
        ssl_context=tls_context(route.ca_file) if secure else None,
        proxy=proxy,
        max_connections=SHARD,
        max_keepalive_connections=SHARD,
        keepalive_expiry=KEEPALIVE,
        network_backend=backend,
    )


def make_connection(url: httpcore2.URL, addresses: Sequence[str], tls: ssl.SSLContext | None, *, is_async: bool) -> Any:
    """One connection outside of all pools, to the first of these addresses that takes it; none is looked up."""
    backend: Any = AsyncBackend(addresses=addresses) if is_async else Backend(addresses=addresses)
    connection = httpcore2.AsyncHTTPConnection if is_async else httpcore2.HTTPConnection
    return connection(origin=url.origin, ssl_context=tls, network_backend=backend)


def explain(exchange: Exchange, error: Exception) -> HBError:
    """The error of hb for one of httpcore2's."""
    if isinstance(error, httpcore2.RemoteProtocolError):
        if exchange.eof:
            return exchange.closed("closed the connection before the answer was complete")
        return exchange.unreadable("is not HTTP")
    if isinstance(error, httpcore2.ProxyError):
        return exchange.connect_failed(f"the proxy answered {str(error)[:100]!r}")
    if isinstance(error, httpcore2.LocalProtocolError | httpcore2.UnsupportedProtocol):
        # The library's text repeats the offending header, which may be a credential.
        return InputError(f"{exchange.target}: the request has a header or URL that HTTP cannot carry")
    return exchange.closed(f"broke the connection ({type(error).__name__})")


def close_with_loop(close: Any) -> AsyncIterator[None]:
    """Have the running loop await `close` when it shuts its async generators down, as `asyncio.run` does at its end.

    The caller keeps what is returned: the loop holds it weakly.
    """

    async def waiting() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await close()

    generator = waiting()
    try:
        # Runs to the yield without suspending; that is where the loop learns of the generator.
        generator.__anext__().send(None)  # type: ignore[attr-defined]
    except StopIteration:
        pass
    return generator
