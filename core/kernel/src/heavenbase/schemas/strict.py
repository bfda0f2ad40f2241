"""JSON schemas as the wires take them: closed and complete for strict decoding, or without keywords they lack. Pure.

A keyword that a wire does not know is told to the model in the field's description, where it still helps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

NAMED = ("properties", "$defs", "definitions", "patternProperties", "dependentSchemas")
"""Keywords whose keys are names of the user's, each with a schema."""
LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
NESTED = ("items", "additionalProperties", "not", "contains", "propertyNames", "if", "then", "else")
CONSTRAINTS = frozenset(
    {
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
        *("pattern", "format", "minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains"),
        *("minProperties", "maxProperties", "propertyNames", "patternProperties"),
    }
)
"""Keywords that narrow a value down: one that a wire lacks is told in words."""
ASIDES = frozenset(
    {"default", "examples", "deprecated", "readOnly", "writeOnly", "$schema", "$id", "$comment", "title"}
)
"""Keywords that say nothing about which values are valid."""
STRICT_UNKNOWN = frozenset(
    {"minLength", "maxLength", "uniqueItems", "minContains", "maxContains", "minProperties", "maxProperties"}
)
STRICT_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
_OPENING = ("patternProperties", "propertyNames", "contains", "not", "if", "dependentRequired", "dependentSchemas",
            "prefixItems", "unevaluatedProperties", "unevaluatedItems")  # fmt: skip
_LEFT_OUT = ("title", "discriminator")
_PREFIX = "#/$defs/"
Schema = TypeVar("Schema")
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object", list: "array"}


def strict_schema(schema: dict[str, Any]) -> dict[str, Any] | None:
    """The schema as strict decoding on OpenAI's wire requires it; None for one that cannot be put so.

    Objects are closed and all their fields required; a field that may be left out may be null instead, which
    `without_nulls` takes out of the answer again. Open dictionaries, tuples and conditions cannot be put so.
    """
    tidied = tidy_schema(schema)
    return None if is_open(tidied) else map_schema(tidied, _strict)


def fit_schema(schema: dict[str, Any], unknown: Collection[str], *, closed: bool = False) -> dict[str, Any]:
    """The schema without the keywords that a wire does not know; those that constrain values are told in words.

    `closed` adds `additionalProperties: false` to every object that does not say whether it is open.
    """

    def change(node: dict[str, Any]) -> dict[str, Any]:
        if closed and _is_object(node):
            node.setdefault("additionalProperties", False)
        return _tell(node, unknown)

    return map_schema(schema, change)


def tidy_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A copy without titles, with each `$ref` replaced by its definition, but for those that contain themselves."""
    definitions = schema.get("$defs", {})
    recursive = {name for name in definitions if name in _reach(definitions, definitions[name])}

    def change(node: dict[str, Any]) -> dict[str, Any]:
        found = {key: value for key, value in node.items() if key not in _LEFT_OUT}
        name = _target(found)
        if name in recursive or name not in definitions:
            return found
        del found["$ref"]
        return {**map_schema(definitions[name], change), **found}

    body = map_schema({key: value for key, value in schema.items() if key != "$defs"}, change)
    names = sorted(_reach(definitions, body) & recursive)
    return {**body, "$defs": {name: map_schema(definitions[name], change) for name in names}} if names else body


def _reach(definitions: dict[str, Any], start: Any) -> set[str]:
    """The definitions that a schema refers to, also through others."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            waiting.extend(node.values())
            name = _target(node)
            if name in definitions and name not in found:
                found.add(name)
                waiting.append(definitions[name])
    return found


def _target(node: dict[str, Any]) -> Any:
    """The name of the definition that a schema refers to by itself; None for none."""
    reference = node.get("$ref")
    return reference[len(_PREFIX) :] if isinstance(reference, str) and reference.startswith(_PREFIX) else None


