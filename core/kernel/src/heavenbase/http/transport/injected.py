"""A sender over the transport that a kernel was given."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from heavenbase.colour import drive
from heavenbase.errors import HBError, PluginContractError
from heavenbase.http.transport.protocol import HTTPRequest
from heavenbase.http.transport.sender import Sender

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from heavenbase.http.transport.exchange import Exchange
    from heavenbase.http.transport.protocol import HTTPTransport


class InjectedSender(Sender):
    """Sends through `services.transport`, in one colour; its connections are its owner's."""

    def __init__(self, transport: HTTPTransport, *, is_async: bool) -> None:
        super().__init__(sys.maxsize, is_async=is_async)
        self._transport = transport

    async def _open(self, exchange: Exchange, request: Any, used: None) -> tuple[Any, Any]:
        limit = exchange.read_limit()
        if self.is_async:
            import asyncio

            async with asyncio.timeout(limit):
                answer = await self._transport.asend(_plain(request, await request.aread()))
        else:
            answer = self._transport.send(_plain(request, request.read()))
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        exchange.head(answer.status, headers)
        body = answer.body
        source = _paced(exchange, body)
        if self.is_async:
            return source, body
        if not hasattr(body, "__iter__"):
            raise PluginContractError("the kernel's transport answered a sync request with an async body")
        return drive.iterate(source), body

    async def _end(self, source: Any, answer: Any) -> None:
        await drive.aclose(source)
        await drive.aclose(answer)

    @staticmethod
    def explain(exchange: Exchange, error: Exception) -> HBError:
        """The error of hb for what a transport raised."""
        if isinstance(error, TimeoutError):
            return exchange.timed_out()
        return exchange.closed(f"broke the connection ({type(error).__name__})")


def _plain(request: Any, body: bytes) -> HTTPRequest:
    return HTTPRequest(request.method, str(request.url), tuple(request.headers.multi_items()), body)


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
