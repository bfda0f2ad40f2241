"""Schemas of tools' arguments as the wires take them: an object that names its fields, no choices at its root.

What is taken away is told to the model in words; hb checks arguments against the schema as it was given.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from heavenbase.errors import InputError, ToolArgsError
from heavenbase.schemas.check import listed, problems, without_nulls
from heavenbase.schemas.strict import map_schema, types_of

LONGEST = 1_000
"""Characters of what is told in words."""
DEPTH = 8
"""Choices within choices, and references to references, that are followed."""
_ROOT = ("allOf", "anyOf", "oneOf", "enum", "const", "not")
_SIMPLE = frozenset({*("type", "description", "default", "enum", "minimum", "maximum", "format", "pattern"), "title"})


def is_plain(schema: Mapping[str, Any]) -> bool:
    """Whether a schema is at a glance as every wire takes it."""
    fields = schema.get("properties")
    if schema.get("type") != "object" or not isinstance(fields, dict) or not schema.keys().isdisjoint((*_ROOT, "$ref")):
        return False
    return all(isinstance(f, dict) and _SIMPLE.issuperset(f) and "array" not in types_of(f) for f in fields.values())


def tool_schema(given: Mapping[str, Any], name: str) -> tuple[dict[str, Any], str]:
    """(the schema of a tool's arguments as every wire takes it, what it cannot say, in words; "" for nothing).

    InputError for a schema of something else than an object, or with a reference at its root that leads nowhere.
    """
    try:
        root = map_schema({key: value for key, value in given.items() if value is not None}, _sound)
        made = _flat(root, root, name, DEPTH, {})
        lost = {key: root[key] for key in _ROOT[1:] if key in root}
        words = json.dumps(lost, ensure_ascii=False) if lost else ""
    except RecursionError:
        raise InputError(f"the parameters of tool {name!r} are nested too deep") from None
    except (AttributeError, LookupError, TypeError) as error:  # keywords of other types than theirs
        raise InputError(f"the parameters of tool {name!r} are no JSON schema ({error})") from None
    words = words if len(words) <= LONGEST else f"{words[:LONGEST]}…"
    return {**made, "type": "object"}, f"arguments must fit: {words}" if words else ""


def fitting(arguments: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments that fit a schema, without nulls for fields left out; else ToolArgsError. An unusable one fits all."""
    try:
        plain = dict(schema)
        found = problems(arguments := without_nulls(arguments, plain), plain)
    except InputError:
        return arguments
    if found:
        raise ToolArgsError(listed([line.replace("the answer:", "arguments:", 1) for line in found], 20))
    return arguments


def _sound(node: dict[str, Any]) -> dict[str, Any]:
    """A part without what many wires refuse and nobody means: arrays without items, schemas that are true or false."""
    if isinstance(node.get("items"), list):  # of older drafts
        node["prefixItems"] = node.pop("items")
        node["items"] = node.pop("additionalItems", True)
    if "array" in types_of(node):
        node["items"] = _as_schema(node.get("items", True))
    if isinstance(node.get("properties"), dict):
        node["properties"] = {key: _as_schema(inner) for key, inner in node["properties"].items()}
    return node


def _as_schema(value: Any) -> Any:
    return {} if value is True else {"not": {}} if value is False else value


def _flat(node: dict[str, Any], root: dict[str, Any], name: str, depth: int, done: dict[str, Any]) -> dict[str, Any]:
    """The schema of one object: references followed, the fields of all choices its own, required what all require."""
    if not depth:
        raise RecursionError
    if isinstance(reference := node.get("$ref"), str):
        if reference not in done:
            found: Any = root
            for step in reference.removeprefix("#/").split("/"):
                found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
            if not isinstance(found, dict):
                raise InputError(f"the parameters of tool {name!r} refer to {reference!r}, which is no schema in them")
            done[reference] = _flat(found, root, name, depth - 1, done)
        node = {**done[reference], **{key: value for key, value in node.items() if key != "$ref"}}
    if (kinds := types_of(node)) and "object" not in kinds:
        raise InputError(
            f"the parameters of tool {name!r} are a schema of {' or '.join(map(str, kinds))}; the arguments of a tool "
            "are an object: put it into a property"
        )
    made = {key: value for key, value in node.items() if key not in _ROOT}
    fields = made["properties"] = {**(made.get("properties") or {})}
    required = dict.fromkeys(made.get("required") or ())
    for keyword in _ROOT[:3]:
        branches = [part for part in node.get(keyword) or () if isinstance(part, dict)]
        parts = [
            _flat(part, root, name, depth - 1, done) for part in branches if part.get("type", "object") == "object"
        ]
        for key, inner in (pair for part in parts for pair in part["properties"].items()):
            known = fields.setdefault(key, inner)
            if inner != known and inner not in known.get("anyOf", ()):
                fields[key] = {"anyOf": [*(known.get("anyOf") or [known]), inner]}
        asked = [part.get("required", ()) for part in parts]
        every = keyword == "allOf"
        required.update((key, None) for found in asked for key in found if every or all(key in one for one in asked))
    return {**made, "required": [*required]} if required else made
