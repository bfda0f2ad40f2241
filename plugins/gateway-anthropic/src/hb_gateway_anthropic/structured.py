"""response_format on this wire: output_config.format, or an instruction where the model keeps to no schema. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from heavenbase.structured import fit_schema, is_open, map_schema, plan_format

if TYPE_CHECKING:
    from hb_gateway_anthropic.models import Traits
    from heavenbase.call import Call

_UNKNOWN = frozenset(
    {
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
        *("maxItems", "uniqueItems", "minProperties", "maxProperties"),
    }
)
"""What the wire's schemas do not know."""


class Format(NamedTuple):
    """What a request says about the form of its answer: a schema for the wire, or an instruction for the model."""

    schema: dict[str, Any] | None = None
    instruction: str = ""


def response_format(call: Call, traits: Traits, is_taken: bool) -> Format:
    """The format of a call; `is_taken` is False where the provider's rules refuse schemas. The report says which."""
    if call.args.get("response_format") is None:
        return Format()
    report = call.context.report
    plan = plan_format(call, "json_schema" if traits.has_schemas and is_taken else "none")
    if plan.schema is None or is_open(plan.schema) or _is_recursive(plan.schema):
        plan = plan_format(call, "none")
    if plan.strategy == "text":
        report.emulated("response_format", "the wire answers in text")
    elif plan.strategy == "other":
        report.dropped("response_format", "the wire has no such form")
    else:
        plan.note(report, wire="output_config.format")
    return Format(wire_schema(plan.schema) if plan.schema is not None else None, plan.instruction)


def wire_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema as the wire takes it: objects are closed, constraints that it does not know are told in words."""
    return fit_schema(map_schema(schema, _adapted), _UNKNOWN, closed=True)


def _adapted(node: dict[str, Any]) -> dict[str, Any]:
    if "oneOf" in node:
        node.setdefault("anyOf", node.pop("oneOf"))
    least = node.get("minItems")
    if isinstance(least, int) and least > 1:  # none or one is all that the wire can demand
        return fit_schema(node, {"minItems"})
    return node


def _is_recursive(schema: dict[str, Any]) -> bool:
    """Whether a definition contains itself, which the wire refuses."""
    known = {f"#/{group}/{name}": inner for group in ("$defs", "definitions") for name, inner in _group(schema, group)}
    refers = {place: _references(inner) for place, inner in known.items()}
    for place in known:
        seen, left = set[str](), set(refers[place])
        while left:
            seen |= left
            left = {far for near in left for far in refers.get(near, ())} - seen
        if place in seen:
            return True
    return "#" in _references(schema)


def _group(schema: dict[str, Any], name: str) -> list[tuple[str, Any]]:
    found = schema.get(name)
    return list(found.items()) if isinstance(found, dict) else []


def _references(value: Any) -> set[str]:
    if isinstance(value, list):
        return {found for item in value for found in _references(item)}
    if not isinstance(value, dict):
        return set()
    own = value.get("$ref")
    inner = {found for item in value.values() for found in _references(item)}
    return inner | {own} if isinstance(own, str) else inner
