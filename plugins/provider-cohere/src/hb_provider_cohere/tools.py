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

from hb_provider_cohere.messages import TAKEN
from heavenbase.wires import (
    as_tool,
    function_of,
    given_tools,
    note_other_choice,
    note_parallel,
    note_tools,
    object_schema,
    read_choice,
    refuse_others,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_cohere.models import Traits
    from heavenbase.types import ParameterReport

_WORDS = {"none": "NONE", "any": "REQUIRED"}


def tool_fields(args: Mapping[str, Any], traits: Traits, report: ParameterReport) -> dict[str, Any]:
    """The fields `tools`, `tool_choice` and `strict_tools`."""
    given = given_tools(args, report)
    if not given:
        return {}
    strict: list[bool] = []
    given = note_tools(given, TAKEN, report)
    tools = [_declaration(as_tool(item, place), place, strict) for place, item in enumerate(given)]
    report.sent("tools")
    fields: dict[str, Any] = {}
    if any(strict):
        if "strict_tools" in args:
            report.emulated("strict", "strict_tools says it for all tools")
        elif not all(strict):
            report.dropped("strict", "the wire has it for all tools or for none")
        elif not all(tool["function"]["parameters"].get("required") for tool in tools):
            report.dropped("strict", "the wire has it for tools that require a parameter alone")
        else:
            fields["strict_tools"] = True
            report.renamed("strict", "strict_tools")
    word, names = _choice(args.get("tool_choice"), [tool["function"]["name"] for tool in tools], report)
    if names:
        tools = [tool for tool in tools if tool["function"]["name"] in names]
    note_parallel(args, report)
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


def _declaration(item: Mapping[str, Any], place: int, strict: list[bool]) -> dict[str, Any]:
    refuse_others(item, place)
    function = function_of(item, place, "; this wire has tools that are functions, and no others")
    strict.append(bool(function.get("strict")))
    made: dict[str, Any] = {"name": function["name"]}
    if function.get("description") is not None:
        made["description"] = function["description"]
    made["parameters"] = object_schema(function)
    return {"type": "function", "function": made}


def _choice(given: Any, names: list[str], report: ParameterReport) -> tuple[str | None, list[str]]:
    """(the word of the wire, the tools that are left; none: all)."""
    if given is None:
        return None, []
    if isinstance(given, str) and given.lower() in ("auto", "none", "required", "any"):
        given = given.lower()
    choice = read_choice(given, names)
    if choice.kind == "other":
        note_other_choice(choice, report)
        return None, []
    if choice.kind == "auto":
        report.emulated("tool_choice", "the model is free to choose where nothing is said")
        return None, []
    if choice.kind in _WORDS:
        report.renamed("tool_choice", "tool_choice")
        return _WORDS[choice.kind], []
    report.emulated("tool_choice", "the wire names no tool; the others are left out")
    return "REQUIRED" if choice.kind == "tool" or choice.is_forced else None, list(choice.names)
