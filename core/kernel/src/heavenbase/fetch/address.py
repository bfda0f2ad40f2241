"""Which URLs and addresses may be fetched: pure rules, no network.

The list of address ranges is our own, because the standard library's notion of a global address differs between
Python versions. Sources: the IANA special-purpose registries for IPv4 and IPv6, and the clouds' metadata services.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, NamedTuple

from heavenbase.errors import FetchBlocked, ImageError, InputError, InputTypeError

if TYPE_CHECKING:
    from collections.abc import Iterable

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*")
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")

_LOCAL_NAMES = (".localhost", ".local", ".internal", ".home.arpa")

_REFUSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
        "100.64.0.0/10",  # carrier-grade NAT; one cloud's metadata service lives here
        "168.63.129.16/32",  # a cloud's host service behind a public number
        *("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15"),  # protocol assignments, 6to4 relays, benchmarks
        *("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),  # documentation
        *("224.0.0.0/4", "240.0.0.0/4"),  # multicast, reserved, broadcast
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID
        *("2001:db8::/32", "3fff::/20"),  # documentation
        "2002::/16",  # 6to4 hides an IPv4 address
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")


class Target(NamedTuple):
    """One well-formed URL: normalised text, its parts, and whether the host is an address rather than a name.

    `host` is lower-case ASCII, an IPv6 address without brackets; `path` holds path and query as they are sent.
    """

    url: str
    scheme: str
    host: str
    port: int
    path: bytes
    is_address: bool

    @property
    def authority(self) -> str:
        """Host, and port unless it is the scheme's own: the value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def read_target(url: str, base: str | None = None) -> Target:
    """The target that a URL, or a redirect's location relative to `base`, names.

    Raises ImageError when it is no URL, FetchBlocked for a scheme, user name or spelling of a host that is refused.
    """
    from httpx2 import URL, InvalidURL

    try:
        parsed = URL(base).join(url) if base is not None else URL(url.strip())
        parsed = parsed.copy_with(fragment=None)
    except InvalidURL as error:
        raise ImageError(f"not a valid URL: {error}") from None
    if parsed.scheme not in _PORTS:
        raise FetchBlocked(f"only http and https URLs are fetched, not {parsed.scheme or 'one without a scheme'!r}")
    if parsed.userinfo:
        raise FetchBlocked("a URL with a user name or password is not fetched; remove the part before '@'")
    host = parsed.raw_host.decode("ascii").rstrip(".")
    port = parsed.port or _PORTS[parsed.scheme]
    is_address = _parsed(host) is not None
    if not is_address and (_NUMBER.fullmatch(host) or ":" in host):
        # octal, hexadecimal, decimal or shortened
        raise FetchBlocked(f"the URL's host {host[:100]!r} is an unusual spelling of an address")
    if not is_address and not _HOST.fullmatch(host):
        raise FetchBlocked(f"the URL's host {host[:100]!r} is not a host name")
    if not 0 < port < 65536:
        raise ImageError(f"the URL's port {port} is out of range")
    return Target(str(parsed), parsed.scheme, host, port, parsed.raw_path, is_address)


def _parsed(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_local(url: str) -> bool:
    """Whether a URL's host is by its spelling one that other machines do not reach as this one does.

    That is an address that is not public, `localhost`, a name without a dot or under .local or .internal.
    """
    from urllib.parse import urlsplit

    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return True
    if _parsed(host) is not None:
        return not is_public(host)
    return "." not in host or host.endswith(_LOCAL_NAMES) or _NUMBER.fullmatch(host) is not None


def is_public(address: str) -> bool:
    """Whether an address is one of the public internet; False for whatever is not an address."""
    parsed = _parsed(address)
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _REFUSED_V4)
    if parsed is None or parsed.scope_id is not None:
        return False
    embedded = _embedded(parsed)
    if embedded is not None:
        return is_public(str(embedded))
    return parsed in _GLOBAL_V6 and not any(parsed in network for network in _REFUSED_V6)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that is really reached through a v4-mapped or NAT64 address."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


def read_allowed(hosts: Iterable[str]) -> frozenset[tuple[str, int | None]]:
    """The `host` and `host:port` entries in normal form, (host, port or None); InputError for any other spelling."""
    return frozenset(_allowed(host) for host in ([hosts] if isinstance(hosts, str) else hosts))


def _allowed(entry: str) -> tuple[str, int | None]:
    if not isinstance(entry, str):
        raise InputTypeError(f"allow_hosts takes host names, not {type(entry).__name__}")
    text = entry.strip().lower()
    found = re.fullmatch(r"(?:\[([^\]]+)\]|([^:]+))(?::([0-9]{1,5}))?", text)
    host, port = (found[1] or found[2], found[3]) if found else (text, None)
    host = host.rstrip(".")
    address = _parsed(host)
    if address is None and not _HOST.fullmatch(host):
        raise InputError(f"allow_hosts takes an exact host or host:port in ASCII, not {entry!r}")
    return host if address is None else str(address), int(port) if port else None


def is_allowed(target: Target, allowed: frozenset[tuple[str, int | None]]) -> bool:
    """Whether the user vouched for this host, or for this port of it."""
    host = str(ip_address(target.host)) if target.is_address else target.host
    return not allowed.isdisjoint(((host, None), (host, target.port)))
