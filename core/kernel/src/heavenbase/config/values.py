"""Values of the configuration: dotted keys, typed text, and `${env:NAME,default}`.

Three notations are read here and nowhere else:

- A dotted key, `heavenbase.llm.models."gpt-5.6".dim`: a name that holds a dot is quoted.
- Typed text, as in environment variables and on the command line: `true`, `3`, `0.5`, `null`, JSON, otherwise a string.
- References inside strings: `${env:NAME}`, `${env:NAME,default}`; `$${` is a literal `${`. A value that is exactly
  `${null}` is None, because TOML has no null and `temperature = "${null}"` must be able to override a default.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from heavenbase.errors import ConfigError, MissingCredential
from heavenbase.secrets import Hidden, hide, mapped

Path: TypeAlias = tuple[str, ...]

NULL = "${null}"
MASK = "***"
ABSENT: Any = object()

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SEGMENT = re.compile(r"""(?:"([^"]*)"|'([^']*)'|([^."'\s]+))(\.|$)""")
_REFERENCE = re.compile(r"(\$\$\{)|\$\{([^{}]*)\}|\$\{")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = ("true", "false", "null")
_FOLD = str.maketrans("", "", "-_.: ")
_USERINFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def split_key(key: str | Sequence[str]) -> Path:
    """Split a dotted key into its names; a sequence of names is taken as it is. ConfigError when it is malformed."""
    return _split(key) if isinstance(key, str) else tuple(key)


@lru_cache(maxsize=1024)
def _split(key: str) -> Path:
    if not key:
        return ()
    names = []
    position, separator = 0, "."
    while separator:
        match = _SEGMENT.match(key, position)
        if match is None:
            raise ConfigError(f'{key!r} is not a dotted key; quote a name that holds a dot, such as models."gpt-5.6"')
        names.append(next(name for name in match.group(1, 2, 3) if name is not None))
        position, separator = match.end(), match.group(4)
    return tuple(names)


def join_key(path: Sequence[str]) -> str:
    """Write names as a dotted key that `split_key` and TOML read back."""
    return ".".join(name if _BARE.fullmatch(name) else f"'{name}'" if '"' in name else f'"{name}"' for name in path)


def parse_value(text: str) -> Any:
    """Read typed text: bool, int, float, null or JSON; anything else is the string itself."""
    import json  # only few values need it, and it costs more than the rest of a load

    word = text.strip()
    folded = word.lower()
    try:
        value = json.loads(folded if folded in _WORDS else word)
        json.dumps(value, allow_nan=False)  # what Python reads as a number, and JSON has not
    except (ValueError, RecursionError):
        return text
    return value


def format_value(value: Any) -> str:
    """Write a value as the text that `parse_value` reads back."""
    if isinstance(value, str) and parse_value(value) is value:
        return value
    import json  # see parse_value

    return json.dumps(value, allow_nan=False)


def interpolate(value: str, key: str, environ: Mapping[str, str]) -> str:
    """Replace every `${env:NAME,default}` in `value` (the value of `key`) from `environ`.

    An empty variable counts as unset. Raises MissingCredential when a variable is unset and has no default, and
    ConfigError for anything else in `${...}`; the reference itself is never handed on as a value.
    """
    if "${" not in value:
        return value

    def fill(match: re.Match[str]) -> str:
        if match.group(1):
            return "${"
        name, default = _reference(match, key)
        found = environ.get(name)
        if found or default is not None:
            return found or default or ""
        state = "is not set" if found is None else "is empty"
        raise MissingCredential(
            f"environment variable {name} {state} and {key} needs it; "
            f"set {name}, or give {key} a value with `hb cfg set` or in the constructor"
        )

    filled = _REFERENCE.sub(fill, value)
    return hide(filled) if isinstance(value, Hidden) else filled


def _reference(match: re.Match[str], key: str) -> tuple[str, str | None]:
    body = match.group(2)
    if body is None:
        raise ConfigError(f"{key}: a ${{ is never closed; write ${{env:NAME,default}}, or $${{ for the characters")
    kind, colon, rest = body.partition(":")
    if not colon or kind.strip() != "env":
        # The body is not repeated: in a credential's slot it may be one.
        raise ConfigError(
            f"{key}: only ${{env:NAME}} and ${{env:NAME,default}} are known here; write $${{ for the characters"
        )
    name, comma, default = rest.partition(",")
    name = name.strip()
    if not _VARIABLE.fullmatch(name):
        raise ConfigError(f"{key}: ${{env:...}} needs the name of an environment variable")
    return name, default if comma else None


def references(value: str, key: str = "value") -> Iterator[tuple[str, str | None]]:
    """Yield (variable, default or None) of every reference in `value`; ConfigError when one is malformed."""
    if "${" not in value:
        return
    for match in _REFERENCE.finditer(value):
        if not match.group(1):
            yield _reference(match, key)


def has_reference(value: Any) -> bool:
    """Say whether `value`, or any value in it, holds a `${`."""
    return any("${" in text for text in texts(value))


def texts(value: Any) -> Iterator[str]:
    """Yield every string in plain data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


def merge(*tables: Mapping[str, Any]) -> dict[str, Any]:
    """Tables over each other, later wins; tables in both are merged, anything else, None included, is replaced."""
    merged: dict[str, Any] = {}
    for table in tables:
        for name, value in table.items():
            old = merged.get(name)
            merged[name] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def find(values: Any, path: tuple[str, ...]) -> Any:
    """The value at a path, or ABSENT."""
    for name in path:
        if not isinstance(values, dict) or name not in values:
            return ABSENT
        values = values[name]
    return values


def leaves(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every value that is not a table, with its path."""
    for name, value in values.items():
        here = (*path, name)
        if isinstance(value, dict):
            yield from leaves(value, here)
        else:
            yield here, value


@lru_cache(4096)  # each kernel compares the same few hundred
def fold(name: str) -> str:
    """A name as names are compared: lower case, without - _ . : and spaces."""
    return name.lower().translate(_FOLD)


def from_toml(value: Any) -> Any:
    """Deep-copy plain data, turning `${null}` into None and tuples into lists."""
    return mapped(value, lambda leaf: None if leaf == NULL and isinstance(leaf, str) else leaf)


def to_toml(value: Any) -> Any:
    """Deep-copy plain data, turning None into `${null}`."""
    return mapped(value, lambda leaf: NULL if leaf is None else leaf)


def literal_part(value: str) -> str:
    """Return what a string holds besides references to variables; defaults of references count."""
    if "${" not in value:
        return value

    def keep(match: re.Match[str]) -> str:
        name, comma, default = (match.group(2) or "").partition(",")
        return default if comma and name.strip().startswith("env:") else ""

    return _REFERENCE.sub(keep, value)


def masked(value: Any, secret: bool) -> Any:
    """Copy a value for display: literal secrets and the user part of URLs become `***`, references stay readable."""

    def shown(leaf: Any) -> Any:
        if isinstance(leaf, str):
            return _USERINFO.sub(MASK, leaf) if not secret else MASK if literal_part(leaf) else leaf
        return MASK if secret and leaf is not None else leaf

    return mapped(value, shown)
