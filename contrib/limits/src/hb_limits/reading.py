"""What rules have in common: the patterns of targets that they are about, and words of which there are a few. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from heavenbase.errors import InputError, InputTypeError, UnknownNameError


def covers(match: Sequence[str], *names: str) -> bool:
    """Whether one of these names of a target is among the patterns."""
    return any(fnmatchcase(name, pattern) for pattern in match for name in names)


def patterns(value: Any, key: str) -> tuple[str, ...]:
    """The patterns of provider/model of a rule; `key` is how messages call them."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not found or not all(isinstance(each, str) for each in found):
        raise InputTypeError(f"{key} is a pattern such as 'openai/*', or a list of them")
    for each in found:
        if "/" not in each and each != "*":
            raise InputError(f"{key}: {str(each)!r} is no pattern of provider/model; for a whole provider: {each}/*")
    return tuple(map(str, found))


def word(value: Any, choices: Sequence[str], key: str) -> str:
    """One of the words that a key of a rule takes."""
    if value not in choices:
        raise UnknownNameError(f"value of {key}", value, choices)
    return str(value)
