"""The settings of a plugin that declares its own: the table `heavenbase.KIND.NAME`, checked when it is loaded."""

from __future__ import annotations

from typing import Any

from heavenbase.config.check import meant, problems
from heavenbase.config.config import Config
from heavenbase.config.layers import place
from heavenbase.config.schema import Field
from heavenbase.config.values import join_key
from heavenbase.errors import ConfigError


def settings_of(config: Config, kind: str, plugin: Any) -> dict[str, Any]:
    """The configured values over the plugin's defaults; ConfigError with file and line for a key that it has not."""
    declared: dict[str, Field] = dict(plugin.settings)
    found: dict[str, Any] = plugin.defaults()
    if kind not in ("middleware", "judges"):
        return found
    path = ("heavenbase", kind, plugin.name)
    stored = config.section(path, raw=True)
    for name, value in stored.items():
        key = (*path, name)
        if name not in declared:
            raise ConfigError(f"{_where(config, key)}unknown key {join_key(key)!r}{meant(name, declared)}")
        for problem in problems(value, declared[name], key):
            raise ConfigError(f"{_where(config, key)}{problem.message}")
        found[name] = config.get(key)
    return found


def _where(config: Config, key: tuple[str, ...]) -> str:
    origin = config.origin(key)
    return f"{place(origin)}: " if origin is not None and origin.file is not None else ""
