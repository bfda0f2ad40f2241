"""Sockets for httpcore2's connection pools, under the clocks of the current exchange; asyncio.

The same rules as in `network`. One timer per connection serves all its reads: it is moved only when it fires.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpcore2

from heavenbase.http.transport.exchange import current, is_readable, reason
from heavenbase.http.transport.framing import Framing
from heavenbase.http.transport.network import (
    COALESCE,
    handshake_failure,
    read_failure,
    write_failure,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from heavenbase.errors import HBError
    from heavenbase.http.transport.exchange import Exchange

_HIGH_WATER = 256 * 1024


class Wire(asyncio.Protocol):
    """What arrives on one connection, kept until it is asked for."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.eof = False
        self.error: Exception | None = None
        self._loop = asyncio.get_running_loop()
        self._arrived: deque[bytes] = deque()
        self._size = 0
        self._is_paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._is_writable = True
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    # Called by the loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Keep the bytes; stop the peer when nobody reads them."""
        self._arrived.append(data)
        self._size += len(data)
        if self._size > _HIGH_WATER and not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """The peer sends no more; let the transport close."""
        self.eof = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.eof = True
        self.error = exc
        self._wake()

    def pause_writing(self) -> None:
        """The peer reads slower than we write."""
        self._is_writable = False

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self._is_writable = True
        self._wake()

    # Called by the stream

    @property
    def has_arrived(self) -> bool:
        """Whether something waits to be read, if only the end."""
        return bool(self._arrived) or self.eof

    async def receive(self, limit: float | None, most: int) -> bytes:
        """The next bytes, b"" at the end. TimeoutError after `limit` seconds; OSError when the connection broke."""
        while not self._arrived:
            if self.error is not None:
                raise self.error
            if self.eof:
                return b""
            await self._wait(limit)
        data = self._arrived.popleft()
        if len(data) > most:
            self._arrived.appendleft(data[most:])
            data = data[:most]
        self._size -= len(data)
        if self._is_paused and self._size <= _HIGH_WATER // 2:
            self._is_paused = False
            if not self.eof:
                self.transport.resume_reading()
        return data

    async def send(self, data: bytes, limit: float | None) -> None:
        """Send bytes; returns when little enough is left in the process."""
        if self.error is not None or self.transport.is_closing():
            raise self.error or ConnectionResetError("the connection is closed")
        self.transport.write(data)
        while not self._is_writable:
            if self.error is not None or self.eof:
                raise self.error or ConnectionResetError("the connection is closed")
            await self._wait(limit)

    def abort(self) -> None:
        """Close at once."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._loop.is_closed():
            self.transport.abort()

    async def _wait(self, limit: float | None) -> None:
        self._waiter = self._loop.create_future()
        if limit is not None:
            due = self._due = self._loop.time() + limit
            if self._timer is None or self._timer.when() > due:
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = self._loop.call_at(due, self._fire)
        try:
            await self._waiter
        finally:
            self._waiter = self._due = None

    def _fire(self) -> None:
        self._timer = None
        if self._due is None or self._waiter is None:
            return
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._fire)
        elif not self._waiter.done():
            self._waiter.set_exception(TimeoutError())

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class AsyncStream(httpcore2.AsyncNetworkStream):
    """One connection. `tunnel` until TLS stands over it, when what travels before is not the request."""

    def __init__(self, wire: Wire, exchange: Exchange, *, tunnel: bool) -> None:
        self._wire = wire
        self._exchange = exchange
        self._tunnel = tunnel
        self._used = False
        self._framing = Framing()
        self._held = b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Take bytes of a request; they leave when enough has come, or at the next read."""
        if not self._held and not self._tunnel:
            exchange = current()
            if exchange is not self._exchange or not self._used:
                exchange.is_reused = self._used
                self._exchange = exchange
                if self._used and (self._is_over or is_readable(self._wire.transport.get_extra_info("socket"))):
                    # The peer has closed the kept connection, and the loop has not had time to say so.
                    raise httpcore2.ConnectionNotAvailable
                self._used = True
                self._framing.begin(exchange, is_bare=buffer.startswith(b"HEAD "))
        self._held += buffer
        if len(self._held) > COALESCE:
            await self._flush()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes of the answer; b"" at its end."""
        exchange = self._exchange
        if self._held:
            try:
                await self._flush()
            except httpcore2.WriteError:
                # The peer may have answered before it had read everything.
                pass
        while self._framing.failure is None:
            limit = exchange.connect_limit() if self._tunnel else exchange.read_limit()
            try:
                data = await self._wire.receive(limit, max_bytes)
            except OSError as error:
                raise read_failure(exchange, error) from None
            exchange.eof = not data
            if self._tunnel or not data:
                return data
            exchange.arrived()
            data = self._framing.feed(data)
            if data:
                return data
        raise self._framing.failure

    async def aclose(self) -> None:
        """Close the connection at once."""
        self._wire.abort()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> AsyncStream:
        """The same connection under TLS."""
        exchange, wire = current(), self._wire
        try:
            await self._flush()
            async with asyncio.timeout(exchange.connect_limit()):
                transport = await asyncio.get_running_loop().start_tls(
                    wire.transport, wire, ssl_context, server_hostname=server_hostname
                )
        except BaseException as error:
            wire.abort()
            if isinstance(error, OSError):
                raise handshake_failure(exchange, error) from None
            raise
        if transport is None:
            raise exchange.connect_failed("TLS handshake failed (the connection was lost)")
        wire.transport = transport
        return AsyncStream(wire, exchange, tunnel=False)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore2 asks: the TLS object, whether bytes wait (on an idle connection: the peer's end)."""
        if info == "is_readable":
            return self._is_over
        return self._wire.transport.get_extra_info(info)

    @property
    def _is_over(self) -> bool:
        """Whether an unused connection cannot serve again."""
        return self._framing.is_spent or self._wire.has_arrived

    async def _flush(self) -> None:
        held, self._held = self._held, b""
        if not held:
            return
        exchange = self._exchange
        limit = exchange.connect_limit() if self._tunnel else exchange.write_limit()
        try:
            await self._wire.send(held, limit)
        except OSError as error:
            raise write_failure(exchange, error) from None


