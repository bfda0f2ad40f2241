"""Tools and tool_choice as this wire wants them. Pure.

hb, OpenAI                                         Anthropic
auto, none                                         {type: auto}, {type: none}
required, any                                      {type: any}
a name, {type: function, function: {name}}         {type: tool, name}
parallel_tool_calls=False                          disable_parallel_tool_use: true
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hb_gateway_anthropic.parts import TAKEN
from hb_gateway_anthropic.structured import wire_schema
from heavenbase.wires import (
    MARK,
    as_tool,
    function_of,
    given_tools,
    mark_of,
    note_other_choice,
    note_tools,
    object_schema,
    read_choice,
    refuse_others,
)

if TYPE_CHECKING:
    from hb_gateway_anthropic.models import Traits
    from heavenbase.types import ParameterReport


def tool_fields(
    args: Mapping[str, Any], traits: Traits, thinks_by_budget: bool, report: ParameterReport
) -> dict[str, Any]:
    """The fields `tools` and `tool_choice`."""
    given = given_tools(args, report)
    if not given:
        return {}
    given = note_tools(given, TAKEN, report)
    tools = [_tool(as_tool(item, place), place, traits, report) for place, item in enumerate(given)]
    report.renamed("tools", "tools")
    fields: dict[str, Any] = {"tools": tools}
    choice = _choice(args.get("tool_choice"), [str(tool.get("name")) for tool in tools], report)
    choice = _allowed(choice, traits, thinks_by_budget, report)
    choice = _parallel(args.get("parallel_tool_calls"), choice, report)
    if choice is not None:
        fields["tool_choice"] = choice
    return fields


def _tool(item: Mapping[str, Any], place: int, traits: Traits, report: ParameterReport) -> dict[str, Any]:
    kind = item.get("type", "function")
    if "input_schema" in item or kind not in ("function", "custom"):
        return dict(item)  # already in the wire's shape, or one of the provider's own tools
    refuse_others(item, place)
    function = function_of(item, place)
    tool: dict[str, Any] = {"name": function["name"]}
    if function.get("description") is not None:
        tool["description"] = function["description"]
    tool["input_schema"] = object_schema(function)
    if function.get("strict"):
        if traits.has_schemas:
            tool["strict"] = True
            tool["input_schema"] = wire_schema(tool["input_schema"])
        else:
            report.dropped("strict", "the model keeps to no schema strictly")
    tool.update((name, found[name]) for found in (function, item) for name in TAKEN.tools if name in found)
    if (mark := mark_of(item) or mark_of(function)) is not None:
        tool[MARK] = mark
    return tool


def _choice(given: Any, names: list[str], report: ParameterReport) -> dict[str, Any] | None:
    if given is None:
        return None
    report.renamed("tool_choice", "tool_choice")
    if isinstance(given, Mapping) and given.get("type") in ("auto", "any", "none"):
        return dict(given)
    choice = read_choice(given, names)
    if choice.kind == "tool":
        own = given if isinstance(given, Mapping) and given.get("type") == "tool" else {}
        return {**own, "type": "tool", "name": choice.names[0]}
    if choice.kind in ("auto", "none", "any"):
        return {"type": choice.kind}
    note_other_choice(choice, report)
    return None


def _allowed(
    choice: dict[str, Any] | None, traits: Traits, thinks_by_budget: bool, report: ParameterReport
) -> dict[str, Any] | None:
    """The choice, softened where a call cannot be forced."""
    if choice is None or choice["type"] not in ("any", "tool"):
        return choice
    if not traits.forces_tools:
        report.dropped("tool_choice", "the model cannot be forced to call a tool; it decides for itself")
        return None
    if thinks_by_budget:
        report.dropped("tool_choice", "a call cannot be forced while the model thinks by budget; pass think=False")
        return None
    return choice


def _parallel(given: Any, choice: dict[str, Any] | None, report: ParameterReport) -> dict[str, Any] | None:
    if given is None:
        return choice
    if choice is not None and choice["type"] == "none":
        report.dropped("parallel_tool_calls", "no tool may be called")
        return choice
    report.renamed("parallel_tool_calls", "tool_choice.disable_parallel_tool_use")
    return {**(choice or {"type": "auto"}), "disable_parallel_tool_use": not given}
