"""A sender over the transport that a kernel was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.colour import drive
from heavenbase.errors import HBError, PluginContractError
from heavenbase.http.transport.body import AsyncBody, Body
from heavenbase.http.transport.protocol import HTTPRequest, HTTPResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from heavenbase.http.transport.exchange import Exchange
    from heavenbase.http.transport.protocol import HTTPTransport


class InjectedSender:
    """Sends through `services.transport`, in one colour."""

    def __init__(self, transport: HTTPTransport, *, is_async: bool) -> None:
        self._transport = transport
        self._is_async = is_async

    async def send(self, exchange: Exchange, request: Any) -> AsyncBody | Body:
        """Send a request of httpx or httpx2."""
        limit = exchange.read_limit()
        failure: HBError
        try:
            if self._is_async:
                import asyncio

                async with asyncio.timeout(limit):
                    answer = await self._transport.asend(_plain(request, await request.aread()))
            else:
                answer = self._transport.send(_plain(request, request.read()))
        except HBError:
            raise
        except Exception as error:
            failure = explain(exchange, error)
        else:
            _head(exchange, answer)
            body = answer.body
            if not self._is_async and not hasattr(body, "__iter__"):
                raise PluginContractError("the kernel's transport answered a sync request with an async body")
            source = _paced(exchange, body)

            async def close() -> None:
                await source.aclose()
                await _close(body)

            if self._is_async:
                exchange.abody = AsyncBody(exchange, source, close, explain)
                return exchange.abody
            exchange.body = Body(exchange, drive.iterate(source), lambda: drive.run(close()), explain)
            return exchange.body
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


async def _paced(exchange: Exchange, body: Any) -> AsyncGenerator[bytes, None]:
    if not hasattr(body, "__aiter__"):
        pieces: Iterator[bytes] = iter([body] if isinstance(body, bytes) and body else body)
        while True:
            exchange.read_limit()
            found = next(pieces, None)
            if found is None:
                return
            exchange.arrived()
            yield found
    import asyncio

    apieces = body.__aiter__()
    while True:
        async with asyncio.timeout(exchange.read_limit()):
            try:
                piece = await anext(apieces)
            except StopAsyncIteration:
                return
        exchange.arrived()
        yield piece


async def _close(body: Any) -> None:
    aclose = getattr(body, "aclose", None)
    if aclose is not None:
        await aclose()
    elif hasattr(body, "close"):
        body.close()