def is_open(schema: Any) -> bool:
    """Whether strict decoding cannot be asked for: somewhere, a value's fields or items are not all spelled out."""
    found = []

    def look(node: dict[str, Any]) -> dict[str, Any]:
        found.append(_opens(node))
        return node

    map_schema(schema, look)
    return any(found)


def map_schema(schema: Schema, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Schema:
    """A copy of a schema with `change` applied to each schema in it, innermost first."""
    if not isinstance(schema, dict):
        return schema
    node = dict(schema)
    for name in NAMED:
        if isinstance(node.get(name), dict):
            node[name] = {key: map_schema(inner, change) for key, inner in node[name].items()}
    for name in LISTED:
        if isinstance(node.get(name), list):
            node[name] = [map_schema(inner, change) for inner in node[name]]
    for name in NESTED:
        if name in node:
            node[name] = map_schema(node[name], change)
    return change(node)  # type: ignore[return-value]


def _strict(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        # Beside a reference nothing else is allowed.
        return {name: node[name] for name in ("$ref", "$defs", "definitions") if name in node}
    if len(node.get("allOf", ())) == 1:
        node = {**node.pop("allOf")[0], **node}
    if "oneOf" in node:
        node.setdefault("anyOf", node.pop("oneOf"))
    if "type" not in node and not any(name in node for name in ("anyOf", "allOf")):
        kinds = list(dict.fromkeys(_TYPES.get(type(value), "null") for value in node.get("enum", [node.get("const")])))
        node["type"] = kinds[0] if len(kinds) == 1 else kinds
    if _is_object(node):
        node["type"] = node.get("type", "object")
        properties = node.setdefault("properties", {})
        asked = node.get("required", ())
        node["properties"] = {
            name: inner if name in asked or allows_null(inner) else {"anyOf": [inner, {"type": "null"}]}
            for name, inner in properties.items()
        }
        node["required"] = list(properties)
        node["additionalProperties"] = False
    unknown = STRICT_UNKNOWN if node.get("format") in (*STRICT_FORMATS, None) else STRICT_UNKNOWN | {"format"}
    return _tell(node, unknown | (ASIDES - {"title"}))


def _tell(node: dict[str, Any], unknown: Collection[str]) -> dict[str, Any]:
    told = {name: value for name, value in node.items() if name in unknown and name in CONSTRAINTS}
    found = {name: value for name, value in node.items() if name not in unknown}
    if told:
        words = ", ".join(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in told.items())
        described = found.get("description")
        found["description"] = f"{described} ({words})" if described else words
    return found


def types_of(node: Mapping[str, Any]) -> list[Any]:
    """The types that a schema names by itself."""
    kinds = node.get("type")
    return [kinds] if isinstance(kinds, str) else kinds if isinstance(kinds, list) else []


def allows_null(node: Any) -> bool:
    """Whether a schema says by itself that null is allowed; references are not followed."""
    if not isinstance(node, dict):
        return bool(node)
    if node.get("type") is not None:
        return "null" in types_of(node) and None in node.get("enum", (None,))
    if "enum" in node or "const" in node:
        return None in node.get("enum", (node.get("const", ...),))
    choices = [*node.get("anyOf", ()), *node.get("oneOf", ())]
    return any(map(allows_null, choices)) if choices else not node.keys() & {"$ref", "allOf", "properties"}


def _opens(node: dict[str, Any]) -> bool:
    if any(name in node for name in _OPENING) or len(node.get("allOf", ())) > 1:
        return True
    if node.get("additionalProperties", False) is not False:
        return True
    kinds = types_of(node)
    if "object" in kinds and "properties" not in node and node.get("additionalProperties") is None:
        return True
    if "array" in kinds and not isinstance(node.get("items"), dict):
        return True
    reference = node.get("$ref")
    if reference is not None:
        return not (isinstance(reference, str) and reference.startswith("#"))
    return not node.keys() & {"type", "properties", "anyOf", "oneOf", "allOf", "enum", "const"}


def _is_object(node: dict[str, Any]) -> bool:
    return "object" in types_of(node) or "properties" in node
