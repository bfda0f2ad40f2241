"""Tools and tool_choice as this wire wants them. Pure.

hb, OpenAI                                         Gemini: toolConfig.functionCallingConfig
auto, none                                         {mode: AUTO}, {mode: NONE}
required, any                                      {mode: ANY}
a name, {type: function, function: {name}}         {mode: ANY, allowedFunctionNames: [name]}
{type: allowed_tools, mode: required, tools}       {mode: ANY, allowedFunctionNames: [...]}
{type: allowed_tools, mode: auto, tools}           {mode: VALIDATED, allowedFunctionNames: [...]}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_gemini.parts import TAKEN
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
    schema_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heavenbase.types import ParameterReport

OWN_TOOLS = frozenset(
    {
        *("googleSearch", "googleSearchRetrieval", "codeExecution", "urlContext", "fileSearch", "googleMaps"),
        *("computerUse", "google_search", "google_search_retrieval", "code_execution", "url_context"),
        *("file_search", "google_maps", "computer_use", "functionDeclarations", "function_declarations"),
        *("retrieval", "enterpriseWebSearch", "enterprise_web_search", "parallelAiSearch", "parallel_ai_search"),
        *("exaAiSearch", "exa_ai_search", "mcpServers", "mcp_servers"),
    }
)
"""Tools that Google runs, and lists of declarations in its own shape; they pass as they are."""
_MODES = {"auto": "AUTO", "none": "NONE", "any": "ANY", "tool": "ANY"}


def tool_fields(args: Mapping[str, Any], report: ParameterReport) -> dict[str, Any]:
    """The fields `tools` and `toolConfig`."""
    given = given_tools(args, report, own=OWN_TOOLS)
    if not given:
        return {}
    declared: list[dict[str, Any]] = []
    tools: list[dict[str, Any]] = []
    for place, item in enumerate(note_tools(given, TAKEN, report)):
        tool = as_tool(item, place)
        if OWN_TOOLS.isdisjoint(tool):
            declared.append(_declaration(tool, place, report))
        else:
            tools.append({name: value for name, value in tool.items() if name != "type"})
    report.renamed("tools", "tools.functionDeclarations" if declared else "tools")
    if declared:
        tools.insert(0, {"functionDeclarations": declared})
    fields: dict[str, Any] = {"tools": tools}
    config = _choice(args.get("tool_choice"), [tool["name"] for tool in declared], report)
    if config is not None:
        fields["toolConfig"] = config
    note_parallel(args, report)
    return fields


def _declaration(item: Mapping[str, Any], place: int, report: ParameterReport) -> dict[str, Any]:
    refuse_others(item, place)
    function = function_of(item, place)
    if function.get("strict"):
        report.dropped("strict", "the wire has no strict tools; tool_choice allowed_tools validates arguments")
    declaration: dict[str, Any] = {"name": function["name"], "description": function.get("description") or ""}
    if schema_of(function):
        declaration["parametersJsonSchema"] = object_schema(function)
    return declaration


def _choice(given: Any, names: list[str], report: ParameterReport) -> dict[str, Any] | None:
    if given is None:
        return None
    report.renamed("tool_choice", "toolConfig.functionCallingConfig")
    for name in ("functionCallingConfig", "function_calling_config"):
        if hasattr(given, "keys") and name in given:
            return dict(given)
    choice = read_choice(given, names)
    if choice.kind == "other":
        note_other_choice(choice, report)
        return None
    if choice.kind == "allowed":
        return _config("ANY" if choice.is_forced else "VALIDATED", choice.names)
    return _config(_MODES[choice.kind], choice.names)


def _config(mode: str, names: Sequence[str]) -> dict[str, Any]:
    allowed = {"allowedFunctionNames": list(names)} if names else {}
    return {"functionCallingConfig": {"mode": mode, **allowed}}
