"""What the settings say about the server, checked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from heavenbase.errors import InputError
from heavenbase.middleware import Setting

DEFAULT_URL: Final = "redis://localhost:6379/0"
SCHEMES: Final = ("redis", "rediss", "unix")
TIMEOUT_MS: Final = 100
LONGEST_TIMEOUT_MS: Final = 100
"""A call may wait for a connection and then for an answer, and must go on without the server within 250 ms."""

SETTINGS: Final = {
    "url": Setting("str", DEFAULT_URL, "the Redis server", secret=True),
    "timeout_ms": Setting("int", TIMEOUT_MS, f"milliseconds for the server, at most {LONGEST_TIMEOUT_MS}", minimum=1),
}
"""What each middleware says of its server; `namespace` it says in its own words."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """A server: `namespace` is who shares it, `timeout` in seconds. `url` may hold a password, so it is in no repr."""

    url: str = field(repr=False)
    namespace: str
    timeout: float = TIMEOUT_MS / 1000

    @classmethod
    def of_store(cls, options: Mapping[str, Any], prefix: str = "") -> ServerSettings | None:
        """As `read`, where `store` is the server; None for another, which has no `namespace`."""
        if options["store"] == "redis":
            return cls.read(options, prefix)
        if options["namespace"] is not None:
            raise InputError(f'{prefix}namespace is of the store "redis"; set {prefix}store to it too')
        return None

    @classmethod
    def read(cls, options: Mapping[str, Any], prefix: str = "") -> ServerSettings:
        """From `url`, `namespace`, `timeout_ms`, with `prefix` before them in messages. InputError for a wrong one."""
        url, namespace = options["url"], options["namespace"]
        # Messages must not repeat the address: it may hold a password.
        try:
            scheme, _ = urlsplit(url).scheme, urlsplit(url).port
        except ValueError:
            raise InputError(f"{prefix}url is no address, such as {DEFAULT_URL}") from None
        if scheme not in SCHEMES:
            raise InputError(f"{prefix}url must begin with {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
        if namespace is None or not namespace.strip():
            raise InputError(
                f"{prefix}namespace is not set: a Redis server is shared, and needs the name of those who share limits"
            )
        if options["timeout_ms"] > LONGEST_TIMEOUT_MS:
            raise InputError(f"{prefix}timeout_ms is at most {LONGEST_TIMEOUT_MS}")
        return cls(url, str(namespace), options["timeout_ms"] / 1000)

    @property
    def place(self) -> str:
        """The server as it may be shown: without user, password and query."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
