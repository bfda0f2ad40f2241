"""The settings of a plugin that declares its own: the table `heavenbase.KIND.NAME`, checked when it is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heavenbase.config.check import TYPES, meant, problems
from heavenbase.config.config import Config
from heavenbase.config.layers import place
from heavenbase.config.schema import UNSET, Field, is_address_with_secret
from heavenbase.config.values import has_reference, join_key
from heavenbase.errors import ConfigError, PluginContractError
from heavenbase.options import may_hold_secret
from heavenbase.secrets import Hidden

KINDS = ("middleware", "judges", "tables")
"""Kinds of plugins with settings of their own."""


def check_declared(owner: str, settings: Any) -> None:
    """PluginContractError unless `settings` is a mapping of names to `Setting`s with known types and fitting values."""
    if not isinstance(settings, Mapping):
        kind = type(settings).__name__
        raise PluginContractError(f"settings of {owner} must be a mapping of names to Setting(...), not {kind}")
    for name, field in settings.items():
        if problem := _misdeclared(name, field):
            raise PluginContractError(f"{owner} declares the setting {name!r} wrong: {problem}")


def _misdeclared(name: Any, field: Any) -> str:
    if not isinstance(name, str):
        return f"its name must be a text, not {type(name).__name__}"
    if not isinstance(field, Field):
        return f"it must be a Setting(...), not {type(field).__name__}"
    words, choices, minimum = map(field._asdict().get, ("words", "choices", "minimum"))
    if not isinstance(words, str):
        return f"its types must be a text, not {type(words).__name__}"
    for word in field.types:
        if word not in TYPES:
            return f"unknown type {word!r}{meant(word, TYPES)}; types are {', '.join(TYPES)}, joined by ' | '"
    if not isinstance(choices, list | tuple):
        return f"its choices must be a tuple, not {type(choices).__name__}"
    if minimum is not None and (isinstance(minimum, bool) or not isinstance(minimum, int | float)):
        return f"its minimum must be a number, not {type(minimum).__name__}"
    found = () if field.default is UNSET else problems(field.default, field, (name,))
    return next((f"of its default, {problem.message}" for problem in found), "")


def settings_of(config: Config, kind: str, plugin: Any) -> dict[str, Any]:
    """The configured values over the plugin's defaults; ConfigError with file and line for a key that it has not."""
    declared: dict[str, Field] = dict(plugin.settings)
    found: dict[str, Any] = plugin.defaults()
    if kind not in KINDS:
        return found
    path = ("heavenbase", kind, plugin.name)
    stored = config.section(path, raw=True)
    for name, value in stored.items():
        key = (*path, name)
        if name not in declared:
            raise ConfigError(f"{where(config, key)}unknown key {join_key(key)!r}{meant(name, declared)}")
        for problem in problems(value, declared[name], key):
            raise ConfigError(f"{where(config, key)}{problem.message}")
        is_secret = declared[name].secret or may_hold_secret(name) or has_reference(value)
        found[name] = config.get(key) if is_secret else _told(config.get(key))
    return found


def _told(value: Any) -> Any:
    """A value that its declaration calls no credential, as plain text; what is in a table is nobody's declaration."""
    if isinstance(value, list):
        return [_told(each) for each in value]
    return str(value) if isinstance(value, Hidden) and not is_address_with_secret(value) else value


def is_declared_plain(declared: Mapping[str, Field], names: Sequence[str], value: str) -> bool:
    """Whether a plugin's declarations say of a text, found under these names of its table, that it may be shown.

    In a table that is declared as a whole, such as a rule, the names in it must not speak of a credential either.
    """
    field = declared.get(names[0]) if names else None
    if field is None or field.secret or any(may_hold_secret(name) for name in names):
        return False
    return not has_reference(value) and not is_address_with_secret(value)


def where(config: Config, key: tuple[str, ...]) -> str:
    """File and line of a key, or its variable, as messages begin; "" for what was given in code."""
    origin = config.origin(key)
    return f"{place(origin)}: " if origin is not None and (origin.file or origin.variable) else ""
