"""Tools and tool_choice as this wire wants them. Pure.

hb, OpenAI                                         Cohere
auto                                               absent
none                                               tool_choice NONE; models that know none: no tools
required, any                                      tool_choice REQUIRED; models that know none: lost
a name, {type: function, function: {name}}         that tool alone, REQUIRED
{type: allowed_tools, mode: required, tools}       those tools alone, REQUIRED
{type: allowed_tools, mode: auto, tools}           those tools alone
strict in every tool, each with a required part    strict_tools
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, InputTypeError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_cohere.models import Traits
    from heavenbase.types import ParameterReport

_WORDS = {"auto": None, "none": "NONE", "required": "REQUIRED", "any": "REQUIRED"}
_ALONE = "the wire names no tool; the others are left out"


def tool_fields(args: Mapping[str, Any], traits: Traits, report: ParameterReport) -> dict[str, Any]:
    """The fields `tools`, `tool_choice` and `strict_tools`."""
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
    strict: list[bool] = []
    tools = [_declaration(item, place, strict) for place, item in enumerate(given)]
    report.sent("tools")
    fields: dict[str, Any] = {}
    if any(strict) and "strict_tools" not in args:
        if not all(strict):
            report.dropped("strict", "the wire has it for all tools or for none")
        elif not all(tool["function"]["parameters"].get("required") for tool in tools):
            report.dropped("strict", "the wire has it for tools that require a parameter alone")
        else:
            fields["strict_tools"] = True
    word, names = _choice(args.get("tool_choice"), [tool["function"]["name"] for tool in tools], report)
    if names:
        tools = [tool for tool in tools if tool["function"]["name"] in names]
    if args.get("parallel_tool_calls") is not None:
        if args["parallel_tool_calls"]:
            report.emulated("parallel_tool_calls", "the model may always call several tools at once")
        else:
            report.dropped("parallel_tool_calls", "the wire cannot keep a model from calling several tools at once")
    if word is not None and not traits.chooses:
        if word == "NONE":
            report.emulated("tool_choice", "the model knows no tool_choice; the tools are left out")
            return {}
        report.dropped("tool_choice", "the model cannot be told to call a tool; newer ones can")
        word = None
    fields["tools"] = tools
    if word is not None:
        fields["tool_choice"] = word
    return fields


def _declaration(item: Any, place: int, strict: list[bool]) -> dict[str, Any]:
    if not hasattr(item, "keys"):
        raise InputTypeError(f"tool {place} is {type(item).__name__}, not a mapping with a name and parameters")
    function = item.get("function", item)
    if not hasattr(function, "keys") or not function.get("name"):
        raise InputError(f"tool {place} has no name; this wire has tools that are functions, and no others")
    strict.append(bool(function.get("strict")))
    made: dict[str, Any] = {"name": function["name"]}
    if function.get("description"):
        made["description"] = function["description"]
    schema = function.get("parameters", function.get("input_schema", function.get("schema"))) or {}
    made["parameters"] = {"type": "object", "properties": {}, **schema}
    return {"type": "function", "function": made}


def _choice(given: Any, names: list[str], report: ParameterReport) -> tuple[str | None, list[str]]:
    """(the word of the wire, the tools that are left; none: all)."""
    if given is None:
        return None, []
    if isinstance(given, str):
        if given.lower() in _WORDS:
            return _said(given.lower(), report), []
        return _alone([_known(given, names)], report)
    if not hasattr(given, "keys"):
        raise InputTypeError(f"tool_choice must be a word, a name or a mapping, not {type(given).__name__}")
    kind = given.get("type")
    if kind in _WORDS:
        return _said(kind, report), []
    if kind == "allowed_tools":
        allowed = given.get("allowed_tools", given)
        _, chosen = _alone([_known(_name_in(tool), names) for tool in allowed.get("tools", ())], report)
        return "REQUIRED" if allowed.get("mode") == "required" else None, chosen
    if kind in ("function", "tool", "custom"):
        return _alone([_known(_name_in(given), names)], report)
    report.dropped("tool_choice", f"the wire has no choice of the type {kind!r}")
    return None, []


def _said(word: str, report: ParameterReport) -> str | None:
    if _WORDS[word] is None:
        report.emulated("tool_choice", "the model is free to choose where nothing is said")
    else:
        report.renamed("tool_choice", "tool_choice")
    return _WORDS[word]


def _alone(names: list[str], report: ParameterReport) -> tuple[str, list[str]]:
    report.emulated("tool_choice", _ALONE)
    return "REQUIRED", names


def _name_in(choice: Any) -> Any:
    if not hasattr(choice, "keys"):
        return choice
    inner = choice.get("function", choice.get("custom", choice))
    return inner.get("name") if hasattr(inner, "keys") else inner


def _known(name: Any, names: list[str]) -> str:
    if name not in names:
        raise UnknownNameError("tool", name, names, hint="tool_choice is auto, none, required or the name of a tool")
    return str(name)
