"""Tools and tool_choice as this wire wants them. Pure.

hb, OpenAI                                         Converse
auto                                               {auto: {}}
none                                               no toolConfig at all
required, any                                      {any: {}}
a name, {type: function, function: {name}}         {tool: {name}}; {any: {}} with that tool alone where a model has
                                                   no other way
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_bedrock.parts import TAKEN, cache_point
from heavenbase.errors import InputError, UnsupportedError
from heavenbase.wires import (
    as_tool,
    function_of,
    given_tools,
    known_tool,
    mark_of,
    note_tools,
    object_schema,
    read_choice,
    refuse_others,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_bedrock.models import Traits
    from heavenbase.call import Call

_OWN = ("toolSpec", "systemTool", "cachePoint")


def tool_config(call: Call, args: Mapping[str, Any], traits: Traits, by_budget: bool) -> dict[str, Any] | None:
    """The field toolConfig; None for a request without tools."""
    report = call.context.report
    given = given_tools(args, report, own=_OWN)
    if not given:
        return None
    given = note_tools(given, TAKEN._replace(marks=traits.caches), report)
    tools = [tool for place, item in enumerate(given) for tool in _tools(as_tool(item, place), place, traits, call)]
    if args.get("parallel_tool_calls") is not None:
        _parallel(args["parallel_tool_calls"], call)
    kind, name = _choice(
        args.get("tool_choice"), [str(tool["toolSpec"]["name"]) for tool in tools if "toolSpec" in tool]
    )
    if kind == "none":
        report.emulated("tools", "tool_choice is none, and the wire has no other way to say it")
        report.emulated("tool_choice", "the request has no tools, so that none can be called")
        return None
    if not traits.tools:
        report.dropped("tools", "the model calls no tools on Bedrock")
        if kind:
            report.dropped("tool_choice", "the model calls no tools on Bedrock")
        return None
    if call.stream and not traits.streams_tools:
        raise UnsupportedError(
            f"{call.target}: the model streams no answers with tools on Bedrock; call it without streaming",
            provider=call.spec.provider,
            model=call.spec.model_id,
        )
    report.renamed("tools", "toolConfig.tools")
    config: dict[str, Any] = {"tools": tools}
    if kind:
        _choose(config, kind, name, traits, by_budget, call)
    return config


def _choose(config: dict[str, Any], kind: str, name: str, traits: Traits, by_budget: bool, call: Call) -> None:
    """Put the choice into the request, as far as the model can be told it."""
    report = call.context.report
    if kind == "auto":
        report.renamed("tool_choice", "toolConfig.toolChoice")
        config["toolChoice"] = {"auto": {}}
    elif by_budget:
        report.dropped("tool_choice", "a call cannot be forced while the model thinks by budget; pass think=False")
    elif kind in traits.choices:
        report.renamed("tool_choice", "toolConfig.toolChoice")
        config["toolChoice"] = {"tool": {"name": name}} if kind == "tool" else {"any": {}}
    elif kind == "tool" and "any" in traits.choices:
        report.emulated("tool_choice", "the model is forced to call a tool, and has this one alone")
        config["tools"] = [tool for tool in config["tools"] if (tool.get("toolSpec") or {}).get("name") == name]
        config["toolChoice"] = {"any": {}}
    else:
        report.dropped("tool_choice", "the model cannot be forced to call a tool on Bedrock; it decides for itself")


def _tools(item: Mapping[str, Any], place: int, traits: Traits, call: Call) -> list[dict[str, Any]]:
    """A tool, and a cache point behind it where it asks for one."""
    refuse_others(item, place)
    tool = _tool(item, place, traits, call)
    mark = mark_of(item) if "toolSpec" in tool else None
    if mark is None:
        return [tool]
    return [tool, cache_point(mark.get("ttl") if hasattr(mark, "get") else None)]


def _tool(item: Mapping[str, Any], place: int, traits: Traits, call: Call) -> dict[str, Any]:
    if any(name in item for name in _OWN):
        return dict(item)  # already in the wire's shape
    function = function_of(item, place)
    spec: dict[str, Any] = {"name": function["name"]}
    if function.get("description"):
        spec["description"] = function["description"]
    spec["inputSchema"] = {"json": object_schema(function)}
    if function.get("strict"):
        if traits.structured:
            spec["strict"] = True
        else:
            call.context.report.dropped("strict", "the model keeps to no schema strictly")
    return {"toolSpec": spec}


def _choice(given: Any, names: list[str]) -> tuple[str, str]:
    """(auto, none, any, tool or "" for nothing asked; the tool's name)."""
    if given is None:
        return "", ""
    if hasattr(given, "keys") and given.get("type") is None:  # the wire's own shapes
        for word in ("auto", "any"):
            if word in given:
                return word, ""
        own = given.get("tool", given.get("function", given))
        if not hasattr(own, "keys"):
            raise InputError(f"tool_choice has no tool's name in it: {given!r}")
        return "tool", known_tool(own.get("name"), names)
    choice = read_choice(given, names)
    if choice.kind in ("allowed", "other"):
        raise InputError(f"tool_choice has no tool's name in it: {given!r}")
    return choice.kind, choice.names[0] if choice.names else ""


def _parallel(given: Any, call: Call) -> None:
    if given:
        call.context.report.emulated("parallel_tool_calls", "models on this wire call several tools as they see fit")
    else:
        call.context.report.dropped("parallel_tool_calls", "the wire cannot limit a turn to one call")
