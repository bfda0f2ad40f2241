"""Requests against the JSON schema of their wire, `schemas/WIRE.schema.json`, and what is wrong with one.

A schema has the fields and the nesting that the provider publishes, so that the two can be compared; each operation is
one of its `$defs`. What a schema cannot say, such as the order of messages, the checkers of the wires say beside it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

_FOLDER = Path(__file__).parent / "schemas"
_BRANCHES = ("oneOf", "anyOf")
_TAGS = ("type", "role")


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps a request from fitting.

    place     where: names of fields and indexes; for a missing or an unknown field, where that stands or should
    keyword   the word of JSON Schema for it: required, additionalProperties, type, enum, minimum, pattern ...
    wanted    what the schema says with that word
    value     what the request has there; None for a missing field
    """

    place: tuple[str | int, ...]
    keyword: str
    wanted: Any
    value: Any

    @property
    def path(self) -> str:
        """The place as most providers write it: `messages[0].role`."""
        return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.place).lstrip(".")

    @property
    def dotted(self) -> str:
        """The place with dots alone: `messages.0.role`."""
        return ".".join(map(str, self.place))

    @property
    def general(self) -> str:
        """The place without numbers: `messages.role`."""
        return ".".join(step for step in self.place if isinstance(step, str))

    @property
    def is_of_tag(self) -> bool:
        """Whether this is about the field that tells alternatives apart."""
        return self.place[-1] in _TAGS and self.keyword in ("const", "enum", "required")

    @property
    def text(self) -> str:
        """What is wrong, in words that no provider in particular uses."""
        say = _WORDS.get(self.keyword)
        return f"does not fit {self.keyword} {self.wanted!r}" if say is None else say(self.wanted)


class RequestSchema:
    """The schema of one wire."""

    def __init__(self, wire: str) -> None:
        self.document: Any = json.loads((_FOLDER / f"{wire}.schema.json").read_bytes())
        self._registry = jsonschema_rs.Registry([("hb:wire", self.document)])

    def fields(self, operation: str) -> Collection[str]:
        """The fields at the top of an operation's requests."""
        return self.document["$defs"][operation]["properties"].keys()  # type: ignore[no-any-return]

    def problem(self, operation: str, payload: Any) -> Problem | None:
        """What is wrong with a request, the outermost first; None for one that fits."""
        check = self._checker(operation)
        try:
            if check.is_valid(payload):
                return None
        except ValueError:  # half a surrogate pair
            payload = json.loads(json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace"))
        found = [_problem(error) for error in check.iter_errors(payload)]
        first = min(found, key=_rank, default=None)
        return first and replace(first, place=tuple(_steps(first.place, payload)))

    @lru_cache  # noqa: B019 - a schema lives as long as its module
    def _checker(self, operation: str) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(
            {"$ref": f"hb:wire#/$defs/{operation}"}, registry=self._registry, offline=True
        )


def _steps(place: tuple[str | int, ...], value: Any) -> Iterator[str | int]:
    """The steps of a place; to the library a field that is called 1 is an index."""
    for step in place:
        yield step if isinstance(value, list) else str(step)
        inside = isinstance(value, list) and step < len(value)  # type: ignore[operator]
        value = value[step] if inside else value.get(str(step)) if isinstance(value, dict) else None


def _problem(error: ValidationError) -> Problem:
    kind: Any = error.kind
    value: Any = error.instance
    place, keyword = tuple(error.instance_path), kind.name
    if keyword in _BRANCHES and all(kind.context):
        return _nearest(place, value, kind.context)
    if keyword == "required":
        return Problem((*place, kind.property), keyword, kind.property, None)
    if keyword == "additionalProperties":
        name = next(iter(kind.unexpected))
        return Problem((*place, name), keyword, name, value[name])
    return Problem(place, keyword, next(iter(kind.as_dict().values()), None), value)


def _nearest(place: tuple[str | int, ...], value: Any, branches: Iterable[list[ValidationError]]) -> Problem:
    """The problem of the alternative that was meant: one of the right type, and of the right tag."""
    found = [[_problem(error) for error in branch] for branch in branches]
    tags = [[one for one in branch if one.place[:-1] == place and one.is_of_tag] for branch in found]
    types = [[one for one in branch if one.keyword == "type" and one.place == place] for branch in found]
    ranks = [(bool(types[at]), bool(tags[at]), len(found[at])) for at in range(len(found))]
    best = ranks.index(min(ranks))
    if types[best]:
        return Problem(place, "type", [name for branch in types for one in branch for name in one.wanted], value)
    if not tags[best]:
        return min(found[best], key=_rank)
    first = tags[best][0]
    if first.keyword == "required":
        return first
    words = [one.wanted for branch in tags for one in branch if one.place == first.place and one.keyword != "required"]
    flat = [word for some in words for word in (some if isinstance(some, list) else [some])]
    return Problem(first.place, "enum", list(dict.fromkeys(flat)), first.value)


def _rank(problem: Problem) -> tuple[int, bool]:
    return len(problem.place), problem.keyword != "additionalProperties"


def given(payload: Mapping[str, Any], extensions: Collection[str], known: Collection[str]) -> dict[str, Any]:
    """The payload without those extension fields that the wire does not know."""
    return {name: value for name, value in payload.items() if name in known or name not in extensions}


def listed(words: Iterable[Any]) -> str:
    """Words in quotes, one after the other."""
    return ", ".join(map(repr, words))


_WORDS: Mapping[str, Any] = {
    "required": lambda name: "is required",
    "additionalProperties": lambda name: "is unknown",
    "type": lambda types: f"must be {' or '.join(name for name in types if name != 'null')}",
    "enum": lambda words: f"must be one of {listed(words)}",
    "const": lambda word: f"must be {word!r}",
    "minimum": lambda limit: f"must be at least {limit}",
    "maximum": lambda limit: f"must be at most {limit}",
    "exclusiveMinimum": lambda limit: f"must be more than {limit}",
    "minLength": lambda limit: "must not be empty" if limit == 1 else f"must have at least {limit} characters",
    "maxLength": lambda limit: f"must have at most {limit} characters",
    "minItems": lambda limit: "must not be empty" if limit == 1 else f"must have at least {limit} items",
    "maxItems": lambda limit: f"must have at most {limit} items",
    "minProperties": lambda limit: "must have a field",
    "maxProperties": lambda limit: "must have one field alone",
    "pattern": lambda pattern: f"must match {pattern}",
}
