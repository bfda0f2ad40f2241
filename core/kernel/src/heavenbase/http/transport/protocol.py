"""The way to the wire that a kernel may be given: requests and answers as plain data, no HTTP library's types."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol


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
