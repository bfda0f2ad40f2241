"""Tools and tool_choice as this wire wants them. Pure.

hb, OpenAI                                         Anthropic
auto, none                                         {type: auto}, {type: none}
required, any                                      {type: any}
a name, {type: function, function: {name}}         {type: tool, name}
parallel_tool_calls=False                          disable_parallel_tool_use: true
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, InputTypeError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_gateway_anthropic.models import Traits
    from heavenbase.types import ParameterReport

_WORDS = {"auto": "auto", "none": "none", "required": "any", "any": "any"}
_KEPT = ("cache_control", "input_examples", "defer_loading", "eager_input_streaming", "allowed_callers")


def tool_fields(
    args: Mapping[str, Any], traits: Traits, thinks_by_budget: bool, report: ParameterReport
) -> dict[str, Any]:
    """The fields `tools` and `tool_choice`."""
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
    tools = [_tool(item, place, traits, report) for place, item in enumerate(given)]
    report.renamed("tools", "tools")
    fields: dict[str, Any] = {"tools": tools}
    choice = _choice(args.get("tool_choice"), [str(tool.get("name")) for tool in tools], report)
    choice = _allowed(choice, traits, thinks_by_budget, report)
    choice = _parallel(args.get("parallel_tool_calls"), choice, report)
    if choice is not None:
        fields["tool_choice"] = choice
    return fields


def _tool(item: Any, place: int, traits: Traits, report: ParameterReport) -> dict[str, Any]:
    if not hasattr(item, "keys"):
        raise InputTypeError(f"tool {place} is {type(item).__name__}, not a mapping with a name and parameters")
    kind = item.get("type", "function")
    if "input_schema" in item or kind not in ("function", "custom"):
        return dict(item)  # already in the wire's shape, or one of the provider's own tools
    function = item.get("function", item)
    if not hasattr(function, "keys") or not function.get("name"):
        raise InputError(f"tool {place} has no name")
    schema = function.get("parameters", function.get("schema")) or {}
    tool: dict[str, Any] = {"name": function["name"]}
    if function.get("description"):
        tool["description"] = function["description"]
    tool["input_schema"] = {"type": "object", "properties": {}, **schema}
    if function.get("strict"):
        if traits.has_schemas:
            tool["strict"] = True
        else:
            report.dropped("strict", "the model keeps to no schema strictly")
    tool.update((name, item[name]) for name in _KEPT if name in item)
    return tool


def _choice(given: Any, names: list[str], report: ParameterReport) -> dict[str, Any] | None:
    if given is None:
        return None
    report.renamed("tool_choice", "tool_choice")
    if isinstance(given, str):
        if given in _WORDS:
            return {"type": _WORDS[given]}
        return _named(given, names)
    if not hasattr(given, "keys"):
        raise InputTypeError(f"tool_choice must be a word, a name or a mapping, not {type(given).__name__}")
    kind = given.get("type")
    if kind in ("auto", "any", "none"):
        return dict(given)
    if kind == "tool":
        return {**given, **_named(given.get("name"), names)}
    inner = given.get("function", given.get("custom", given))
    if kind in ("function", "custom") and hasattr(inner, "keys"):
        return _named(inner.get("name"), names)
    report.dropped("tool_choice", f"the wire has no choice of the type {kind!r}")
    return None


def _named(name: Any, names: list[str]) -> dict[str, Any]:
    if name not in names:
        raise UnknownNameError("tool", name, names, hint="tool_choice is auto, none, required or the name of a tool")
    return {"type": "tool", "name": name}


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
