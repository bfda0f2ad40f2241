"""What a placeholder stands for: a name, a type, and the values that it takes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
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
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise InputError(f"{self.name!r} is no name of a parameter: letters, digits and _, no digit first")
        if self.type not in TYPES:
            raise UnknownNameError(f"type of parameter {self.name!r}", self.type, TYPES)
        if self.type == "image" and not (self.is_required and not self.choices):
            raise InputError(f"parameter {self.name!r}: an image has neither a default nor choices")
        object.__setattr__(self, "choices", tuple(self.choices))
        for choice in self.choices:
            self._check_type(choice)
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
            return given
        if isinstance(given, type):
            given = given.__name__
        table = {"type": given} if isinstance(given, str) else given
        if not isinstance(table, Mapping):
            raise InputTypeError(f"parameter {name!r} must be a type or a table, not {type(given).__name__}")
        known = [field.name for field in fields(cls)][1:]
        for field in table:
            if field not in known:
                raise UnknownNameError(f"field of parameter {name!r}", field, known)
        return cls(name, **table)

    def check(self, value: Any) -> Any:
        """The value as it is inserted; InputTypeError for another type, UnknownNameError for what is no choice."""
        self._check_type(value)
        if self.choices and value not in self.choices:
            raise UnknownNameError(f"value of {self.name!r}", value, map(str, self.choices))
        return tuple(value) if self.type == "list" else value

    def read(self, texts: Iterable[str]) -> Any:
        """The value that texts give, as a command line has them; only a list takes several."""
        given = list(texts)
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
            raise InputError(f"parameter {self.name!r} must be {TYPES[self.type][1]}, not {text!r}") from None

    def _check_type(self, value: Any) -> None:
        kind, words = TYPES[self.type]
        is_fit = isinstance(value, kind) and value is not None and isinstance(value, bool) <= (kind in (bool, object))
        if self.type == "list" and is_fit:
            is_fit = all(isinstance(item, str) for item in value)
        if not is_fit or (isinstance(value, float) and not math.isfinite(value)):
            raise InputTypeError(f"parameter {self.name!r} must be {words}, not {type(value).__name__}")


def shown(value: Any) -> str:
    """A value as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "\n".join(value) if isinstance(value, tuple) else str(value)
