"""Connections of aiohttp, whose parser is compiled: a third of the CPU of httpcore2's for many calls in flight.

Used where aiohttp is installed. It stands behind the same transport, clocks and errors as `Pools`.
"""

from __future__ import annotations

import asyncio
import io
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from heavenbase.errors import HBError, InputError
from heavenbase.http.transport.connections import Route, proxy_credentials, tls_context
from heavenbase.http.transport.exchange import current, is_readable, reason
from heavenbase.http.transport.framing import HEAD_LIMIT, Framing
from heavenbase.http.transport.sender import KEEPALIVE, Sender, close_with_loop

if TYPE_CHECKING:
    from heavenbase.http.transport.exchange import Exchange

_LARGE = 128 * 1024
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)


class _Watch(asyncio.Protocol):
    """Between a connection and aiohttp's protocol: lets nothing through that breaks HTTP, or that nobody asked for."""

    def __init__(self, protocol: Any, transport: Any) -> None:
        self.framing = Framing()
        self.exchange: Exchange | None = None
        self._protocol = protocol
        self._transport = transport
        for name in ("connection_lost", "eof_received", "pause_writing", "resume_writing"):
            setattr(self, name, getattr(protocol, name))

    def data_received(self, data: bytes) -> None:
        """Pass on what belongs to the answer; end the connection where it cannot be told."""
        framing = self.framing
        data = framing.feed(data)
        if framing.is_spent:
            self._protocol.force_close()
        if data:
            self._protocol.data_received(data)
        if framing.failure is not None and self.exchange is not None:
            self.exchange.failure = framing.failure
            # Not before the reader has had what came: aiohttp drops it when the connection is lost.
            asyncio.get_running_loop().call_soon(self._transport.abort)


class _Connector(aiohttp.TCPConnector):
    """Tells the exchange when it has its connection, and takes none that the peer has closed."""

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:
        exchange = current()
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol: Any = connection.protocol
            transport: Any = connection.transport
            watch = getattr(protocol, "hb_watch", None)
            exchange.is_reused = watch is not None
            if transport is not None and watch is None:
                watch = protocol.hb_watch = _Watch(protocol, transport)
                transport.set_protocol(watch)
            elif watch is not None and (
                transport is None or watch.framing.is_spent or is_readable(transport.get_extra_info("socket"))
            ):
                # The loop has not had time to say that the peer closed it, or more came than was asked for.
                connection.close()
                continue
            try:
                if watch is not None:  # else it is lost already, as the request will see
                    watch.exchange = exchange
                    watch.framing.begin(exchange, is_bare=req.method == "HEAD")
                exchange.arm(exchange.read_limit())
            except BaseException:
                connection.close()
                raise
            return connection


class AiohttpPools(Sender):
    """Connections of one route on one event loop."""

    def __init__(self, route: Route) -> None:
        super().__init__(route.max_connections, is_async=True)
        self._route = route
        self._session: aiohttp.ClientSession | None = None
        self._active = 0
        self._proxy: dict[str, Any] = {}
        if route.proxy is not None:
            credentials = proxy_credentials(route.proxy)
            self._proxy["proxy"] = URL(route.proxy).with_user(None)
            if credentials is not None:
                # aiohttp sends what is called Authorization here as Proxy-Authorization, and to the proxy alone.
                basic = b64encode(":".join(credentials).encode()).decode()
                self._proxy["proxy_headers"] = {"Authorization": f"Basic {basic}"}
        self._at_end = close_with_loop(self.aclose)

    async def aclose(self) -> None:
        """Close the connections, unless an answer is being read: then as soon as it is."""
        self.is_closing = True
        session = self._session
        if session is not None and not self._active:
            self._session = None
            await session.close()

    def _take(self, request: Any) -> None:
        self._active += 1

    async def _give_back(self, used: None) -> None:
        self._active -= 1
        if self.is_closing and not self._active:
            await self.aclose()

    async def _open(self, exchange: Exchange, request: Any, used: None) -> tuple[Any, Any]:
        try:
            content = request.content
        except Exception:  # the RequestNotRead of whichever httpx this is: a multipart form
            content = await request.aread()
        url = request.url
        exchange.host = f"{url.host}:{url.port or (443 if url.scheme == 'https' else 80)}"
        # aiohttp warns of large bytes; and a file tells how much of it was taken.
        file = io.BytesIO(content) if len(content) > _LARGE else None
        loop = asyncio.get_running_loop()
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=_Connector(limit=0, keepalive_timeout=KEEPALIVE),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                auto_decompress=False,
                timeout=_NO_TIMEOUT,
                max_line_size=HEAD_LIMIT,
                max_field_size=HEAD_LIMIT,
            )
        try:
            async with asyncio.timeout(exchange.connect_limit()) as timer:
                exchange.arm = lambda limit: timer.reschedule(None if limit is None else loop.time() + limit)
                response = await self._session.request(
                    request.method,
                    URL(str(url), encoded=True),
                    data=file or content,
                    headers=[(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers.raw],
                    allow_redirects=False,
                    ssl=tls_context(self._route.ca_file, self._route.trusts_env) if url.scheme == "https" else True,
                    **self._proxy,
                )
        except (OSError, aiohttp.ClientConnectionError):
            if file is not None and file.tell() < len(content):
                exchange.write_failed, exchange.sent = True, False
            raise
        exchange.arrived()
        exchange.head(response.status, response.raw_headers)
        return _Source(exchange, response.content), response

    async def _end(self, source: _Source, answer: aiohttp.ClientResponse) -> None:
        if not answer.content.at_eof():
            answer.close()

    @staticmethod
    def explain(exchange: Exchange, error: Exception) -> HBError:
        """The error of hb for one of aiohttp's."""
        if exchange.failure is not None:
            return exchange.failure
        if isinstance(error, TimeoutError):
            return exchange.timed_out()
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return exchange.tls_failed(getattr(error.certificate_error, "verify_message", "unknown reason"))
        if isinstance(error, aiohttp.ClientSSLError):
            return exchange.connect_failed("TLS handshake failed")
        if isinstance(error, aiohttp.ClientConnectorError):
            is_unknown = isinstance(error, aiohttp.ClientConnectorDNSError)
            return exchange.connect_failed("the name does not resolve" if is_unknown else reason(error.os_error))
        if isinstance(error, aiohttp.ClientHttpProxyError):
            return exchange.connect_failed(f"the proxy answered {error.status}")
        if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
            exchange.eof = True
            return exchange.closed("closed the connection before the answer was complete")
        if isinstance(error, aiohttp.InvalidURL | ValueError | TypeError):
            # The library's text repeats the offending header, which may be a credential.
            return InputError(f"{exchange.target}: the request has a header or URL that HTTP cannot carry")
        if isinstance(error, aiohttp.ClientResponseError):
            return exchange.no_http()
        return exchange.closed(f"broke the connection ({type(error).__name__})")


class _Source:
    """The pieces of a body, each awaited no longer than the exchange's clocks allow."""

    __slots__ = ("_content", "_exchange")

    def __init__(self, exchange: Exchange, content: aiohttp.StreamReader) -> None:
        self._exchange = exchange
        self._content = content

    def __aiter__(self) -> _Source:
        return self

    async def __anext__(self) -> bytes:
        limit = self._exchange.read_limit()
        data = self._content.read_nowait(-1)
        if not data:
            if self._content.at_eof():  # as most answers are by now: they need no timer
                raise StopAsyncIteration
            async with asyncio.timeout(limit):
                data = await self._content.readany()
            if not data:
                raise StopAsyncIteration
            self._exchange.arrived()
        return data
