"""Transports for the HTTP clients of SDKs, over hb's connections; for httpx2 and, for older SDKs, httpx.

To the SDK such a transport is any other: it raises the HTTP library's exceptions. Each has the error of hb as its
cause, which `hb_error` finds again however often the SDK wrapped it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from heavenbase.errors import (
    CallTimeout,
    ConnectError,
    ConnectTimeout,
    HBError,
    PoolTimeout,
    TLSVerifyError,
    TransportClosed,
)
from heavenbase.http.transport.body import ACCEPT_ENCODING, AsyncBody, Body
from heavenbase.http.transport.exchange import CURRENT, Exchange
from heavenbase.spec import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

# Per request, the more special class first.
_EXCEPTIONS: tuple[tuple[type[HBError], str], ...] = (
    (PoolTimeout, "PoolTimeout"),
    (ConnectTimeout, "ConnectTimeout"),
    (CallTimeout, "ReadTimeout"),
    (ConnectError, "ConnectError"),
    (TLSVerifyError, "ConnectError"),
    (TransportClosed, "ReadError"),
)


class Sender(Protocol):
    """What sends a request of httpx or httpx2 for a sync transport."""

    def send(self, exchange: Exchange, request: Any) -> Body: ...

    def close(self) -> None: ...


class AsyncSender(Protocol):
    """What sends a request of httpx or httpx2 for an async transport."""

    async def send(self, exchange: Exchange, request: Any) -> AsyncBody: ...

    async def aclose(self) -> None: ...


def sync_client(module: Any, sender: Sender, timeouts: Timeouts) -> Any:
    """An `httpx.Client` (of the given module) over a sender; closing it drops idle connections, no more."""
    classes = _classes(module)
    return classes.client(transport=classes.transport(sender), **_settings(module, timeouts))


def async_client(module: Any, sender: AsyncSender, timeouts: Timeouts) -> Any:
    """An `httpx.AsyncClient` (of the given module) over a sender; closing it drops idle connections, no more."""
    classes = _classes(module)
    return classes.async_client(transport=classes.async_transport(sender), **_settings(module, timeouts))


def hb_error(error: BaseException | None) -> HBError | None:
    """The error of hb in a chain of causes."""
    while error is not None:
        if isinstance(error, HBError):
            return error
        error = error.__cause__
    return None


def _settings(module: Any, timeouts: Timeouts) -> dict[str, Any]:
    # Only what the SDK does on its own, through an exported client, goes by these limits.
    read = max((limit for limit in (timeouts.first_token, timeouts.idle) if limit is not None), default=None)
    limits = module.Timeout(connect=timeouts.connect, read=read, write=timeouts.idle, pool=timeouts.pool)
    return {
        "timeout": limits,
        "trust_env": False,
        "follow_redirects": False,
        "headers": {"accept-encoding": ACCEPT_ENCODING},
    }


def _exchange(request: Any) -> Exchange:
    """The exchange of a request that an exported client makes on its own."""
    limits = request.extensions.get("timeout", {})
    read = limits.get("read")
    timeouts = Timeouts(limits.get("connect"), read, read, None, None, limits.get("pool"))
    return Exchange(f"{request.url.scheme}://{request.url.host}", timeouts)


class _Classes:
    """The four classes for one HTTP library."""

    def __init__(self, module: Any) -> None:
        def raised(error: HBError, request: Any) -> Exception:
            name = next((name for kind, name in _EXCEPTIONS if isinstance(error, kind)), "RemoteProtocolError")
            return getattr(module, name)(str(error), request=request)  # type: ignore[no-any-return]

        def response(exchange: Exchange, body: Body | AsyncBody, stream: Any) -> Any:
            headers = exchange.headers
            if not body.is_plain:
                # The body is unpacked here, under its limit; the library must not try again.
                gone = (b"content-encoding", b"content-length")
                headers = [(name, value) for name, value in headers if name.lower() not in gone]
            return module.Response(exchange.status, headers=headers, stream=stream)

        class Stream(module.SyncByteStream):  # type: ignore[misc]
            def __init__(self, body: Body, request: Any) -> None:
                self._body = body
                self._request = request

            def __iter__(self) -> Iterator[bytes]:
                try:
                    yield from self._body
                except HBError as error:
                    raise raised(error, self._request) from error

            def close(self) -> None:
                self._body.close()

        class AsyncStream(module.AsyncByteStream):  # type: ignore[misc]
            def __init__(self, body: AsyncBody, request: Any) -> None:
                self._body = body
                self._request = request

            async def __aiter__(self) -> AsyncIterator[bytes]:
                try:
                    async for piece in self._body:
                        yield piece
                except HBError as error:
                    raise raised(error, self._request) from error

            async def aclose(self) -> None:
                await self._body.aclose()

        class Transport(module.BaseTransport):  # type: ignore[misc]
            def __init__(self, sender: Sender) -> None:
                self._sender = sender

            def handle_request(self, request: Any) -> Any:
                exchange = CURRENT.get()
                try:
                    if exchange is None:
                        exchange = _exchange(request)
                        with exchange.active():
                            body = self._sender.send(exchange, request)
                    else:
                        body = self._sender.send(exchange, request)
                except HBError as error:
                    raise raised(error, request) from error
                return response(exchange, body, Stream(body, request))

            def close(self) -> None:
                self._sender.close()

        class AsyncTransport(module.AsyncBaseTransport):  # type: ignore[misc]
            def __init__(self, sender: AsyncSender) -> None:
                self._sender = sender

            async def handle_async_request(self, request: Any) -> Any:
                exchange = CURRENT.get()
                try:
                    if exchange is None:
                        exchange = _exchange(request)
                        with exchange.active():
                            body = await self._sender.send(exchange, request)
                    else:
                        body = await self._sender.send(exchange, request)
                except HBError as error:
                    raise raised(error, request) from error
                return response(exchange, body, AsyncStream(body, request))

            async def aclose(self) -> None:
                await self._sender.aclose()

        class Client(module.Client):  # type: ignore[misc]
            # The connections are shared with other SDK clients, and the SDK client with other callers: a caller who
            # closes what was exported to him must not end them.
            def close(self) -> None:
                self._transport.close()

        class AsyncClient(module.AsyncClient):  # type: ignore[misc]
            async def aclose(self) -> None:
                await self._transport.aclose()

        self.transport = Transport
        self.async_transport = AsyncTransport
        self.client = Client
        self.async_client = AsyncClient


_classes = lru_cache(maxsize=4)(_Classes)
