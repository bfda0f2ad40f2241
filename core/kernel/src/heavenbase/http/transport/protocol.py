"""The way to the wire that a kernel may be given: requests and answers as plain data, no HTTP library's types.

`InjectedSender` stands over it, with the clocks and errors of all senders.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from heavenbase.colour import drive
from heavenbase.errors import PluginContractError
from heavenbase.http.transport.sender import Sender

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from heavenbase.errors import HBError
    from heavenbase.http.transport.exchange import Exchange


@dataclass(frozen=True, slots=True)
class HTTPRequest:
    """One request: absolute URL, headers in order (the credential is among them), whole body."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """The first header of this name, in any case."""
        return next((value for found, value in self.headers if found.lower() == name.lower()), None)

    def __repr__(self) -> str:
        # Headers may hold a credential.
        return f"HTTPRequest({self.method!r}, {self.url!r}, {len(self.headers)} headers, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True)
class HTTPResponse:
    """One answer; a streamed `body` is closed by hb (`close` or `aclose`, where it has one).

    Async calls take sync bodies too. What `send` or reading the body raises should be of `heavenbase.errors`; an
    OSError becomes TransportClosed.
    """

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes | Iterable[bytes] | AsyncIterable[bytes] = b""


class HTTPTransport(Protocol):
    """What `Kernel(transport=...)` takes: every gateway over HTTP sends through it instead of sockets."""

    def send(self, request: HTTPRequest) -> HTTPResponse:
        """Send one request of a sync call; return as soon as the headers are there."""

    async def asend(self, request: HTTPRequest) -> HTTPResponse:
        """Async form of `send`."""


class InjectedSender(Sender):
    """Sends through `services.transport`, in one colour; its connections are its owner's."""

    def __init__(self, transport: HTTPTransport, *, is_async: bool) -> None:
        super().__init__(sys.maxsize, is_async=is_async)
        self._transport = transport

    async def _open(self, exchange: Exchange, request: Any, used: None) -> tuple[Any, Any]:
        limit = exchange.read_limit()
        if self.is_async:
            async with asyncio.timeout(limit):
                answer = await self._transport.asend(_plain(request, await request.aread()))
        else:
            answer = self._transport.send(_plain(request, request.read()))
        if type(answer.status) is not int:
            raise TypeError(f"its status is a {type(answer.status).__name__}")
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        exchange.head(answer.status, headers)
        body = answer.body
        source = _paced(exchange, body)
        if self.is_async:
            return source, body
        if not hasattr(body, "__iter__"):
            raise PluginContractError("the kernel's transport answered a sync request with an async body")
        return drive.iterate(source), body

    @staticmethod
    def explain(exchange: Exchange, error: Exception) -> HBError:
        """The error of hb for what the transport raised, or for what its answer cannot be read with."""
        if isinstance(error, TypeError | AttributeError | ValueError):
            return PluginContractError(f"{exchange.target}: the kernel's transport gave no HTTPResponse: {error}")
        return Sender.explain(exchange, error)

    async def _end(self, source: Any, answer: Any) -> None:
        await drive.aclose(source)
        await drive.aclose(answer)


def _plain(request: Any, body: bytes) -> HTTPRequest:
    return HTTPRequest(request.method, str(request.url), tuple(request.headers.multi_items()), body)


async def _paced(exchange: Exchange, body: Any) -> AsyncGenerator[bytes, None]:
    is_async = hasattr(body, "__aiter__")
    pieces: Any = aiter(body) if is_async else iter([body] if isinstance(body, bytes) and body else body)
    while True:
        limit = exchange.read_limit()
        if is_async:
            async with asyncio.timeout(limit):
                piece = await anext(pieces, None)
        else:
            piece = next(pieces, None)
        if piece is None:
            return
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise TypeError(f"its body has a {type(piece).__name__} in place of bytes")
        exchange.arrived()
        yield bytes(piece)
