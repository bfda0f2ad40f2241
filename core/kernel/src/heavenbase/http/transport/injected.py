"""Senders over the transport that a kernel was given, in both colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import HBError, PluginContractError
from heavenbase.http.transport.body import AsyncBody, Body
from heavenbase.http.transport.protocol import HTTPRequest, HTTPResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from heavenbase.http.transport.exchange import Exchange
    from heavenbase.http.transport.protocol import HTTPTransport


class InjectedSender:
    """Sends through `services.transport`."""

    def __init__(self, transport: HTTPTransport) -> None:
        self._transport = transport

    def send(self, exchange: Exchange, request: Any) -> Body:
        """Send a request of httpx or httpx2."""
        exchange.read_limit()
        failure: HBError
        try:
            answer = self._transport.send(_plain(request, request.read()))
        except HBError:
            raise
        except Exception as error:
            failure = explain(exchange, error)
        else:
            _head(exchange, answer)
            body = answer.body
            if isinstance(body, bytes):
                body = [body] if body else []
            if not hasattr(body, "__iter__"):
                raise PluginContractError("the kernel's transport answered a sync request with an async body")
            exchange.body = Body(exchange, _paced(exchange, body), lambda: _close(body), explain)
            return exchange.body
        raise failure

    def close(self) -> None:
        """Nothing: the transport is its owner's."""


class AsyncInjectedSender:
    """Async form of `InjectedSender`."""

    def __init__(self, transport: HTTPTransport) -> None:
        self._transport = transport

    async def send(self, exchange: Exchange, request: Any) -> AsyncBody:
        """Send a request of httpx or httpx2."""
        import asyncio

        plain = _plain(request, await request.aread())
        failure: HBError
        try:
            async with asyncio.timeout(exchange.read_limit()):
                answer = await self._transport.asend(plain)
        except HBError:
            raise
        except Exception as error:
            failure = explain(exchange, error)
        else:
            _head(exchange, answer)
            source = _apaced(exchange, answer.body)

            async def close() -> None:
                await source.aclose()  # type: ignore[attr-defined]
                await _aclose(answer.body)

            exchange.abody = AsyncBody(exchange, source, close, explain)
            return exchange.abody
        raise failure

    async def aclose(self) -> None:
        """Nothing: the transport is its owner's."""


def explain(exchange: Exchange, error: Exception) -> HBError:
    """The error of hb for what a transport raised."""
    if isinstance(error, TimeoutError):
        return exchange.timed_out()
    return exchange.closed(f"broke the connection ({type(error).__name__})")


def _plain(request: Any, body: bytes) -> HTTPRequest:
    return HTTPRequest(request.method, str(request.url), tuple(request.headers.multi_items()), body)


def _head(exchange: Exchange, answer: HTTPResponse) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    exchange.head(answer.status, headers)


def _paced(exchange: Exchange, body: Any) -> Iterator[bytes]:
    pieces = iter(body)
    while True:
        exchange.read_limit()
        piece = next(pieces, None)
        if piece is None:
            return
        exchange.arrived()
        yield piece


async def _apaced(exchange: Exchange, body: Any) -> AsyncIterator[bytes]:
    import asyncio

    if not hasattr(body, "__aiter__"):
        for piece in _paced(exchange, [body] if isinstance(body, bytes) else body):
            yield piece
        return
    pieces = body.__aiter__()
    while True:
        async with asyncio.timeout(exchange.read_limit()):
            try:
                piece = await anext(pieces)
            except StopAsyncIteration:
                return
        exchange.arrived()
        yield piece


def _close(body: Any) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()


async def _aclose(body: Any) -> None:
    aclose = getattr(body, "aclose", None)
    if aclose is not None:
        await aclose()
    else:
        _close(body)
