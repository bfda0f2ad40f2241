"""TypedDicts of the standard library in the form that pydantic asks for before Python 3.12."""

from __future__ import annotations

import sys
from functools import reduce
from operator import or_
from types import UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)


def portable(hint: Any) -> Any:
    """The type with every `typing.TypedDict` in it as the twin of typing_extensions; itself on newer Pythons."""
    return hint if sys.version_info >= (3, 12) else _portable(hint, ())


def _portable(hint: Any, inside: tuple[Any, ...]) -> Any:
    if is_typeddict(hint):
        if type(hint).__module__ != "typing" or hint in inside:
            return hint if hint not in inside else Any
        return _twin(hint, (*inside, hint))
    origin, args = get_origin(hint), get_args(hint)
    if origin is None or origin is Literal or not args:
        return hint
    if origin is Annotated:
        changed = _portable(args[0], inside)
        return hint if changed is args[0] else Annotated[(changed, *hint.__metadata__)]
    new = tuple(_portable(arg, inside) for arg in args)
    if all(before is after for before, after in zip(args, new, strict=True)):
        return hint
    if origin in (Union, UnionType):
        return reduce(or_, new)
    return hint.copy_with(new) if hasattr(hint, "copy_with") else origin[new]


def _twin(hint: Any, inside: tuple[Any, ...]) -> Any:
    from typing_extensions import TypedDict

    fields = {}
    for name, given in get_type_hints(hint, include_extras=True).items():
        mark: Any = get_origin(given)
        bare = get_args(given)[0] if mark in (Required, NotRequired) else given
        if bare is given:  # the marks themselves come first: the keys are wrong where annotations are strings
            mark = Required if name in hint.__required_keys__ else NotRequired
        fields[name] = mark[_portable(bare, inside)]
    twin = TypedDict(hint.__name__, fields)  # type: ignore[misc]
    twin.__doc__ = hint.__doc__
    return twin
