"""What rules have in common: a list of tables with names, patterns of targets, words of which there are a few. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Protocol, TypeVar

from heavenbase.errors import InputError, InputTypeError, UnknownNameError


class Named(Protocol):
    """A rule, as messages and stores call it."""

    @property
    def name(self) -> str: ...


R = TypeVar("R", bound=Named)


def rules_of(
    given: Any, read: Callable[[Mapping[str, Any], str], R], keys: Sequence[str], key: str, taken: Collection[str] = ()
) -> tuple[R, ...]:
    """The rules of a list of tables, each made by `read` from a table that has nothing but `keys`.

    `key` is how messages call the list; no two rules have one name, nor one that is `taken`.
    """
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise InputTypeError(f"{key} is a list of tables, not {type(given).__name__}")
    rules = tuple(read(_table(table, keys, f"{key}[{place}]"), f"{key}[{place}]") for place, table in enumerate(given))
    names = set(taken)
    for place, rule in enumerate(rules):
        if rule.name in names:
            raise InputError(f"{key}[{place}]: another rule is called {rule.name!r} too; give each a `name` of its own")
        names.add(rule.name)
    return rules


def _table(table: Any, keys: Sequence[str], key: str) -> Mapping[str, Any]:
    if not isinstance(table, Mapping):
        raise InputTypeError(f"{key} is a table, not {type(table).__name__}")
    for name in table:
        if name not in keys:
            raise UnknownNameError(f"key of {key}", name, keys)
    return table


def name_of(table: Mapping[str, Any], key: str) -> str | None:
    """The name that a rule is given."""
    name = table.get("name")
    if name is not None and not (isinstance(name, str) and name.strip()):
        raise InputTypeError(f"{key}.name is a text that is not empty")
    return None if name is None else str(name)


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
        raise UnknownNameError(f"value of {key}", str(value), choices)  # as it stands in the file: it is no credential
    return str(value)
