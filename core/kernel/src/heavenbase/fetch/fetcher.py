"""The one guarded URL fetcher: whatever hb reads from a URL that a caller gave goes through here.

Only http and https; the host is resolved once, every address must be public (or the host vouched for in
`allow_hosts`), and exactly those addresses are dialled. No proxies, cookies or credentials, no redirects unless asked
for; bytes are counted after unpacking, and one time limit covers everything. Messages never show a resolved address.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import Awaitable, Coroutine
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from heavenbase.colour import drive
from heavenbase.errors import (
    FetchBlocked,
    FetchTimeout,
    FetchTooLarge,
    HBError,
    ImageError,
    InputError,
    InputTypeError,
)
from heavenbase.fetch.address import Target, is_allowed, is_public, read_allowed, read_target
from heavenbase.http.transport.exchange import Exchange
from heavenbase.spec import Timeouts

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from heavenbase.http.transport.body import AsyncBody

    Resolver: TypeAlias = Callable[[str, int], Iterable[str] | Awaitable[Iterable[str]]]

MAX_BYTES = 20 * 1024 * 1024
MAX_HOPS = 3
TIMEOUT = 10.0

_MODULES = ("httpx2", "heavenbase.http.transport.pools", "anyio._backends._asyncio")
_HEADERS = (
    ("User-Agent", "hb"),
    ("Accept", "image/png, image/jpeg, image/gif, image/webp"),
    ("Accept-Encoding", "identity"),
    ("Connection", "close"),
)
_RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})


class Fetched(NamedTuple):
    """The bytes of a URL, the media type that the server claims ("" if none), and the URL they came from."""

    data: bytes
    media_type: str
    url: str


class Visit(Exchange):
    """One GET of a fetch. Its target, as messages call it, is the host that the user wrote, also after a redirect."""

    __slots__ = ()

    @property
    def is_success(self) -> bool | None:
        """Whether the content came; None before the head of the answer."""
        return None if self.status is None else self.status // 100 == 2

    def timed_out(self) -> HBError:
        """The one time limit has passed."""
        return FetchTimeout(
            f"the URL at {self.target!r} was not fetched within {self.timeouts.total:g} s; "
            "raise the image URL timeout or pass the bytes"
        )

    def connect_failed(self, reason: str) -> HBError:
        """No address took the connection; the reason would show them."""
        if reason.startswith("TLS"):
            return self.tls_failed(reason)
        return ImageError(f"no connection to {self.target!r}", retryable=True)

    def tls_failed(self, reason: str) -> HBError:
        """The certificate is not that of the name, or of nobody who is trusted."""
        return ImageError(f"the TLS certificate or handshake of {self.target!r} was not accepted")

    def closed(self, reason: str) -> HBError:
        """The answer ended before it was complete."""
        return ImageError(f"the answer from {self.target!r} was cut off", retryable=True)

    def unreadable(self, what: str) -> HBError:
        """The answer is packed in a way that nobody asked for, or not as it claims."""
        return ImageError(f"the answer from {self.target!r} {what}")

    broken = unreadable

    def too_large(self) -> HBError:
        """The answer passed its limit."""
        return FetchTooLarge(
            f"the URL at {self.target!r} has more than {self.body_limit:,} bytes; scale the image down"
        )


@dataclass(eq=False, repr=False)
class Fetcher:
    """Fetches URLs within limits; keeps no connection open and may be shared between threads and loops.

    `timeout` is in seconds for the whole of one fetch (a sync fetch cannot interrupt the system's name lookup),
    `max_bytes` counts unpacked bytes, `max_hops` redirects when `follow_redirects` is set. `allow_hosts` are exact
    hosts or host:port entries whose addresses need not be public. `resolver(host, port)` returns addresses as text,
    for async fetches also an awaitable of them. `clock` returns seconds and never goes back. `ssl_context` replaces
    the system's trusted certificates.
    """

    timeout: float = TIMEOUT
    max_bytes: int = MAX_BYTES
    max_hops: int = MAX_HOPS
    allow_hosts: Iterable[str] = ()
    clock: Callable[[], float] = time.monotonic
    resolver: Resolver | None = None
    follow_redirects: bool = False
    ssl_context: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if not 0 < self.timeout < float("inf"):
            raise InputError(f"the fetch timeout is a positive number of seconds, not {self.timeout!r}")
        if self.max_bytes < 1 or self.max_hops < 0:
            raise InputError("max_bytes must be at least 1 and max_hops at least 0")
        self._allowed = read_allowed(self.allow_hosts or ())

    def fetch(self, url: str) -> Fetched:
        """The content of a URL.

        Raises FetchBlocked, FetchTooLarge, FetchTimeout, or ImageError for other failures, with `status` when the
        server answered with an error and `retryable` when it may pass.
        """
        return drive.run(self._fetch(url, is_async=False))

    async def afetch(self, url: str) -> Fetched:
        """Async form of `fetch`; needs a running asyncio loop and never holds it for long."""
        if any(module not in sys.modules for module in _MODULES):
            # The HTTP library takes a few hundred milliseconds to import, which would hold the loop.
            await asyncio.to_thread(_load)
        return await self._fetch(url, is_async=True)

    async def _fetch(self, url: str, *, is_async: bool) -> Fetched:
        if not isinstance(url, str):
            raise InputTypeError(f"a URL to fetch is a str, not {type(url).__name__}")
        target, hops = read_target(url), 0
        name, deadline = target.host, self.clock() + self.timeout
        limits = Timeouts(None, None, None, None, self.timeout, None)
        while True:
            visit = Visit(name, limits, clock=self.clock, deadline=deadline, body_limit=self.max_bytes)
            addresses = await self._resolve(target, visit, is_async=is_async)
            self._check(target, addresses, name, hops)
            visit.connect_limit()
            data = await self._get(visit, target, tuple(dict.fromkeys(addresses)), is_async=is_async)
            headers = {key.lower(): value.decode("latin-1") for key, value in visit.headers}
            following = self._following(visit, target, headers.get(b"location"), hops)
            if following is None:
                return Fetched(data, headers.get(b"content-type", "").split(";")[0].strip().lower(), target.url)
            target, hops = following, hops + 1

    async def _get(self, visit: Visit, target: Target, addresses: tuple[str, ...], *, is_async: bool) -> bytes:
        """The body of a success, b"" for any other status; the head is the visit's. Only checked addresses get here."""
        import httpcore2

        from heavenbase.http.transport.pools import SingleConnection

        url = httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        tls = await self._tls(target, is_async=is_async)
        request = httpcore2.Request("GET", url, headers=[("Host", target.authority), *_HEADERS])
        with visit.active():
            try:
                sent = SingleConnection(url, addresses, tls, is_async=is_async).send(visit, request)
                body = await sent if is_async else sent
            except HBError:
                if visit.is_success is not False:
                    raise
                return b""  # the body, which nobody wants, cannot be read
            try:
                if not visit.is_success:
                    return b""
                data: bytes = await _aread(body) if is_async else b"".join(body)
            finally:
                await body.aclose() if is_async else body.close()
        if not body.is_complete:
            raise visit.closed("cut off")
        return data

    async def _resolve(self, target: Target, visit: Visit, *, is_async: bool) -> tuple[str, ...]:
        """The addresses of the host, asked for once, in async colour within the time limit."""
        if target.is_address:
            return (target.host,)
        try:
            async with asyncio.timeout(visit.connect_limit()) if is_async else nullcontext():
                try:
                    if self.resolver is None:
                        find: Any = asyncio.get_running_loop().getaddrinfo if is_async else socket.getaddrinfo
                        found = find(target.host, target.port, type=socket.SOCK_STREAM)
                        return tuple(str(entry[4][0]) for entry in (await found if is_async else found))
                    given = self.resolver(target.host, target.port)
                    if not isinstance(given, Awaitable):
                        return tuple(given)
                    if is_async:
                        return tuple(await given)
                    if isinstance(given, Coroutine):
                        given.close()
                    raise InputTypeError("this resolver is async; pass a sync one, or use afetch")
                except (OSError, UnicodeError):
                    failure: HBError = _unresolved(visit.target)
        except TimeoutError:
            failure = visit.timed_out()
        raise failure

    def _check(self, target: Target, addresses: tuple[str, ...], name: str, hops: int) -> None:
        """FetchBlocked unless every address of the target may be dialled."""
        if not addresses:
            raise _unresolved(name)
        if not is_allowed(target, self._allowed) and not all(is_public(address) for address in addresses):
            what = f"the URL at {name!r} redirects to" if hops else f"the URL's host {name!r} has"
            raise FetchBlocked(
                f"{what} an address that is not public; pass the bytes, or list the host in allow_hosts if you trust it"
            )

    def _following(self, visit: Visit, target: Target, location: str | None, hops: int) -> Target | None:
        """Where a redirect leads, None when the answer is the content; an error for everything else."""
        name, status = visit.target, visit.status
        if visit.is_success:
            return None
        if status not in (301, 302, 303, 307, 308) or location is None:
            raise ImageError(f"{name!r} answered {status}", status=status, retryable=status in _RETRYABLE)
        if not self.follow_redirects:
            raise FetchBlocked(f"the URL at {name!r} redirects ({status}); pass the final URL", status=status)
        if hops >= self.max_hops:
            raise FetchTooLarge(f"the URL at {name!r} redirects more than {self.max_hops} times")
        following = read_target(location, target.url)
        if target.scheme == "https" and following.scheme != "https":
            raise FetchBlocked(f"the URL at {name!r} redirects from https to http")
        return following

    async def _tls(self, target: Target, *, is_async: bool) -> ssl.SSLContext | None:
        """The TLS settings of an https target, made once."""
        if target.scheme != "https":
            return None
        if self.ssl_context is None:
            from httpx2 import create_ssl_context

            # Reading the system's certificates takes tens of milliseconds.
            made = asyncio.to_thread(create_ssl_context, trust_env=False) if is_async else None
            self.ssl_context = create_ssl_context(trust_env=False) if made is None else await made
        return self.ssl_context


async def _aread(body: AsyncBody) -> bytes:
    pieces = []
    async for piece in body:
        pieces.append(piece)
        if not body.is_plain:
            await asyncio.sleep(0)  # unpacking takes its time
    return b"".join(pieces)


def _load() -> None:
    for module in _MODULES:
        # The last one is private to anyio, so it may go away: then it is loaded later, where it takes its time.
        with suppress(ImportError):
            import_module(module)


def _unresolved(name: str) -> ImageError:
    return ImageError(f"the host of the URL at {name!r} was not found", retryable=True)
