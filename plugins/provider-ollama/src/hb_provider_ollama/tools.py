"""Tools and tool_choice as Ollama's wire has them. Pure.

The wire has no tool_choice: `auto` is what it does, `none` leaves the tools at home, and a call cannot be forced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, InputTypeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.types import ParameterReport


def tool_list(args: Mapping[str, Any], report: ParameterReport) -> list[dict[str, Any]]:
    """The field `tools`; empty when none is to be sent."""
    given = args.get("tools")
    if not given:
        if given is not None:
            report.dropped("tools", "the list is empty")
        for name in ("tool_choice", "parallel_tool_calls"):
            if args.get(name) is not None:
                report.dropped(name, "there are no tools")
        return []
    if isinstance(given, str | bytes) or not hasattr(given, "__iter__"):
        raise InputTypeError(f"tools must be a list of tools, not {type(given).__name__}")
    tools = [_tool(item, place) for place, item in enumerate(given)]
    choice = args.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") in ("auto", "none"):
        choice = choice["type"]
    if args.get("parallel_tool_calls") is False:
        report.dropped("parallel_tool_calls", "the wire cannot keep a model from calling several tools at once")
    elif args.get("parallel_tool_calls"):
        report.emulated("parallel_tool_calls", "the model may always call several tools at once")
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


def _tool(item: Any, place: int) -> dict[str, Any]:
    if not hasattr(item, "keys"):
        raise InputTypeError(f"tool {place} is {type(item).__name__}, not a mapping with a name and parameters")
    function = item.get("function", item)
    if not hasattr(function, "keys") or not function.get("name"):
        raise InputError(f"tool {place} has no name")
    schema = function.get("parameters", function.get("input_schema", function.get("schema"))) or {}
    made: dict[str, Any] = {"name": function["name"]}
    if function.get("description"):
        made["description"] = function["description"]
    made["parameters"] = {"type": "object", "properties": {}, **schema}
    return {"type": "function", "function": made}
