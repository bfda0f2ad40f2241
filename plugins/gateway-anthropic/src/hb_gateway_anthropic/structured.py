"""response_format on this wire: output_config.format, or an instruction where the model keeps to no schema. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from heavenbase.errors import InputError, InputTypeError

if TYPE_CHECKING:
    from hb_gateway_anthropic.models import Traits
    from heavenbase.types import ParameterReport

# What the wire's schemas do not know; it becomes a part of the description, which the model reads.
_CONSTRAINTS = frozenset(
    {
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
        *("maxItems", "uniqueItems", "contains", "minContains", "maxContains", "minProperties", "maxProperties"),
        *("patternProperties", "propertyNames"),
    }
)
_SCHEMAS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems")


class Format(NamedTuple):
    """What a request says about the form of its answer: a schema for the wire, or an instruction for the model."""

    schema: dict[str, Any] | None = None
    instruction: str = ""


def response_format(given: Any, traits: Traits, report: ParameterReport) -> Format:
    """The format for a `response_format` in the shape of OpenAI, or for a bare JSON schema."""
    if given is None:
        return Format()
    if not hasattr(given, "keys"):
        raise InputTypeError(f"response_format must be a mapping, not {type(given).__name__}")
    kind = given.get("type")
    if kind == "text":
        report.emulated("response_format", "the wire answers in text")
        return Format()
    if kind == "json_object":
        report.emulated("response_format", "the system prompt asks for a JSON object")
        return Format(instruction="Answer with one JSON object and nothing else: no other text, no code fence.")
    schema = given
    if kind == "json_schema":
        inner = given.get("json_schema", given)
        schema = inner.get("schema") if hasattr(inner, "keys") else None
    if not hasattr(schema, "keys") or not schema:
        raise InputError("response_format of the type json_schema needs a schema")
    if traits.has_schemas and not _is_open(schema):
        report.renamed("response_format", "output_config.format")
        return Format(strict(schema))
    report.emulated("response_format", "the system prompt asks for JSON of the schema")
    written = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    return Format(
        instruction="Answer with one JSON value that fits this JSON schema, and nothing else: no other text, no code "
        f"fence.\n{written}"
    )


def strict(schema: Any) -> dict[str, Any]:
    """A schema as the wire takes it: objects are closed, constraints that it does not know are told in words."""
    found = {name: value for name, value in schema.items() if name not in _CONSTRAINTS}
    told = {name: value for name, value in schema.items() if name in _CONSTRAINTS}
    if isinstance(found.get("minItems"), int) and found["minItems"] > 1:
        told["minItems"] = found.pop("minItems")
    for name in _SCHEMAS:
        if isinstance(found.get(name), dict):
            found[name] = {key: _inner(value) for key, value in found[name].items()}
    for name in _LISTS:
        if isinstance(found.get(name), list):
            found[name] = [_inner(value) for value in found[name]]
    if "oneOf" in found:
        found.setdefault("anyOf", found.pop("oneOf"))
    if isinstance(found.get("items"), dict):
        found["items"] = strict(found["items"])
    kinds = found.get("type")
    if kinds == "object" or (isinstance(kinds, list) and "object" in kinds) or "properties" in found:
        found["additionalProperties"] = False
    if told:
        words = ", ".join(f"{name}: {json.dumps(value, default=str)}" for name, value in told.items())
        described = found.get("description")
        found["description"] = f"{described} ({words})" if described else words
    return found


def _is_open(schema: Any) -> bool:
    """Whether some object may have keys that the schema does not name, which the wire cannot say."""
    if isinstance(schema, list):
        return any(_is_open(item) for item in schema)
    if not isinstance(schema, dict):
        return False
    extra = schema.get("additionalProperties")
    is_schema = schema.keys() & {"type", "properties", "anyOf", "allOf", "oneOf", "$ref"}
    if is_schema and extra is not None and extra is not False:
        return True
    return any(_is_open(value) for value in schema.values())


def _inner(value: Any) -> Any:
    return strict(value) if isinstance(value, dict) else value