@dataclass(eq=False)
class AsyncBackend(httpcore2.AsyncNetworkBackend):
    """Dials TCP on the running loop. `tunnel` and `addresses` as in `network.Backend`."""

    tunnel: bool = False
    addresses: Sequence[str] = ()

    async def connect_tcp(self, host: str, port: int, *unused: Any, **ignored: Any) -> AsyncStream:
        """A connection to the first address that takes one; name and addresses share the connect limit."""
        exchange = current()
        exchange.host = f"{host}:{port}"
        loop = asyncio.get_running_loop()
        # Loops of others, such as uvloop's, race no addresses: those of a name are tried one after another.
        races = isinstance(loop, asyncio.BaseEventLoop)
        addresses = self.addresses or ((host,) if races else await _addresses(loop, host, port, exchange))
        failure: HBError | None = None
        for place, address in enumerate(addresses, 1):
            limit = exchange.connect_limit()
            if limit is not None and place < len(addresses):
                limit /= 2
            # A name's next address is tried before the first has failed; racing costs tasks that a number needs not.
            delay = None if not races or address.replace(".", "").isdigit() or ":" in address else 0.25
            racing: Any = {} if delay is None else {"happy_eyeballs_delay": delay}
            try:
                async with asyncio.timeout(limit):
                    _, wire = await loop.create_connection(Wire, address, port, **racing)
                return AsyncStream(wire, exchange, tunnel=self.tunnel)
            except TimeoutError:
                failure = exchange.timed_out()
            except OSError as error:
                failure = exchange.connect_failed(reason(error))
        assert failure is not None
        raise failure


async def _addresses(loop: asyncio.AbstractEventLoop, host: str, port: int, exchange: Exchange) -> Sequence[str]:
    """The addresses of a name, in the resolver's order."""
    try:
        async with asyncio.timeout(exchange.connect_limit()):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise exchange.timed_out() from None
    except OSError as error:
        raise exchange.connect_failed(reason(error)) from None
    return list(dict.fromkeys(str(row[4][0]) for row in found))
