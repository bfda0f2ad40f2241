"""What a placeholder stands for: a name, a type, and the values that it takes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from heavenbase.errors import InputError, InputTypeError, UnknownNameError

UNSET: Any = type("Unset", (), {"__repr__": lambda self: "(required)", "__reduce__": lambda self: "UNSET"})()
"""The default of a parameter that must be given."""
TYPES: Mapping[str, tuple[Any, str]] = {
    "str": (str, "text"),
    "int": (int, "a whole number"),
    "float": (int | float, "a number"),
    "bool": (bool, "true or false"),
    "list": (list | tuple, "a list of texts"),
    "image": (object, "an image"),
}
"""Types by name: what Python has for them, and how they are told."""
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a template.

    `type` is str, int, float, bool, list (of texts, one a line) or image; without a `default` it must be given;
    `choices` are the values that are allowed, all of them where there are none. InputError for what fits together not.
    """

    name: str
    type: str = "str"
    default: Any = UNSET
    description: str = ""
    choices: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        told = f"parameter {as_text('the name of a parameter', self.name)!r}"
        for name in ("name", "type", "description"):
            object.__setattr__(self, name, as_text(f"{name} of a {told}", getattr(self, name)))
        if not self.name.isidentifier():
            raise InputError(f"{self.name!r} is no name of a parameter: letters, digits and _, no digit first")
        if self.type not in TYPES:
            raise UnknownNameError(f"type of {told}", self.type, TYPES)
        if isinstance(self.choices, str | bytes | Mapping) or not isinstance(self.choices, Iterable):
            raise InputTypeError(f"choices of {told} must be a list, not {type(self.choices).__name__}")
        choices = tuple(map(self._plain, self.choices))
        if self.type == "image" and not (self.is_required and not choices):
            raise InputError(f"{told}: an image has neither a default nor choices")
        object.__setattr__(self, "choices", choices)
        if not self.is_required:
            object.__setattr__(self, "default", self.check(self.default))

    @property
    def is_required(self) -> bool:
        """Whether it has no default, so that a value must be given."""
        return self.default is UNSET

    @classmethod
    def of(cls, name: str, given: Any) -> Parameter:
        """The parameter of a type, a type's name, or a table of fields; UnknownNameError for another field."""
        if isinstance(given, Parameter):
            if given.name != name:
                raise InputError(f"parameter {name!r} is given as one of another name, {given.name!r}")
            return given
        if isinstance(given, type):
            given = given.__name__
        table = {"type": given} if isinstance(given, str) else given
        if not isinstance(table, Mapping):
            raise InputTypeError(f"parameter {name!r} must be a type or a table, not {type(given).__name__}")
        known = [field.name for field in fields(cls)][1:]
        for field in (table := as_table(f"parameter {name!r}", table)):
            if field not in known:
                raise UnknownNameError(f"field of parameter {name!r}", field, known)
        return cls(name, **table)

    def check(self, value: Any) -> Any:
        """The value as it is inserted: plain, whatever class it is of, and nothing of that class is run.

        InputTypeError for another type, InputError for a number too long to write, UnknownNameError for what is no
        choice.
        """
        found = self._plain(value)
        if self.choices and found not in self.choices:
            raise UnknownNameError(f"value of {self.name!r}", shown(found), map(shown, self.choices))
        return found

    def read(self, texts: Sequence[str]) -> Any:
        """The value that texts give, as a command line has them; only a list takes several."""
        if not isinstance(texts, list | tuple):
            raise InputTypeError(f"the texts of parameter {self.name!r} must be a list, not {type(texts).__name__}")
        given = [as_text(f"a text of parameter {self.name!r}", text) for text in texts]
        if self.type == "list":
            return given
        if len(given) != 1:
            raise InputError(f"parameter {self.name!r} takes one value, not {len(given)}")
        [text] = given
        try:
            if self.type in ("int", "float"):
                return int(text) if self.type == "int" else float(text)
            return _WORDS[text.strip().lower()] if self.type == "bool" else text
        except (ValueError, KeyError):
            shortened = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
            raise InputError(f"parameter {self.name!r} must be {TYPES[self.type][1]}, not {shortened!r}") from None

    def _plain(self, value: Any) -> Any:
        kind, words = TYPES[self.type]
        own = type(value)  # and not its __class__, which may be anything
        if value is None or not issubclass(own, kind) or (own is bool and kind not in (bool, object)):
            raise InputTypeError(f"parameter {self.name!r} must be {words}, not {own.__name__}")
        if self.type == "list":
            items = (list if issubclass(own, list) else tuple).__iter__(value)
            return tuple(as_text(f"an item of parameter {self.name!r}", item) for item in items)
        if issubclass(own, str):
            return str.__str__(value)
        if self.type == "float" and issubclass(own, float):
            if not math.isfinite(found := float.__float__(value)):
                raise InputTypeError(f"parameter {self.name!r} must be {words}, not {found}")
            return found
        return value if self.type in ("bool", "image") else self._whole(value)

    def _whole(self, value: Any) -> int:
        found = int.__int__(value)
        try:
            str(found)
        except ValueError:  # Python limits the digits, as writing them takes time that grows with their square
            raise InputError(f"parameter {self.name!r} has more digits than can be written") from None
        return found


def as_text(what: str, value: Any) -> str:
    """A text as a plain one, whatever class it is of; InputTypeError for what is none."""
    if not issubclass(type(value), str):
        raise InputTypeError(f"{what} must be text, not {type(value).__name__}")
    return str.__str__(value)


def as_table(what: str, value: Any) -> dict[str, Any]:
    """A mapping with its names as plain texts; InputTypeError for what is none, and for a name that is no text."""
    if not issubclass(type(value), Mapping):
        raise InputTypeError(f"{what} must be a mapping, not {type(value).__name__}")
    items = dict.items(value) if issubclass(type(value), dict) else value.items()
    return {as_text(f"a name in {what}", name): item for name, item in items}


def shown(value: Any) -> str:
    """A value as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "\n".join(value) if isinstance(value, tuple) else str(value)
