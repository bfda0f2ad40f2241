"""Transports for the HTTP clients of SDKs, over hb's connections; for httpx2 and, for older SDKs, httpx.

To the SDK such a transport is any other: it raises the HTTP library's exceptions. Each has the error of hb as its
cause, which `hb_error` finds again however often the SDK wrapped it.
"""

from __future__ import annotations

from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from heavenbase.errors import (
    CallTimeout,
    ConnectError,
    ConnectTimeout,
    HBError,
    PoolTimeout,
    TLSVerifyError,
    TransportClosed,
)
from heavenbase.http.transport.body import ACCEPT_ENCODING
from heavenbase.http.transport.exchange import CURRENT, Exchange
from heavenbase.http.transport.logs import scrub_logs
from heavenbase.spec import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from heavenbase.http.transport.body import AsyncBody, Body

# Per request, the more special class first.
_EXCEPTIONS: tuple[tuple[type[HBError], str], ...] = (
    (PoolTimeout, "PoolTimeout"),
    (ConnectTimeout, "ConnectTimeout"),
    (CallTimeout, "ReadTimeout"),
    (ConnectError, "ConnectError"),
    (TLSVerifyError, "ConnectError"),
    (TransportClosed, "ReadError"),
)


def sync_client(module: Any, sender: Any, timeouts: Timeouts) -> Any:
    """An `httpx.Client` (of the given module) over a sender; closing it drops idle connections, no more."""
    classes = _classes(module)
    return classes.client(transport=classes.transport(sender), **_settings(module, timeouts))


def async_client(module: Any, sender: Any, timeouts: Timeouts) -> Any:
    """An `httpx.AsyncClient` (of the given module) over a sender; closing it drops idle connections, no more."""
    classes = _classes(module)
    return classes.async_client(transport=classes.transport(sender), **_settings(module, timeouts))


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
        # A client serves many callers: what a server sets for one of them is not told with the calls of the others.
        "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=())),
    }


def _exchange(request: Any) -> Exchange:
    """The exchange of a request that an exported client makes on its own."""
    limits = request.extensions.get("timeout", {})
    read = limits.get("read")
    timeouts = Timeouts(limits.get("connect"), read, read, None, None, limits.get("pool"))
    return Exchange(f"{request.url.scheme}://{request.url.host}", timeouts, may_stream=True)


@lru_cache(maxsize=4)
def _classes(module: Any) -> SimpleNamespace:
    """The classes for one HTTP library; those but its clients serve both colours."""
    scrub_logs(module.__name__)

    def raised(error: HBError, request: Any) -> Exception:
        name = next((name for kind, name in _EXCEPTIONS if isinstance(error, kind)), "RemoteProtocolError")
        return getattr(module, name)(str(error), request=request)  # type: ignore[no-any-return]

    class Stream(module.SyncByteStream, module.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, body: Any, request: Any) -> None:
            self._body = body
            self._request = request

        def __iter__(self) -> Iterator[bytes]:
            try:
                yield from self._body
            except HBError as error:
                raise raised(error, self._request) from error

        def close(self) -> None:
            self._body.close()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            try:
                async for piece in self._body:
                    yield piece
            except HBError as error:
                raise raised(error, self._request) from error

        async def aclose(self) -> None:
            await self._body.aclose()

    def response(exchange: Exchange, body: Body | AsyncBody, request: Any) -> Any:
        headers = exchange.headers
        if not body.is_plain or body.is_refusal:
            # The body is unpacked here, under its limit, or as far as it came; the library must not try again.
            gone = (b"content-encoding", b"content-length")
            headers = [(name, value) for name, value in headers if name.lower() not in gone]
        return module.Response(exchange.status, headers=headers, stream=Stream(body, request))

    class Transport(module.BaseTransport, module.AsyncBaseTransport):  # type: ignore[misc]
        def __init__(self, sender: Any) -> None:
            self._sender = sender

        def handle_request(self, request: Any) -> Any:
            exchange = CURRENT.get()
            if exchange is None:
                with _exchange(request).active():
                    return self.handle_request(request)
            try:
                body = self._sender.send(exchange, request)
            except HBError as error:
                raise raised(error, request) from error
            return response(exchange, body, request)

        def close(self) -> None:
            self._sender.close()

        async def handle_async_request(self, request: Any) -> Any:
            exchange = CURRENT.get()
            if exchange is None:
                with _exchange(request).active():
                    return await self.handle_async_request(request)
            try:
                body = await self._sender.send(exchange, request)
            except HBError as error:
                raise raised(error, request) from error
            return response(exchange, body, request)

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

    return SimpleNamespace(transport=Transport, client=Client, async_client=AsyncClient)
