"""What the configuration says about the cache file, checked."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from heavenbase.errors import ConfigError

ROOT = "heavenbase.llm.cache"
BUSY_TIMEOUT_MS = 100
OPTIONS = ("allow_network_file_system", "busy_timeout_ms")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one namespace; None for none. `max_bytes` counts the bytes of the values."""

    max_entries: int | None = None
    max_bytes: int | None = None

    def exceeded(self, entries: int, size: int) -> bool:
        """Whether this many entries of `size` bytes in all are too many."""
        return (self.max_entries is not None and entries > self.max_entries) or (
            self.max_bytes is not None and size > self.max_bytes
        )


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one store: `path` is absolute, `clock` gives epoch seconds, `busy_timeout` is in seconds.

    `link` is the symbolic link that was given for the path, "" for none.
    """

    path: str
    clock: Callable[[], float] = time.time
    busy_timeout: float = BUSY_TIMEOUT_MS / 1000
    limits: Mapping[str, Limits] = field(default_factory=dict)
    allow_network: bool = False
    link: str = ""

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> Settings:
        """From the mapping that a kernel passes, whose keys for other readers are left alone. Raises ConfigError."""
        options = settings.get("options") or {}
        for name in options:
            if name not in OPTIONS:
                raise ConfigError(f"{ROOT}.options.{name}: unknown; the sqlite cache has {', '.join(OPTIONS)}")
        busy = options.get("busy_timeout_ms", settings.get("busy_timeout_ms"))
        network = options.get("allow_network_file_system", False)
        if not isinstance(network, bool):
            raise ConfigError(f"{ROOT}.options.allow_network_file_system: must be true or false, not {network!r}")
        path = _path(settings)
        return cls(
            # SQLite names the files beside the database after the target of a link, so it is resolved once, here.
            path=os.path.realpath(path),
            link=path if os.path.islink(path) else "",
            clock=settings.get("clock") or time.time,
            busy_timeout=_number("options.busy_timeout_ms", BUSY_TIMEOUT_MS if busy is None else busy) / 1000,
            limits={name: _limits(name, table) for name, table in (settings.get("namespaces") or {}).items()},
            allow_network=network,
        )


def _path(settings: Mapping[str, Any]) -> str:
    path = settings.get("path")
    if path is None:
        folder = settings.get("data_dir")
        if folder is None:
            raise ConfigError(f"{ROOT}.path: the sqlite cache needs a path or a data_dir")
        path = os.path.join(folder, "llm", "cache.db")
    path = os.fspath(path)
    if not isinstance(path, str) or not path or "\0" in path or path == ":memory:":
        raise ConfigError(f'{ROOT}.path: {path!r} is no file; for a cache in memory set {ROOT}.backend to "memory"')
    return os.path.expanduser(path)


def _limits(namespace: str, table: Mapping[str, Any]) -> Limits:
    def limit(name: str) -> int | None:
        value = table.get(name)
        return None if value is None else int(_number(f"namespaces.{namespace}.{name}", value))

    return Limits(limit("max_entries"), limit("max_bytes"))


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ConfigError(f"{ROOT}.{name}: must be a number that is not negative, not {value!r}")
    return value
