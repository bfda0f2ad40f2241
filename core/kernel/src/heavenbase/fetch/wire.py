"""One GET over one connection that is dialled to addresses checked before, in both colours.

It sits on httpcore2, the connection layer of httpx2, so there is nothing to switch off: no proxies, redirects,
cookies, pools or credentials. Loaded on the first fetch, because the HTTP library takes long to import.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import ssl
import zlib
from typing import TYPE_CHECKING, NamedTuple

import httpcore2

from heavenbase.errors import FetchTooLarge, HBError, ImageError
from heavenbase.fetch.dial import AsyncDialler, Deadline, Dialler

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from heavenbase.fetch.address import Target

_HEADERS = (
    ("User-Agent", "hb"),
    ("Accept", "image/png, image/jpeg, image/gif, image/webp"),
    ("Accept-Encoding", "identity"),
    ("Connection", "close"),
)
_FAILURES = (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError, OSError)
_SLICE = 4096
"""Compressed bytes unpacked in one go: at most about 4 MB, some ten milliseconds."""


class Visit(NamedTuple):
    """A target with the addresses that may be dialled for it; only the fetcher's check makes one."""

    target: Target
    addresses: tuple[str, ...]
    name: str
    """What messages call it: the host that the user wrote, also after a redirect."""


class Answer(NamedTuple):
    """Status, the headers that matter, and the unpacked body of a success (b"" otherwise)."""

    status: int
    location: str | None
    media_type: str
    body: bytes


class _Body:
    """Collects a body and counts it after unpacking; FetchTooLarge as soon as it passes the limit."""

    def __init__(self, headers: dict[bytes, bytes], limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._received = 0
        self._buffer = io.BytesIO()
        coding = headers.get(b"content-encoding", b"identity").strip().lower()
        if coding not in (b"identity", b"", b"gzip", b"x-gzip"):
            raise ImageError(f"the answer from {name!r} has an unknown content encoding")
        self.is_packed = b"gzip" in coding
        self._unpacker = zlib.decompressobj(31)
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > limit:
            raise self._too_large()

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """The chunk in pieces that are cheap to feed."""
        step = _SLICE if self.is_packed else len(chunk)
        return (chunk[start : start + step] for start in range(0, len(chunk), step)) if chunk else iter(())

    def feed(self, piece: bytes) -> None:
        # What came over the wire counts too: packed data can be endless and unpack to nothing.
        self._received += len(piece)
        if self.is_packed:
            try:
                piece = self._unpacker.decompress(piece, self._limit - self._buffer.tell() + 1)
            except zlib.error:
                raise ImageError(f"the answer from {self._name!r} is not the gzip data that it claims") from None
        self._buffer.write(piece)
        if max(self._buffer.tell(), self._received) > self._limit:
            raise self._too_large()

    def finish(self) -> bytes:
        if self.is_packed and not self._unpacker.eof:
            raise ImageError(f"the answer from {self._name!r} was cut off", retryable=True)
        return self._buffer.getvalue()

    def _too_large(self) -> FetchTooLarge:
        return FetchTooLarge(f"the URL at {self._name!r} has more than {self._limit:,} bytes; scale the image down")


def get(visit: Visit, deadline: Deadline, limit: int, tls: ssl.SSLContext | None) -> Answer:
    """GET a target from its checked addresses. Raises ImageError and its kinds; the body of an error is not read."""
    dialler = Dialler(visit.addresses, deadline)
    connection = httpcore2.HTTPConnection(origin=_url(visit).origin, ssl_context=tls, network_backend=dialler)
    try:
        with (
            contextlib.closing(dialler),
            connection,
            connection.stream("GET", _url(visit), headers=_headers(visit)) as response,
        ):
            headers = _lowered(response.headers)
            body = _Body(headers, limit, visit.name) if response.status // 100 == 2 else None
            if body is not None:
                for chunk in response.iter_stream():
                    for piece in body.pieces(chunk):
                        body.feed(piece)
            return _answer(response.status, headers, body)
    except HBError:
        raise
    except _FAILURES as error:
        failure = _explain(error, visit, deadline)
    # Raised out here so that the library's error, which may name the address, is not attached as context.
    raise failure


async def aget(visit: Visit, deadline: Deadline, limit: int, tls: ssl.SSLContext | None) -> Answer:
    """Async form of `get`; the caller bounds the whole with a timeout. Never holds the loop for long."""
    dialler = AsyncDialler(visit.addresses, deadline)
    connection = httpcore2.AsyncHTTPConnection(origin=_url(visit).origin, ssl_context=tls, network_backend=dialler)
    try:
        async with (
            contextlib.aclosing(dialler),
            connection,
            connection.stream("GET", _url(visit), headers=_headers(visit)) as response,
        ):
            headers = _lowered(response.headers)
            body = _Body(headers, limit, visit.name) if response.status // 100 == 2 else None
            if body is not None:
                async for chunk in response.aiter_stream():
                    for piece in body.pieces(chunk):
                        body.feed(piece)
                        if body.is_packed:
                            await asyncio.sleep(0)
            return _answer(response.status, headers, body)
    except HBError:
        raise
    except _FAILURES as error:
        failure = _explain(error, visit, deadline)
    raise failure


def _url(visit: Visit) -> httpcore2.URL:
    target = visit.target
    return httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)


def _headers(visit: Visit) -> list[tuple[str, str]]:
    return [("Host", visit.target.authority), *_HEADERS]


def _lowered(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    return {name.lower(): value for name, value in headers}


def _answer(status: int, headers: dict[bytes, bytes], body: _Body | None) -> Answer:
    location = headers.get(b"location")
    media_type = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    return Answer(
        status,
        location.decode("latin-1") if location is not None else None,
        media_type.decode("latin-1"),
        body.finish() if body is not None else b"",
    )


def _explain(error: Exception, visit: Visit, deadline: Deadline) -> ImageError:
    """Our error for one of the library's, without its text."""
    if isinstance(error, httpcore2.TimeoutException):
        return deadline.passed()
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return ImageError(f"the TLS certificate or handshake of {visit.name!r} was not accepted")
    if isinstance(error, httpcore2.ConnectError):
        return ImageError(f"no connection to {visit.name!r}", retryable=True)
    if isinstance(error, httpcore2.ProtocolError):
        return ImageError(f"the answer from {visit.name!r} is cut off or no HTTP", retryable=True)
    return ImageError(f"the connection to {visit.name!r} broke", retryable=True)
