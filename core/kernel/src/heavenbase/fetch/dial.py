"""Connections that go to checked addresses and end at a deadline: network backends for httpcore2, in both colours."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import httpcore2

from heavenbase.errors import FetchTimeout

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable


class Deadline:
    """The end of all work on one URL; `left` is in seconds and raises FetchTimeout when there is none."""

    __slots__ = ("_clock", "_end", "_name", "_seconds")

    def __init__(self, clock: Callable[[], float], seconds: float, name: str) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self._name = name
        self._seconds = seconds

    def left(self) -> float:
        """Seconds until the end, more than 0."""
        seconds = self._end - self._clock()
        if seconds <= 0:
            raise self.passed()
        return seconds

    def passed(self) -> FetchTimeout:
        """The error to raise when time is up."""
        return FetchTimeout(
            f"the URL at {self._name!r} was not fetched within {self._seconds:g} s; raise the image URL timeout or "
            "pass the bytes"
        )


class _Stream(httpcore2.NetworkStream):
    """A stream whose every wait ends at the deadline, however slowly bytes drip."""

    def __init__(self, inner: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.left())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, self._deadline.left()), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _AsyncStream(httpcore2.AsyncNetworkStream):
    """Async form; the caller's timeout ends a wait, the deadline's clock is asked between waits."""

    def __init__(self, inner: httpcore2.AsyncNetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._deadline.left()
        return await self._inner.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._deadline.left()
        await self._inner.write(buffer)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        return _AsyncStream(await self._inner.start_tls(ssl_context, server_hostname), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class Dialler(httpcore2.NetworkBackend):
    """Connects to the given addresses in turn, whatever host it is asked for; each gets its share of the time."""

    def __init__(self, addresses: tuple[str, ...], deadline: Deadline) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._stream: httpcore2.NetworkStream | None = None

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        inner = httpcore2.SyncBackend()
        for tried, address in enumerate(self._addresses):
            share = self._deadline.left() / (len(self._addresses) - tried)
            with contextlib.suppress(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                self._stream = inner.connect_tcp(address, port, timeout=share)
                return _Stream(self._stream, self._deadline)
        self._deadline.left()
        raise httpcore2.ConnectError("no address answered")

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()


class AsyncDialler(httpcore2.AsyncNetworkBackend):
    """Async form of `Dialler`. It keeps the raw stream, for a handshake that is cancelled leaves it open."""

    def __init__(self, addresses: tuple[str, ...], deadline: Deadline) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._stream: httpcore2.AsyncNetworkStream | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        inner = httpcore2.AnyIOBackend()
        for tried, address in enumerate(self._addresses):
            share = self._deadline.left() / (len(self._addresses) - tried)
            with contextlib.suppress(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                self._stream = await inner.connect_tcp(address, port, timeout=share)
                return _AsyncStream(self._stream, self._deadline)
        self._deadline.left()
        raise httpcore2.ConnectError("no address answered")

    async def aclose(self) -> None:
        if self._stream is not None:
            await self._stream.aclose()
