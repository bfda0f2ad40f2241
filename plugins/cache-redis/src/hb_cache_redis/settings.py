"""What the configuration says about the server, checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from heavenbase.errors import ConfigError

ROOT = "heavenbase.llm.cache"
DEFAULT_URL = "redis://localhost:6379/0"
SCHEMES = ("redis", "rediss", "unix")
TIMEOUT_MS = 100
LONGEST_TIMEOUT_MS = 100
"""A call may wait for a connection and then for an answer, and must go on without the cache within 250 ms."""
OPTIONS = ("timeout_ms", "url")


class Limits(NamedTuple):
    """Bounds of one namespace; None for none. `max_bytes` counts the bytes of the values."""

    max_entries: int | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one store: `namespace` is who shares it, `timeout` in seconds, `clock` gives epoch seconds.

    `url` may hold a password, so it is in no repr.
    """

    namespace: str
    url: str = field(default=DEFAULT_URL, repr=False)
    timeout: float = TIMEOUT_MS / 1000
    clock: Callable[[], float] = time.time
    limits: Mapping[str, Limits] = field(default_factory=dict)

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> Settings:
        """From the mapping that a kernel passes. Raises ConfigError."""
        namespace = settings.get("namespace")
        if not isinstance(namespace, str) or not namespace.strip():
            raise ConfigError(
                f"{ROOT}.namespace is not set: a Redis server is shared, so the cache needs the name of those who may "
                f"read each other's answers; hb cfg set {ROOT}.namespace NAME"
            )
        options = settings.get("options") or {}
        for name in options:
            if name not in OPTIONS:
                raise ConfigError(f"{ROOT}.options.{name}: unknown; the redis cache has {', '.join(OPTIONS)}")
        return cls(
            namespace=namespace,
            url=_url(options.get("url", DEFAULT_URL)),
            timeout=_timeout(options.get("timeout_ms", TIMEOUT_MS)),
            clock=settings.get("clock") or time.time,
            limits={name: _limits(name, table) for name, table in (settings.get("namespaces") or {}).items()},
        )


def _url(value: Any) -> str:
    # The message must not repeat it: it may hold a password.
    if not isinstance(value, str) or urlsplit(value).scheme not in SCHEMES:
        raise ConfigError(f"{ROOT}.options.url: must begin with {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    return value


def _timeout(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LONGEST_TIMEOUT_MS:
        raise ConfigError(f"{ROOT}.options.timeout_ms: must be more than 0 and at most {LONGEST_TIMEOUT_MS}")
    return value / 1000


def _limits(namespace: str, table: Mapping[str, Any]) -> Limits:
    found = {name: table.get(name) for name in Limits._fields}
    for name, value in found.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise ConfigError(f"{ROOT}.namespaces.{namespace}.{name}: must be a whole number or null, not {value!r}")
    return Limits(**found)
