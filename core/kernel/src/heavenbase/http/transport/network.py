"""Sockets for httpcore2's connection pools, under the clocks of the current exchange; sync.

Errors are those of the exchange, but for three that httpcore2 acts on: WriteError (an early answer may still be
read), ConnectionNotAvailable (a kept connection was gone; the pool takes another), and the end of the stream.
"""

from __future__ import annotations

import socket
import ssl
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpcore2

from heavenbase.http.transport.exchange import Exchange, current, is_readable, reason
from heavenbase.http.transport.framing import Framing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heavenbase.errors import HBError

COALESCE = 16 * 1024
"""Bytes held back so that the head and a short body leave in one packet."""


def resolve(host: str, port: int) -> list[Any]:
    """The addresses of a host, as `socket.getaddrinfo` gives them."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


class Stream(httpcore2.NetworkStream):
    """One connection. `tunnel` until TLS stands over it, when what travels before is not the request."""

    def __init__(self, connection: socket.socket, exchange: Exchange, *, tunnel: bool) -> None:
        self._socket = connection
        self._exchange: Exchange = exchange
        self._tunnel = tunnel
        self._used = False
        self._framing = Framing()
        self._held = b""
        self._limit = connection.gettimeout()

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Take bytes of a request; they leave when enough has come, or at the next read."""
        if not self._tunnel:
            exchange = current()
            if exchange is not self._exchange or not self._used:
                if self._used and self._is_over():
                    raise httpcore2.ConnectionNotAvailable
                self._exchange = exchange
                self._framing.begin(exchange, is_bare=buffer.startswith(b"HEAD "))
                exchange.is_reused = self._used
                self._used = True
        self._held += buffer
        if len(self._held) > COALESCE:
            self._flush()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes of the answer; b"" at its end."""
        exchange = self._exchange
        if self._held:
            try:
                self._flush()
            except httpcore2.WriteError:
                # The peer may have answered before it had read everything.
                pass
        while self._framing.failure is None:
            self._allow(exchange.connect_limit() if self._tunnel else exchange.read_limit())
            try:
                data = self._socket.recv(max_bytes)
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

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Stream:
        """The same connection under TLS."""
        exchange = current()
        try:
            self._flush()
            self._allow(exchange.connect_limit())
            secured = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise handshake_failure(exchange, error) from None
            raise
        return Stream(secured, exchange, tunnel=False)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore2 asks: the TLS object, whether bytes wait (on an idle connection: the peer's end)."""
        if info == "is_readable":
            return self._is_over()  # also asked of connections that nobody will use
        return getattr(self._socket, "_sslobj", None) if info == "ssl_object" else None

    def _is_over(self) -> bool:
        """Whether an unused connection cannot serve again: all that can wait there is its end, or what nobody asked."""
        return self._framing.is_spent or is_readable(self._socket)

    def _flush(self) -> None:
        held, self._held = memoryview(self._held), b""
        exchange = self._exchange
        try:
            while held:
                self._allow(exchange.connect_limit() if self._tunnel else exchange.write_limit())
                held = held[self._socket.send(held) :]
        except OSError as error:
            raise write_failure(exchange, error) from None

    def _allow(self, limit: float | None) -> None:
        # Setting a socket's timeout is a system call; most reads have the same limit as the one before.
        if limit != self._limit:
            self._socket.settimeout(limit)
            self._limit = limit


@dataclass(eq=False)
class Backend(httpcore2.NetworkBackend):
    """Dials TCP. `tunnel` when it dials a proxy that TLS goes through; `addresses` are dialled whatever the host."""

    tunnel: bool = False
    addresses: Sequence[str] = ()

    def connect_tcp(self, host: str, port: int, *unused: Any, **ignored: Any) -> Stream:
        """A connection to the first address that takes one; name and addresses share the connect limit."""
        exchange = current()
        exchange.host = f"{host}:{port}"
        addresses = self._addresses(host, port, exchange)
        failures = []
        for place, (family, kind, protocol, _, address) in enumerate(addresses):
            limit = exchange.connect_limit()
            if limit is not None and place < len(addresses) - 1:
                # An address that swallows packets must leave time for the next one.
                limit /= 2
            try:
                connection = _dial(family, kind, protocol, address, limit)
            except OSError as error:
                failures.append(f"{address[0]}: {reason(error)}")
                if isinstance(error, TimeoutError) and place == len(addresses) - 1:
                    raise exchange.timed_out() from None
            else:
                return Stream(connection, exchange, tunnel=self.tunnel)
        raise exchange.connect_failed("; ".join(failures) or "the name has no address")

    def _addresses(self, host: str, port: int, exchange: Exchange) -> list[Any]:
        if self.addresses:
            return [found for address in self.addresses for found in _numeric(address, port)]
        try:
            return _numeric(host, port)
        except socket.gaierror:
            pass
        # The system's resolver takes no time limit, so it is asked in a thread that can be left behind.
        found: Future[list[Any]] = Future()

        def ask() -> None:
            try:
                found.set_result(resolve(host, port))
            except Exception as error:
                found.set_exception(error)

        threading.Thread(target=ask, name="hb-resolve", daemon=True).start()
        try:
            return found.result(exchange.connect_limit())
        except Exception as error:
            if not found.done():
                raise exchange.timed_out() from None
            raise exchange.connect_failed(f"the name does not resolve ({reason(error)})") from None


def _numeric(address: str, port: int) -> list[Any]:
    return socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)


def _dial(family: int, kind: int, protocol: int, address: Any, limit: float | None) -> socket.socket:
    connection = socket.socket(family, kind, protocol)
    try:
        connection.settimeout(limit)
        connection.connect(address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection


def read_failure(exchange: Exchange, error: OSError) -> HBError:
    """What it means that no bytes of the answer came."""
    if isinstance(error, TimeoutError):
        return exchange.timed_out()
    return exchange.closed(f"broke the connection ({error.strerror or type(error).__name__})")


def write_failure(exchange: Exchange, error: OSError) -> Exception:
    """What it means that bytes of the request were not taken."""
    if isinstance(error, TimeoutError):
        return exchange.timed_out()
    if exchange.is_reused:
        return httpcore2.ConnectionNotAvailable()
    exchange.write_failed = True
    return httpcore2.WriteError(str(error))


def handshake_failure(exchange: Exchange, error: OSError) -> HBError:
    """What it means that TLS did not come about."""
    if isinstance(error, TimeoutError):
        return exchange.timed_out()
    if isinstance(error, ssl.SSLCertVerificationError):
        return exchange.tls_failed(error.verify_message)
    return exchange.connect_failed(f"TLS handshake failed ({reason(error)})")
