"""What is read from code on the way to a schema: docstrings, types in the form that pydantic asks for, and references.

Pure.
"""

from __future__ import annotations

import re
import sys
from functools import reduce
from inspect import cleandoc
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

_SECTION = re.compile(
    r"^[ \t]*(?:(?:Args|Arguments|Parameters|Params|Keyword Args|Keyword Arguments|Other Parameters|Returns|Raises)"
    r"[ \t]*:?[ \t]*$|[:@](?:param|parameter|arg|argument|key|returns?)\b)",
    re.MULTILINE,
)
_PREFIX = "#/$defs/"
_NAMED = ("properties", "patternProperties", "$defs", "dependentSchemas")
"""Keywords whose keys are names of the user's, not keywords."""
_DATA = ("default", "const", "enum", "examples", "required")
_LEFT_OUT = ("title", "discriminator")


def read_docstring(text: str | None) -> tuple[str, dict[str, str]]:
    """(what the function does, description by parameter); the whole text where it has no section of parameters."""
    body = cleandoc(text) if text else ""
    if not _SECTION.search(body):
        return body, {}
    # Imported on use: most docstrings need no parser.
    from docstring_parser import ParseError, parse

    try:
        found = parse(body)
    except ParseError:
        return body, {}
    parameters = {
        item.arg_name.lstrip("*"): " ".join(item.description.split()) for item in found.params if item.description
    }
    about = (found.description or "").strip()
    if found.returns is not None and found.returns.description:
        about = f"{about}\n\nReturns: {' '.join(found.returns.description.split())}".strip()
    return about, parameters


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


def tidy_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A copy without titles, with each `$ref` replaced by its definition, but for those that contain themselves."""
    definitions = schema.get("$defs", {})
    recursive = {name for name in definitions if name in _reach(definitions, definitions[name])}
    kept: dict[str, Any] = {}
    body = _tidy({key: value for key, value in schema.items() if key != "$defs"}, definitions, recursive)
    waiting = sorted(_used(body))
    while waiting:
        name = waiting.pop()
        if name not in kept and name in definitions:
            kept[name] = _tidy(definitions[name], definitions, recursive)
            waiting.extend(_used(kept[name]))
    return {**body, "$defs": kept} if kept else body


def _tidy(node: Any, definitions: dict[str, Any], recursive: set[str]) -> Any:
    if isinstance(node, list):
        return [_tidy(item, definitions, recursive) for item in node]
    if not isinstance(node, dict):
        return node
    result: dict[str, Any] = {}
    for key, value in node.items():
        if key in _LEFT_OUT:
            continue
        if key in _NAMED and isinstance(value, dict):
            result[key] = {name: _tidy(item, definitions, recursive) for name, item in value.items()}
        else:
            result[key] = value if key in _DATA else _tidy(value, definitions, recursive)
    name = _target(result)
    if name is None or name in recursive or name not in definitions:
        return result
    del result["$ref"]
    return {**_tidy(definitions[name], definitions, recursive), **result}


def _target(node: dict[str, Any]) -> str | None:
    ref = node.get("$ref")
    return ref[len(_PREFIX) :] if isinstance(ref, str) and ref.startswith(_PREFIX) else None


def _used(node: Any) -> set[str]:
    """The definitions that a schema refers to, itself."""
    if isinstance(node, list):
        return set().union(*map(_used, node))
    if not isinstance(node, dict):
        return set()
    found = set().union(*map(_used, node.values()))
    name = _target(node)
    return found | {name} if name is not None else found


def _reach(definitions: dict[str, Any], start: Any) -> set[str]:
    """The definitions that a schema refers to, also through others."""
    found: set[str] = set()
    waiting = _used(start)
    while waiting:
        name = waiting.pop()
        if name in definitions and name not in found:
            found.add(name)
            waiting |= _used(definitions[name])
    return found
