"""The check of configuration values against the schema: unknown keys, wrong types, with the nearest key.

Values are never repeated in a message, except where the choices are a fixed list, so no message can hold a credential.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from heavenbase.config.schema import SCHEMA, Field, Found, Node, known_keys, look_up
from heavenbase.config.values import format_value, has_reference, join_key, parse_value, references, texts
from heavenbase.errors import ConfigError

_PLAIN = (str, int, float, bool, type(None))
TYPES: dict[str, tuple[Any, str]] = {
    "null": (type(None), "null"),
    "bool": (bool, "true or false"),
    "int": (int, "an integer"),
    "float": (int | float, "a number"),
    "str": (str, "a string"),
    "table": (dict, "a table"),
    "list": (list, "a list"),
    "list[str]": (list, "a list of strings"),
    "list[table]": (list, "a list of tables"),
    "any": (object, "a string, number, true or false, list or table"),
}
_ITEMS = {"list[str]": str, "list[table]": dict}


def _has_type(value: Any, word: str) -> bool:
    kind = TYPES[word][0]
    if isinstance(value, bool) and kind not in (bool, object):
        return False  # to Python it is a number
    items = value if word in _ITEMS and isinstance(value, list) else ()
    return isinstance(value, kind) and _is_plain(value) and all(isinstance(item, _ITEMS[word]) for item in items)


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    # Neither nan nor infinity, and no integer beyond all that are no integers.
    return isinstance(value, _PLAIN) and (not isinstance(value, int | float) or abs(value) <= sys.float_info.max)


class Problem(NamedTuple):
    """One thing that is wrong: the key it is about, and what to do."""

    path: tuple[str, ...]
    message: str


def problems(value: Any, node: Node = SCHEMA, path: tuple[str, ...] = ()) -> Iterator[Problem]:
    """Yield everything that is wrong with `value` as the content of `path`, in file order."""
    if isinstance(node, Field):
        yield from _field_problems(value, node, path)
        inside = [(value, node.inner), *((item, node.items) for item in (value if isinstance(value, list) else ()))]
        for each, table in inside:
            if table is not None and isinstance(each, dict):
                yield from problems(each, table, path)
    elif isinstance(value, dict):
        for name, item in value.items():
            child = node.fields.get(name, node.rows) if isinstance(name, str) else None
            here = (*path, str(name))
            if child is None:
                yield Problem(here, unknown(here))
            else:
                yield from problems(item, child, here)
    elif node.short is not None:
        yield from _field_problems(value, node.short, path, also=" or a table")
    else:
        yield Problem(path, f"{join_key(path) or 'the configuration'} must be a table, not {_name(value)}")


def _field_problems(value: Any, field: Field, path: tuple[str, ...], also: str = "") -> Iterator[Problem]:
    key = join_key(path)
    if has_reference(value):
        try:
            for text in texts(value):
                list(references(text, key))
        except ConfigError as error:
            yield Problem(path, error.message)
            return
        if isinstance(value, str):
            return  # what the variable holds is checked when the value is read
    if not accepts(field, value):
        wanted = " or ".join(TYPES[name][1] for name in field.types) + also
        yield Problem(path, f"{key} must be {wanted}, not {_name(value)}")
    elif field.choices and value not in field.choices:
        yield Problem(path, f"{key} must be {_choices(field.choices)}{meant(str(value), field.choices, 0.5)}")
    elif field.minimum is not None and isinstance(value, int | float) and value < field.minimum:
        yield Problem(path, f"{key} must be at least {field.minimum:g}")


def accepts(field: Field, value: Any) -> bool:
    """Say whether a field takes a value of this type."""
    return any(_has_type(value, word) for word in field.types)


def field_at(path: Sequence[str]) -> Field | None:
    """The field that a plain value at `path` belongs to; None for tables and unknown keys."""
    found = look_up(path)
    if found is None:
        return None
    return found.node if isinstance(found.node, Field) else found.node.short


def coerce(text: str, path: Sequence[str]) -> Any:
    """Read typed text for a key: where the key wants a string, `5.6` and `true` stay strings.

    Where it wants a truth value, yes/no, on/off and 1/0 are taken too. Unknown keys get `parse_value`.
    """
    value = parse_value(text)
    field = field_at(path)
    if field is None or (accepts(field, value) and "any" not in field.types):
        return value
    if "str" in field.types:
        return text
    if "bool" in field.types:
        return {"1": True, "yes": True, "on": True, "0": False, "no": False, "off": False}.get(
            text.strip().lower(), value
        )
    return value


def read_reference(text: str, path: Sequence[str]) -> Any:
    """Read the interpolated text of a key and check it; ConfigError names the key, never the text."""
    field = field_at(path)
    if field is None or "str" in field.types or "any" in field.types:
        if field is not None and field.choices and text not in field.choices:
            raise ConfigError(f"{join_key(path)} must be {_choices(field.choices)}; its variable holds something else")
        return text
    value = coerce(text, path)
    for problem in _field_problems(value, field, tuple(path)):
        raise ConfigError(f"{problem.message} (from the variables that its value names)")
    return value


def known(path: Sequence[str]) -> Found:
    """What the schema says of a key; ConfigError when there is no such key."""
    found = look_up(path)
    if found is None:
        raise ConfigError(unknown(path))
    return found


def unknown(path: Sequence[str]) -> str:
    """Say that a key does not exist and which one is likely meant."""
    key = join_key(path)
    nearest = nearest_key(path)
    hint = f"; did you mean {nearest!r}?" if nearest else ""
    elsewhere = nearest is None or not nearest.startswith(join_key(path[:3]))
    if elsewhere and any(name in ("models", "presets", "providers", "gateways") for name in path[:-1]):
        hint += '; a name that holds a dot is quoted, as in models."gpt-5.6"'
    return f"unknown key {key!r}{hint}"


def nearest_key(path: Sequence[str]) -> str | None:
    """The known key most like an unknown one: a sibling, else one with the same last name, else any."""
    from difflib import get_close_matches

    for depth in range(len(path)):
        parent = look_up(path[:depth])
        if parent is not None and look_up(path[: depth + 1]) is None:
            siblings = list(parent.node.fields)
            close = get_close_matches(path[depth].lower(), siblings, n=1, cutoff=0.6)
            if close:
                corrected = (*path[:depth], close[0], *path[depth + 1 :])
                return join_key(corrected if look_up(corrected) else corrected[: depth + 1])
            break
    paths = [found for found, _ in known_keys() if "<name>" not in found]
    tables = {found[:length] for found in paths for length in range(1, len(found))}
    keys = sorted(map(join_key, [*sorted(tables), *paths]), key=lambda key: key.count("."))
    endings = ("." + join_key(path[length:]).lower() for length in range(len(path)))
    same = (key for ending in endings for key in keys if key.endswith(ending))
    close = get_close_matches(f"heavenbase.llm.{join_key(path).lower()}", keys, n=1, cutoff=0.75)
    return next(same, next(iter(close), None))


def _choices(choices: Sequence[str]) -> str:
    return "one of " + ", ".join(map(format_value, choices))


def meant(name: str, choices: Iterable[str], cutoff: float = 0.6) -> str:
    """A hint at the choice that is most like a name; empty when none is."""
    from difflib import get_close_matches

    close = get_close_matches(name.lower(), list(choices), n=1, cutoff=cutoff)
    return f"; did you mean {close[0]!r}?" if close else ""


def _name(value: Any) -> str:
    for kind in ("null", "bool", "int", "float", "str", "table", "list"):
        if _has_type(value, kind):
            return TYPES[kind][1]
    if isinstance(value, dict | list):
        return f"a {'table' if isinstance(value, dict) else 'list'} that holds something else"
    if isinstance(value, int):
        return "one so large"
    return "nan or infinity" if isinstance(value, float) else f"a {type(value).__name__}"
