"""Tools and tool_choice as this wire wants them. Pure.

hb, OpenAI                                         Mistral
auto, none                                         auto, none
required, any                                      any
a name, {type: function, function: {name}}         {type: function, function: {name}}
{type: allowed_tools, mode, tools}                 those tools alone, and any or auto
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_mistral.parts import TAKEN
from heavenbase.wires import (
    as_tool,
    function_of,
    given_tools,
    note_other_choice,
    note_tools,
    object_schema,
    read_choice,
    refuse_others,
    tool_name,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.types import ParameterReport

_OWN = frozenset(
    {"web_search", "web_search_premium", "code_interpreter", "image_generation", "document_library", "connector"}
)
"""Tools that Mistral runs; they pass as they are."""


def tool_fields(args: Mapping[str, Any], report: ParameterReport) -> dict[str, Any]:
    """The fields `tools`, `tool_choice` and `parallel_tool_calls`."""
    given = given_tools(args, report)
    if not given:
        return {}
    tools = [_tool(as_tool(item, place), place) for place, item in enumerate(note_tools(given, TAKEN, report))]
    report.sent("tools")
    fields: dict[str, Any] = {}
    choice, names = _choice(args.get("tool_choice"), [tool_name(tool) for tool in tools], report)
    fields["tools"] = [tool for tool in tools if tool_name(tool) in names] if names else tools
    if choice is not None:
        fields["tool_choice"] = choice
    if args.get("parallel_tool_calls") is not None:
        fields["parallel_tool_calls"] = args["parallel_tool_calls"]
        report.sent("parallel_tool_calls")
    return fields


def _tool(item: Mapping[str, Any], place: int) -> dict[str, Any]:
    if item.get("type") in _OWN:
        return dict(item)
    refuse_others(item, place)
    function = function_of(item, place)
    made: dict[str, Any] = {"name": function["name"]}
    for name in ("description", "strict"):
        if function.get(name) is not None:
            made[name] = function[name]
    made["parameters"] = object_schema(function)
    return {"type": "function", "function": made}


def _choice(given: Any, names: list[Any], report: ParameterReport) -> tuple[Any, list[str]]:
    """(the field, the tools that are left; none: all)."""
    if given is None:
        return None, []
    choice = read_choice(given, names)
    if choice.kind == "other":
        note_other_choice(choice, report)
        return None, []
    if choice.kind == "allowed":
        report.emulated("tool_choice", "the wire has no list of allowed tools; the others are left out")
        return ("any" if choice.is_forced else "auto"), list(choice.names)
    if choice.kind == "tool":
        report.sent("tool_choice")
        return {"type": "function", "function": {"name": choice.names[0]}}, []
    if choice.kind in (given, given.get("type") if hasattr(given, "get") else None):
        report.sent("tool_choice")
    else:
        report.renamed("tool_choice", "tool_choice")
    return choice.kind, []
