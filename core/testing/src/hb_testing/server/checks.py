"""Checks of single values, refusing as OpenAI does: message, `param` and `code`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from hb_testing.server.wire import Rejected

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "object": dict,
    "array": list,
    "integer": int,
    "number": (int, float),
}


def refuse(message: str, param: str | None = None, code: str | None = "invalid_value") -> NoReturn:
    """Refuse the request with status 400."""
    raise Rejected(message, param=param, code=code)


def missing(param: str) -> NoReturn:
    """Refuse a request without a required parameter."""
    refuse(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def only(value: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """Refuse fields that the object at `where` does not have."""
    for name in value:
        if name not in known:
            refuse(f"Unknown parameter: '{where}.{name}'.", f"{where}.{name}", "unknown_parameter")


def kind(value: Any, param: str, *names: str) -> None:
    """Refuse a value that is of none of the JSON types `names`."""
    for name in names:
        # bool is an int in Python, not in JSON.
        if isinstance(value, _TYPES[name]) and not (isinstance(value, bool) and name != "boolean"):
            return
    found = "null" if value is None else type(value).__name__
    expected = " or ".join(names)
    refuse(f"Invalid type for '{param}': expected {expected}, but got {found} instead.", param, "invalid_type")


def text(value: Any, param: str) -> None:
    """Refuse anything but a non-empty string."""
    kind(value, param, "string")
    if not value:
        refuse(f"Invalid '{param}': empty string.", param, "empty_string")


def items(value: Any, param: str, *, most: int | None = None) -> None:
    """Refuse anything but a non-empty array of at most `most` elements."""
    kind(value, param, "array")
    if not value:
        refuse(
            f"Invalid '{param}': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            param,
            "empty_array",
        )
    if most is not None and len(value) > most:
        refuse(
            f"Invalid '{param}': array too long. Expected an array with maximum length {most}, "
            f"but got an array with length {len(value)} instead.",
            param,
            "array_above_max_length",
        )


def choice(value: Any, param: str, allowed: Collection[str]) -> None:
    """Refuse a value that is not one of `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        listed = ", ".join(repr(name) for name in allowed)
        refuse(f"Invalid value: {value!r}. Supported values are: {listed}.", param)


def number(value: Any, param: str, low: float, high: float | None = None, *, integer: bool = False) -> None:
    """Refuse anything but a number (or integer) from `low` to `high`."""
    kind(value, param, "integer" if integer else "number")
    word = "integer" if integer else "decimal"
    if value < low:
        refuse(
            f"Invalid '{param}': {word} below minimum value. Expected a value >= {low}, but got {value} instead.",
            param,
            f"{word}_below_min_value",
        )
    if high is not None and value > high:
        refuse(
            f"Invalid '{param}': {word} above maximum value. Expected a value <= {high}, but got {value} instead.",
            param,
            f"{word}_above_max_value",
        )


def name(value: Any, param: str) -> None:
    """Refuse anything but a function or schema name."""
    kind(value, param, "string")
    if not NAME.fullmatch(value):
        refuse(
            f"Invalid '{param}': string does not match pattern. Expected a string that matches the pattern "
            f"'^[a-zA-Z0-9_-]+$'.",
            param,
        )


def top_level(payload: Mapping[str, Any], known: Collection[str], extensions: Collection[str]) -> None:
    """Refuse top-level fields that the endpoint does not have, and a missing or empty model."""
    for field in payload:
        if field not in known and field not in extensions:
            refuse(f"Unrecognized request argument supplied: {field}", None, None)
    if "model" in known and not payload.get("model"):
        refuse("you must provide a model parameter", None, None)
    if "model" in payload:
        kind(payload["model"], "model", "string")
