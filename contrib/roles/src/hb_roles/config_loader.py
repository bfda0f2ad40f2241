"""A file of roles, or plain data, as a RuntimeConfig that was checked: every problem at once, each with its path."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import ValidationError

from hb_roles.errors import ConfigError, Problem
from hb_roles.models import Mode, ProviderConfig, RoleConfig, RuntimeConfig
from hb_roles.resolver import CHAT_ALONE, RESERVED
from hb_roles.yaml_reader import Document, Path, config_error, join, line_of, read_yaml
from heavenbase.config import interpolate
from heavenbase.errors import HBError, InputError, InputTypeError
from heavenbase.options import ADDRESSES
from heavenbase.resolution import fold

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TYPES = {"string_type": "text", "dict_type": "a table", "model_type": "a table", "model_attributes_type": "a table"}
_KEYS: Mapping[str, tuple[str, ...]] = {
    "": tuple(RuntimeConfig.model_fields),
    "providers": tuple(ProviderConfig.model_fields),
    "roles": tuple(RoleConfig.model_fields),
    "defaults": tuple(RoleConfig.model_fields),
}
_NAMES = {bool: "true or false", int: "a number", float: "a number", list: "a list", str: "text", type(None): "empty"}


def load_runtime_config(path: str | os.PathLike[str], *, environ: Mapping[str, str] | None = None) -> RuntimeConfig:
    """Read and check a file of roles, usually `llmhub.yaml`.

    Args:
        path: The file; a `~` is the home folder.
        environ: The variables that `${env:NAME}` in names of providers refers to; those of the process by default.

    Raises:
        ConfigError: The file cannot be read, or is wrong; with file, line and path of every problem.
        UnknownProviderError: All that is wrong is that roles name providers which the file does not define.
    """
    try:
        name = os.fspath(path)
    except TypeError:
        raise InputTypeError(f"config_path must be a path, not {type(path).__name__}") from None
    if not isinstance(name, str):
        raise InputTypeError("config_path must be text, not bytes")
    if not name.strip():
        raise InputError("config_path is empty; name the file, such as config_path='llmhub.yaml'")
    return _checked(read_yaml(os.path.expanduser(name)), environ)


def parse_runtime_config(
    data: Mapping[str, Any] | RuntimeConfig, *, environ: Mapping[str, str] | None = None
) -> RuntimeConfig:
    """Check what a file of roles would hold, given as plain data.

    Args:
        data: The table of `project`, `env`, `providers`, `roles` and `defaults`.
        environ: As for `load_runtime_config`.

    Raises:
        ConfigError: The data are wrong; with the path of every problem.
        UnknownProviderError: Roles name providers that the data do not define.
    """
    if isinstance(data, RuntimeConfig):
        data = plain(data)
    if not isinstance(data, Mapping):
        raise InputTypeError(f"a configuration of roles is a RuntimeConfig or a mapping, not {type(data).__name__}")
    return _checked(Document(_tables(data), {}), environ)


def plain(config: RuntimeConfig) -> dict[str, Any]:
    """The data that a RuntimeConfig was made of, its keys in clear."""
    data = config.model_dump()
    for provider in data["providers"].values():
        if provider["api_key"] is not None:
            provider["api_key"] = provider["api_key"].get_secret_value()
    return data


def _names(table: object) -> tuple[str, ...]:
    return tuple(map(str, table)) if isinstance(table, Mapping) else ()


def _tables(value: Any, depth: int = 0) -> Any:
    """Plain data with dictionaries for any kind of mapping."""
    if depth > 100:
        raise ConfigError("the configuration is nested too deeply, or holds itself")
    if isinstance(value, Mapping):
        return {key: _tables(item, depth + 1) for key, item in value.items()}
    return [_tables(item, depth + 1) for item in value] if isinstance(value, list | tuple) else value


def _checked(document: Document, environ: Mapping[str, str] | None) -> RuntimeConfig:
    data = document.data
    if not isinstance(data, dict):
        what = "is empty" if data is None else f"must be a table of keys, not {_kind(data)}"
        raise config_error([Problem("", what)], document.file)
    config: RuntimeConfig | None = None
    try:
        config = RuntimeConfig.model_validate(data)
    except ValidationError as error:
        found = [_told(row["loc"], row["type"], row["msg"], data) for row in error.errors(include_url=False)]
    else:
        found = [*_meanings(config, os.environ if environ is None else environ)]
    if config is None or found:
        problems = [
            Problem(join(path), message, line_of(document.lines, path), is_provider)
            for path, message, is_provider in found
        ]
        raise config_error(problems, document.file, _names(data.get("providers")))
    return config


# What the shape does not allow

_Found = tuple[Path, str, bool]


def _told(place: tuple[int | str, ...], kind: str, message: str, data: dict[str, Any]) -> _Found:
    """A problem in the words of the person who wrote the file."""
    is_name = bool(place) and place[-1] == "[key]"
    path = tuple(str(step) for step in (place[:-1] if is_name else place))
    if is_name:
        return path, "a name must be text; put it in quotes", False
    value = _at(data, place)
    if kind == "missing":
        return path, "is required", False
    if kind == "extra_forbidden":
        known = _KEYS[path[0] if len(path) > 1 else ""]
        return path, f"unknown key{nearest(path[-1], known)} (keys: {', '.join(known)})", False
    if kind == "literal_error":
        modes = get_args(Mode)
        given = f"{value!r}{nearest(value, modes)}" if isinstance(value, str) else _kind(value)
        return path, f"must be one of {', '.join(modes)}, not {given}", False
    if kind == "string_too_short":
        return path, "is empty", False
    if kind in _TYPES:
        wanted = _TYPES[kind]
        hint = "; put it in quotes" if wanted == "text" and isinstance(value, bool | int | float) else ""
        return path, f"must be {wanted}, not {_kind(value)}{hint}", False
    return path, message[:1].lower() + message[1:], False


def _at(data: Any, place: tuple[int | str, ...]) -> Any:
    for step in place:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _kind(value: object) -> str:
    return _NAMES.get(type(value), "a table" if isinstance(value, Mapping) else type(value).__name__)


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, where there is something near."""
    close = get_close_matches(name.lower(), list(known), 1, 0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


# What the shape allows and makes no sense


def _meanings(config: RuntimeConfig, environ: Mapping[str, str]) -> Iterator[_Found]:
    for name, provider in config.providers.items():
        yield from _provider(("providers", name), name, provider)
    yield from _twins("providers", config.providers)
    yield from _twins("roles", config.roles)
    for name, role in config.roles.items():
        yield from _role(("roles", name), role, config, environ)
        if not name.strip():
            yield ("roles", name), "a role needs a name", False
    if config.defaults is not None:
        yield from _role(("defaults",), config.defaults, config, environ)


def _provider(path: Path, name: str, provider: ProviderConfig) -> Iterator[_Found]:
    if not name.strip():
        yield path, "a provider needs a name", False
    if provider.env_key is not None and not _VARIABLE.fullmatch(provider.env_key):
        # It is not repeated, as it may be the key itself.
        yield (*path, "env_key"), "must be the name of an environment variable, and not a key", False
    if provider.env_key is not None and provider.api_key is not None:
        yield (*path, "api_key"), "stands beside env_key; give one of them", False


def _twins(table: str, names: Iterable[str]) -> Iterator[_Found]:
    """Names that hb, which compares them without case and punctuation, could not tell apart."""
    seen: dict[str, str] = {}
    for name in names:
        if (first := seen.setdefault(fold(name), name)) != name:
            yield (table, name), f"differs from {first!r} in case or in - _ . : and spaces alone", False


def _role(path: Path, role: RoleConfig, config: RuntimeConfig, environ: Mapping[str, str]) -> Iterator[_Found]:
    try:
        name = interpolate(role.provider, join((*path, "provider")), environ)
    except HBError:  # a variable that is not set is told by the call, or by strict_env
        name = ""
    if name and name not in config.providers:
        listed = ", ".join(config.providers) or "none"
        hint = nearest(name, config.providers)
        yield (*path, "provider"), f"provider {name!r} is not defined{hint} (defined: {listed})", True
    for param in role.params:
        if reason := RESERVED.get(param):
            yield (*path, "params", param), reason, False
        elif param in CHAT_ALONE and role.mode in ("embedding", "image", "audio"):
            yield (*path, "params", param), f"is for chats, and the mode is {role.mode}", False
        elif isinstance(role.params[param], float) and not math.isfinite(role.params[param]):
            yield (*path, "params", param), "is no number that can be sent", False
    stream = role.params.get("stream")
    if not isinstance(stream, bool | None) and not (isinstance(stream, str) and "${" in stream):
        yield (*path, "params", "stream"), f"must be true or false, not {_kind(stream)}", False
    for address in ADDRESSES:
        if isinstance(given := role.params.get(address), str) and "@" in given:
            yield (*path, "params", address), "holds a user name or password; give the key as env_key", False
