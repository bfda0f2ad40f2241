"""Tools and tool_choice as this wire wants them. Pure.

hb, OpenAI                                         Mistral
auto, none                                         auto, none
required, any                                      any
a name, {type: function, function: {name}}         {type: function, function: {name}}
{type: allowed_tools, mode, tools}                 those tools alone, and any or auto
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, InputTypeError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.types import ParameterReport

_WORDS = {"auto": "auto", "none": "none", "required": "any", "any": "any"}
_OWN = frozenset({"web_search", "web_search_premium", "code_interpreter", "image_generation", "document_library"})
"""Tools that Mistral runs; they pass as they are."""


def tool_fields(args: Mapping[str, Any], report: ParameterReport) -> dict[str, Any]:
    """The fields `tools`, `tool_choice` and `parallel_tool_calls`."""
    given = args.get("tools")
    if not given:
        if given is not None:
            report.dropped("tools", "the list is empty")
        for name in ("tool_choice", "parallel_tool_calls"):
            if args.get(name) is not None:
                report.dropped(name, "there are no tools")
        return {}
    if isinstance(given, str | bytes) or not hasattr(given, "__iter__"):
        raise InputTypeError(f"tools must be a list of tools, not {type(given).__name__}")
    tools = [_tool(item, place) for place, item in enumerate(given)]
    report.sent("tools")
    fields: dict[str, Any] = {}
    choice, names = _choice(args.get("tool_choice"), [_name_in(tool) for tool in tools], report)
    fields["tools"] = [tool for tool in tools if _name_in(tool) in names] if names else tools
    if choice is not None:
        fields["tool_choice"] = choice
    if args.get("parallel_tool_calls") is not None:
        fields["parallel_tool_calls"] = args["parallel_tool_calls"]
        report.sent("parallel_tool_calls")
    return fields


def _tool(item: Any, place: int) -> dict[str, Any]:
    if not hasattr(item, "keys"):
        raise InputTypeError(f"tool {place} is {type(item).__name__}, not a mapping with a name and parameters")
    if item.get("type") in _OWN:
        return dict(item)
    function = item.get("function", item)
    if not hasattr(function, "keys") or not function.get("name"):
        raise InputError(f"tool {place} has no name")
    made: dict[str, Any] = {"name": function["name"]}
    for name in ("description", "strict"):
        if function.get(name) is not None:
            made[name] = function[name]
    schema = function.get("parameters", function.get("input_schema", function.get("schema"))) or {}
    made["parameters"] = {"type": "object", "properties": {}, **schema}
    return {"type": "function", "function": made}


def _choice(given: Any, names: list[Any], report: ParameterReport) -> tuple[Any, list[str]]:
    """(the field, the tools that are left; none: all)."""
    if given is None:
        return None, []
    if isinstance(given, str) and given in _WORDS:
        return _said(given, report), []
    if not isinstance(given, str) and not hasattr(given, "keys"):
        raise InputTypeError(f"tool_choice must be a word, a name or a mapping, not {type(given).__name__}")
    kind = "function" if isinstance(given, str) else given.get("type")
    if kind in _WORDS:
        return _said(kind, report), []
    if kind == "allowed_tools":
        allowed = given.get("allowed_tools", given)
        chosen = [_known(_name_in(tool), names) for tool in allowed.get("tools", ())]
        report.emulated("tool_choice", "the wire has no list of allowed tools; the others are left out")
        return ("any" if allowed.get("mode") == "required" else "auto"), chosen
    if kind in ("function", "tool", "custom"):
        name = _known(_name_in(given), names)
        report.sent("tool_choice")
        return {"type": "function", "function": {"name": name}}, []
    report.dropped("tool_choice", f"the wire has no choice of the type {kind!r}")
    return None, []


def _said(word: str, report: ParameterReport) -> str:
    if _WORDS[word] == word:
        report.sent("tool_choice")
    else:
        report.renamed("tool_choice", "tool_choice")
    return _WORDS[word]


def _name_in(tool: Any) -> Any:
    if not hasattr(tool, "keys"):
        return tool
    inner = tool.get("function", tool.get("custom", tool))
    return inner.get("name") if hasattr(inner, "keys") else inner


def _known(name: Any, names: list[Any]) -> str:
    if name not in names:
        known = [str(found) for found in names if found]
        raise UnknownNameError("tool", name, known, hint="tool_choice is auto, none, required or the name of a tool")
    return str(name)
