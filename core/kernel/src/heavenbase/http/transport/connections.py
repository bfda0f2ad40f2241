"""How a request reaches its host, and which SDK clients share the connections that lead there.

A route is direct or through a proxy, and says whose certificates are trusted. Connections are shared by all clients of
one gateway, route and process, and for async ones event loop.

An SDK client holds a lease. When the last lease on a route ends, its unused connections are closed; those in use as
soon as their answer is read. A client that is used after its lease ended still works, without keeping connections.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from heavenbase.colour import drive
from heavenbase.errors import ConfigError
from heavenbase.secrets import hide

if TYPE_CHECKING:
    import ssl
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable, Mapping

    from heavenbase.http.transport.body import AsyncBody
    from heavenbase.http.transport.exchange import Exchange
    from heavenbase.http.transport.sender import Sender

MAX_CONNECTIONS = 1000


@dataclass(frozen=True, slots=True)
class Route:
    """Requests on equal routes share connections.

    `proxy` is an http:// URL or None, `ca_file` a file of authorities or None for the system's, or those of
    SSL_CERT_FILE and SSL_CERT_DIR where the process's environment may be read (`trusts_env`).
    """

    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    max_connections: int = MAX_CONNECTIONS
    trusts_env: bool = True


def choose_proxy(
    url: str,
    http_proxy: str | None = None,
    https_proxy: str | None = None,
    no_proxy: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> str | None:
    """The proxy for a URL, None for none; ConfigError for one that hb cannot use.

    None for a setting means the variables HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY; "" means no proxy.
    This computer's own addresses are never reached through a proxy that only the environment names.
    """
    environ = os.environ if environ is None else environ
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    chosen = https_proxy if parts.scheme == "https" else http_proxy
    if chosen is None:
        chosen = _variable(environ, f"{parts.scheme}_proxy") or _variable(environ, "all_proxy")
        if _is_own(host):
            return None
    if no_proxy is None:
        no_proxy = _variable(environ, "no_proxy")
    if not chosen or _is_excluded(host, parts.port, no_proxy or ""):
        return None
    if "://" not in chosen:
        chosen = f"http://{chosen}"
    scheme = chosen.partition("://")[0]
    if scheme.lower() != "http" or not urlsplit(chosen).hostname:
        shown = f"{scheme}://{chosen.rpartition('://')[2].rpartition('@')[2]}"
        chosen = hide(chosen)  # it may hold a password, and tracebacks may show locals
        raise ConfigError(f"{parts.scheme}_proxy is {shown!r}; hb speaks to http:// proxies only")
    return chosen


def proxy_credentials(proxy: str) -> tuple[str, str] | None:
    """User name and password of a proxy URL."""
    parts = urlsplit(proxy)
    return (unquote(parts.username), unquote(parts.password or "")) if parts.username else None


@lru_cache(maxsize=8)
def tls_context(ca_file: str | None = None, trusts_env: bool = True) -> ssl.SSLContext:
    """The TLS context for a file of authorities, or the system's; made once, as that costs 20 ms."""
    import ssl

    import httpx2

    if ca_file is None:
        return httpx2.create_ssl_context(trust_env=trusts_env)
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConfigError(f"ca_file {ca_file!r} cannot be read: {error.strerror or error}") from None


def _variable(environ: Mapping[str, str], name: str) -> str | None:
    # Upper-case HTTP_PROXY is what a CGI client can set through a header named Proxy.
    if name == "http_proxy" and "REQUEST_METHOD" in environ:
        return environ.get(name)
    return environ.get(name) or environ.get(name.upper())


def _is_own(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_excluded(host: str, port: int | None, no_proxy: str) -> bool:
    for entry in no_proxy.lower().replace(" ", ",").split(","):
        name = entry.strip()
        if not name:
            continue
        if name == "*":
            return True
        if "/" in name:
            try:
                if ip_address(host) in ip_network(name, strict=False):
                    return True
            except ValueError:
                pass
            continue
        bare, _, given = name.rpartition(":")
        if bare and given.isdigit() and not bare.endswith(":"):
            if port != int(given):
                continue
            name = bare
        name = name.strip("[]").lstrip(".").removeprefix("*.")
        if host == name or host.endswith(f".{name}"):
            return True
    return False


class Connections:
    """Leases on the connections of one gateway."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._sync: dict[Route, Sender] = {}
        self._async: weakref.WeakKeyDictionary[AbstractEventLoop, dict[Route, Sender]] = weakref.WeakKeyDictionary()

    def lease(self, route: Route) -> Lease:
        """A sender for sync clients on this route."""
        return self.on_loop(None, route)

    def close(self) -> None:
        """Close the unused connections of the sync routes, also those that a forgotten client left behind."""
        with self._lock:
            self._check_process()
            found = list(self._sync.values())
        for sender in found:
            sender.close()

    def async_lease(self, route: Route, *, prefer_aiohttp: bool = True) -> Lease | RoamingLease:
        """A sender for async clients on this route and the running loop; over aiohttp where that is installed.

        Where no loop runs, the sender takes a lease on each loop that it is used on.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return RoamingLease(self, route, prefer_aiohttp)
        return self.on_loop(loop, route, prefer_aiohttp)

    def on_loop(self, loop: AbstractEventLoop | None, route: Route, prefer_aiohttp: bool = False) -> Lease:
        """A lease on the connections of one event loop, which is running; on those of sync callers for None."""
        with self._lock:
            self._check_process()
            known = self._sync if loop is None else self._async.setdefault(loop, {})
            if route not in known:
                if prefer_aiohttp and has_aiohttp():
                    from heavenbase.http.transport.aiohttp_pools import AiohttpPools

                    known[route] = AiohttpPools(route)
                else:
                    from heavenbase.http.transport.pools import Pools

                    known[route] = Pools(route, is_async=loop is not None)
            return Lease(known[route])

    def _check_process(self) -> None:
        # After a fork the sockets are the parent's: to use or to close them here would speak on its connections.
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._sync = {}
            self._async = weakref.WeakKeyDictionary()


def has_aiohttp() -> bool:
    """Whether aiohttp is installed."""
    return find_spec("aiohttp") is not None


class Lease:
    """One SDK client's hold on the connections of a route."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.send = sender.send
        self._is_held = True
        sender.leases += 1
        sender.is_closing = False

    def close(self) -> None:
        """End the lease of a sync client."""
        drive.run(self.aclose())

    async def aclose(self) -> None:
        """End the lease."""
        if self._is_held:
            self._is_held = False
            self.sender.leases -= 1
            if not self.sender.leases:
                await self.sender.aclose()


class RoamingLease:
    """The hold of an async SDK client that was made where no event loop ran: one lease per loop it is used on."""

    def __init__(self, connections: Connections, route: Route, prefer_aiohttp: bool) -> None:
        self._connections = connections
        self._how = (route, prefer_aiohttp)
        self._leases: weakref.WeakKeyDictionary[AbstractEventLoop, Lease] = weakref.WeakKeyDictionary()

    def send(self, exchange: Exchange, request: Any) -> Awaitable[AsyncBody]:
        """Send a request over the connections of the running loop."""
        loop = asyncio.get_running_loop()
        lease = self._leases.get(loop)
        if lease is None:
            lease = self._leases[loop] = self._connections.on_loop(loop, *self._how)
        return lease.send(exchange, request)  # type: ignore[no-any-return]

    async def aclose(self) -> None:
        """End the lease on the running loop; other loops end theirs with themselves."""
        lease = self._leases.get(asyncio.get_running_loop())
        if lease is not None:
            await lease.aclose()
