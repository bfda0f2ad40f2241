"""The one guarded URL fetcher: whatever hb reads from a URL that a caller gave goes through here.

Only http and https; the host is resolved once, every address must be public (or the host vouched for in
`allow_hosts`), and exactly those addresses are dialled. No proxies, cookies or credentials, no redirects unless asked
for; bytes are counted after unpacking, and one time limit covers everything. Messages never show a resolved address.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from heavenbase.errors import FetchBlocked, FetchTooLarge, ImageError, InputError, InputTypeError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from heavenbase.fetch.address import Target
    from heavenbase.fetch.dial import Deadline
    from heavenbase.fetch.wire import Answer, Visit

    Resolver: TypeAlias = Callable[[str, int], Iterable[str] | Awaitable[Iterable[str]]]

MAX_BYTES = 20 * 1024 * 1024
MAX_HOPS = 3
TIMEOUT = 10.0

_MODULES = ("httpx2", "heavenbase.fetch.address", "heavenbase.fetch.wire", "anyio._backends._asyncio")
_RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})


class Fetched(NamedTuple):
    """The bytes of a URL, the media type that the server claims ("" if none), and the URL they came from."""

    data: bytes
    media_type: str
    url: str


class Fetcher:
    """Fetches URLs within limits; keeps no connection open and may be shared between threads and loops.

    `timeout` is in seconds for the whole of one fetch (a sync fetch cannot interrupt the system's name lookup),
    `max_bytes` counts unpacked bytes, `max_hops` redirects when `follow_redirects` is set. `allow_hosts` are exact
    hosts or host:port entries whose addresses need not be public. `resolver(host, port)` returns addresses as text,
    for async fetches also an awaitable of them. `clock` returns seconds and never goes back. `ssl_context` replaces
    the system's trusted certificates.
    """

    __slots__ = (
        "_allowed",
        "_clock",
        "_follow_redirects",
        "_max_bytes",
        "_max_hops",
        "_resolver",
        "_ssl_context",
        "_timeout",
    )

    def __init__(
        self,
        timeout: float = TIMEOUT,
        max_bytes: int = MAX_BYTES,
        max_hops: int = MAX_HOPS,
        allow_hosts: Iterable[str] = (),
        clock: Callable[[], float] = time.monotonic,
        resolver: Resolver | None = None,
        follow_redirects: bool = False,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        if not 0 < timeout < float("inf"):
            raise InputError(f"the fetch timeout is a positive number of seconds, not {timeout!r}")
        if max_bytes < 1 or max_hops < 0:
            raise InputError("max_bytes must be at least 1 and max_hops at least 0")
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._max_hops = max_hops
        self._clock = clock
        self._resolver = resolver
        self._follow_redirects = follow_redirects
        self._ssl_context = ssl_context
        self._allowed = _read_allowed(allow_hosts)

    def fetch(self, url: str) -> Fetched:
        """The content of a URL.

        Raises FetchBlocked, FetchTooLarge, FetchTimeout, or ImageError for other failures, with `status` when the
        server answered with an error and `retryable` when it may pass.
        """
        from heavenbase.fetch import wire as _wire
        from heavenbase.fetch.dial import Deadline

        target, hops = self._first(url), 0
        name = target.host
        deadline = Deadline(self._clock, self._timeout, name)
        while True:
            visit = self._admit(target, self._resolve(target, name), name, hops)
            deadline.left()
            answer = _wire.get(visit, deadline, self._max_bytes, self._tls(target))
            following = self._following(visit, answer, hops)
            if following is None:
                return Fetched(answer.body, answer.media_type, target.url)
            target, hops = following, hops + 1

    async def afetch(self, url: str) -> Fetched:
        """Async form of `fetch`; needs a running asyncio loop and never holds it for long."""
        import asyncio

        if any(module not in sys.modules for module in _MODULES):
            # The HTTP library takes a few hundred milliseconds to import, which would hold the loop.
            await asyncio.to_thread(_load)
        from heavenbase.fetch.dial import Deadline

        target = self._first(url)
        deadline = Deadline(self._clock, self._timeout, target.host)
        try:
            async with asyncio.timeout(self._timeout) as limit:
                return await self._afetch(target, deadline)
        except TimeoutError:
            if not limit.expired():
                raise
        raise deadline.passed()

    async def _afetch(self, target: Target, deadline: Deadline) -> Fetched:
        from heavenbase.fetch import wire as _wire

        name, hops = target.host, 0
        while True:
            visit = self._admit(target, await self._aresolve(target, name), name, hops)
            deadline.left()
            answer = await _wire.aget(visit, deadline, self._max_bytes, await self._atls(target))
            following = self._following(visit, answer, hops)
            if following is None:
                return Fetched(answer.body, answer.media_type, target.url)
            target, hops = following, hops + 1

    def _first(self, url: str) -> Target:
        from heavenbase.fetch.address import read_target

        if not isinstance(url, str):
            raise InputTypeError(f"a URL to fetch is a str, not {type(url).__name__}")
        return read_target(url)

    def _resolve(self, target: Target, name: str) -> tuple[str, ...]:
        """The addresses of the host, asked for once."""
        if target.is_address:
            return (target.host,)
        try:
            if self._resolver is not None:
                found = self._resolver(target.host, target.port)
                if isinstance(found, Awaitable):
                    if isinstance(found, Coroutine):
                        found.close()
                    raise InputTypeError("this resolver is async; pass a sync one, or use afetch")
                return tuple(found)
            import socket

            return _addresses(socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            failure = _unresolved(name)
        raise failure

    async def _aresolve(self, target: Target, name: str) -> tuple[str, ...]:
        """Async form of `_resolve`."""
        import asyncio
        import socket

        if target.is_address:
            return (target.host,)
        try:
            if self._resolver is not None:
                found = self._resolver(target.host, target.port)
                return tuple(await found if isinstance(found, Awaitable) else found)
            loop = asyncio.get_running_loop()
            return _addresses(await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            failure = _unresolved(name)
        raise failure

    def _admit(self, target: Target, addresses: tuple[str, ...], name: str, hops: int) -> Visit:
        """The visit to make, if every address of the target may be dialled; nothing else makes visits."""
        from heavenbase.fetch.address import is_allowed, is_public
        from heavenbase.fetch.wire import Visit

        if not addresses:
            raise _unresolved(name)
        if not is_allowed(target, self._allowed) and not all(is_public(address) for address in addresses):
            what = f"the URL at {name!r} redirects to" if hops else f"the URL's host {name!r} has"
            raise FetchBlocked(
                f"{what} an address that is not public; pass the bytes, or list the host in allow_hosts if you trust it"
            )
        return Visit(target, tuple(dict.fromkeys(addresses)), name)

    def _following(self, visit: Visit, answer: Answer, hops: int) -> Target | None:
        """Where a redirect leads, None when the answer is the content; an error for everything else."""
        from heavenbase.fetch.address import read_target

        name, status = visit.name, answer.status
        if status // 100 == 2:
            return None
        if status not in (301, 302, 303, 307, 308) or answer.location is None:
            raise ImageError(f"{name!r} answered {status}", status=status, retryable=status in _RETRYABLE)
        if not self._follow_redirects:
            raise FetchBlocked(f"the URL at {name!r} redirects ({status}); pass the final URL", status=status)
        if hops >= self._max_hops:
            raise FetchTooLarge(f"the URL at {name!r} redirects more than {self._max_hops} times")
        target = read_target(answer.location, visit.target.url)
        if visit.target.scheme == "https" and target.scheme != "https":
            raise FetchBlocked(f"the URL at {name!r} redirects from https to http")
        return target

    def _tls(self, target: Target) -> ssl.SSLContext | None:
        """The TLS settings of an https target, made once."""
        if target.scheme != "https":
            return None
        if self._ssl_context is None:
            import httpx2

            self._ssl_context = httpx2.create_ssl_context(trust_env=False)
        return self._ssl_context

    async def _atls(self, target: Target) -> ssl.SSLContext | None:
        """Async form of `_tls`: reading the system's certificates takes tens of milliseconds."""
        import asyncio

        if target.scheme != "https" or self._ssl_context is not None:
            return self._tls(target)
        return await asyncio.to_thread(self._tls, target)


def _load() -> None:
    for module in _MODULES:
        # The last one is private to anyio, so it may go away: then it is loaded later, where it takes its time.
        with suppress(ImportError):
            import_module(module)


def _read_allowed(hosts: Iterable[str]) -> frozenset[str]:
    if not hosts:
        return frozenset()
    from heavenbase.fetch.address import read_allowed

    return read_allowed(hosts)


def _addresses(found: Iterable[tuple[object, ...]]) -> tuple[str, ...]:
    return tuple(str(entry[4][0]) for entry in found)  # type: ignore[index]


def _unresolved(name: str) -> ImageError:
    return ImageError(f"the host of the URL at {name!r} was not found", retryable=True)
