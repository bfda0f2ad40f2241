"""JSON schemas as every endpoint reads them: no titles, and definitions put where they are used. Pure."""

from __future__ import annotations

from typing import Any

_PREFIX = "#/$defs/"
_NAMED = ("properties", "patternProperties", "$defs", "dependentSchemas")
"""Keywords whose keys are names of the user's, not keywords."""
_DATA = ("default", "const", "enum", "examples", "required")
_LEFT_OUT = ("title", "discriminator")


def tidy_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A copy without titles, with each `$ref` replaced by its definition, but for those that contain themselves."""
    definitions = schema.get("$defs", {})
    recursive = {name for name in definitions if name in _reach(definitions, definitions[name])}
    kept: dict[str, Any] = {}
    body = _tidy({key: value for key, value in schema.items() if key != "$defs"}, definitions, recursive)
    waiting = sorted(_used(body))
    while waiting:
        name = waiting.pop()
        if name not in kept:
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
