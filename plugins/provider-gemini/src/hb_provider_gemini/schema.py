"""A JSON schema in the dialect of `responseSchema`, which models before 2.5 take: a subset of OpenAPI. Pure."""

from __future__ import annotations

from typing import Any

_KEPT = frozenset(
    {
        *("description", "title", "format", "nullable", "minimum", "maximum", "minItems", "maxItems", "minLength"),
        *("maxLength", "pattern", "minProperties", "maxProperties", "example", "propertyOrdering", "required"),
    }
)
_FORMATS = {"STRING": {"enum", "date-time"}, "NUMBER": {"float", "double"}, "INTEGER": {"int32", "int64"}}


def openapi_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with upper-case types, null as `nullable`, one value of `const` as an enum; references are inlined.

    What the dialect cannot say is left out. A schema that refers to itself is cut after the first round.
    """
    definitions = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    return _convert(schema, definitions, ())


def _convert(schema: Any, definitions: dict[str, Any], within: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(schema, dict):
        return {}
    reference = schema.get("$ref")
    if isinstance(reference, str):
        name = reference.rpartition("/")[2]
        if name in within or name not in definitions:
            return {"type": "OBJECT"}
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _convert({**definitions[name], **rest}, definitions, (*within, name))
    found = {name: value for name, value in schema.items() if name in _KEPT}
    kinds = schema.get("type")
    listed = kinds if isinstance(kinds, list) else [kinds] if kinds else []
    choices = schema.get("anyOf", schema.get("oneOf"))
    if "null" in listed:
        found["nullable"] = True
        listed = [kind for kind in listed if kind != "null"]
    if len(listed) == 1:
        found["type"] = str(listed[0]).upper()
    elif listed:
        choices = [{"type": kind} for kind in listed]
    if "const" in schema:
        found["enum"] = [str(schema["const"])]
        found["type"] = "STRING"
    elif "enum" in schema:
        values = [value for value in schema["enum"] if value is not None]
        if len(values) < len(schema["enum"]):
            found["nullable"] = True
        if all(isinstance(value, str) for value in values):
            found["enum"] = values
            found.setdefault("type", "STRING")
    if isinstance(schema.get("properties"), dict):
        inner = {key: _convert(value, definitions, within) for key, value in schema["properties"].items()}
        found["properties"] = inner
        found.setdefault("type", "OBJECT")
        found.setdefault("propertyOrdering", list(inner))
    if "items" in schema:
        found["items"] = _convert(schema["items"], definitions, within)
        found.setdefault("type", "ARRAY")
    if isinstance(choices, list):
        _choose(found, choices, definitions, within)
    if found.get("format") not in _FORMATS.get(str(found.get("type")), ()):
        found.pop("format", None)
    return found


def _choose(found: dict[str, Any], choices: list[Any], definitions: dict[str, Any], within: tuple[str, ...]) -> None:
    others = [choice for choice in choices if not (isinstance(choice, dict) and choice.get("type") == "null")]
    if len(others) < len(choices):
        found["nullable"] = True
    converted = [_convert(choice, definitions, within) for choice in others]
    if len(converted) == 1:
        found.update({**converted[0], **found})
    else:
        found["anyOf"] = converted
