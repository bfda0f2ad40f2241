"""Tools and tool_choice as Ollama's wire has them. Pure.

The wire has no tool_choice: `auto` is what it does, `none` leaves the tools at home, and a call cannot be forced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_ollama.messages import TAKEN
from heavenbase.wires import (
    as_tool,
    function_of,
    given_tools,
    note_parallel,
    note_tools,
    object_schema,
    refuse_others,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.types import ParameterReport


def tool_list(args: Mapping[str, Any], report: ParameterReport) -> list[dict[str, Any]]:
    """The field `tools`; empty when none is to be sent."""
    given = given_tools(args, report)
    if not given:
        return []
    tools = [_tool(as_tool(item, place), place, report) for place, item in enumerate(note_tools(given, TAKEN, report))]
    choice = args.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in ("auto", "none"):
        choice = choice["type"]
    note_parallel(args, report)
    if choice == "none":
        report.emulated("tool_choice", "the tools are not sent, so that none is called")
        report.emulated("tools", 'they are not sent, as tool_choice is "none"')
        return []
    report.renamed("tools", "tools")
    if choice == "auto":
        report.emulated("tool_choice", "the model always decides by itself")
    elif choice is not None:
        report.dropped("tool_choice", "Ollama cannot make a model call a tool; it decides by itself")
    return tools


def _tool(item: Mapping[str, Any], place: int, report: ParameterReport) -> dict[str, Any]:
    refuse_others(item, place)
    function = function_of(item, place)
    if function.get("strict"):
        report.dropped("strict", "the wire has no strict tools")
    made: dict[str, Any] = {"name": function["name"]}
    if function.get("description") is not None:
        made["description"] = function["description"]
    made["parameters"] = object_schema(function)
    return {"type": "function", "function": made}
