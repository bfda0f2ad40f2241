"""How a request reaches its host: directly or through a proxy, and whose certificates are trusted."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from heavenbase.errors import ConfigError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

MAX_CONNECTIONS = 1000


@dataclass(frozen=True, slots=True)
class Route:
    """Requests on equal routes share connections.

    `proxy` is an http:// URL or None, `ca_file` a file of authorities or None for the system's (and SSL_CERT_FILE).
    """

    proxy: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    max_connections: int = MAX_CONNECTIONS


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
    scheme, _, rest = chosen.partition("://")
    if scheme.lower() != "http" or not urlsplit(chosen).hostname:
        shown = f"{scheme}://{rest.rpartition('@')[2]}"
        raise ConfigError(f"{parts.scheme}_proxy is {shown!r}; hb speaks to http:// proxies only")
    return chosen


def proxy_credentials(proxy: str) -> tuple[str, str] | None:
    """User name and password of a proxy URL."""
    parts = urlsplit(proxy)
    return (unquote(parts.username), unquote(parts.password or "")) if parts.username else None


@lru_cache(maxsize=8)
def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """The TLS context for a file of authorities, or the system's; made once, as that costs 20 ms."""
    import ssl

    import httpx2

    if ca_file is None:
        return httpx2.create_ssl_context()
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
