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

from heavenbase.errors import InputError, InputTypeError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.types import ParameterReport

OWN_TOOLS = frozenset(
    {
        *("googleSearch", "googleSearchRetrieval", "codeExecution", "urlContext", "fileSearch", "googleMaps"),
        *("computerUse", "google_search", "google_search_retrieval", "code_execution", "url_context"),
        *("file_search", "google_maps", "computer_use", "functionDeclarations", "function_declarations"),
    }
)
"""Tools that Google runs, and lists of declarations in its own shape; they pass as they are."""
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "any": "ANY"}


def tool_fields(args: Mapping[str, Any], report: ParameterReport) -> dict[str, Any]:
    """The fields `tools` and `toolConfig`."""
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
    declared: list[dict[str, Any]] = []
    tools: list[dict[str, Any]] = []
    for place, item in enumerate(given):
        if not hasattr(item, "keys"):
            raise InputTypeError(f"tool {place} is {type(item).__name__}, not a mapping with a name and parameters")
        if OWN_TOOLS.isdisjoint(item):
            declared.append(_declaration(item, place, report))
        else:
            tools.append({name: value for name, value in item.items() if name != "type"})
    report.renamed("tools", "tools.functionDeclarations" if declared else "tools")
    if declared:
        tools.insert(0, {"functionDeclarations": declared})
    fields: dict[str, Any] = {"tools": tools}
    config = _choice(args.get("tool_choice"), [tool["name"] for tool in declared], report)
    if config is not None:
        fields["toolConfig"] = config
    if args.get("parallel_tool_calls") is not None:
        if args["parallel_tool_calls"]:
            report.emulated("parallel_tool_calls", "the model may always call several tools at once")
        else:
            report.dropped("parallel_tool_calls", "the wire cannot keep a model from calling several tools at once")
    return fields


def _declaration(item: Mapping[str, Any], place: int, report: ParameterReport) -> dict[str, Any]:
    function = item.get("function", item)
    if not hasattr(function, "keys") or not function.get("name"):
        raise InputError(f"tool {place} has no name")
    if function.get("strict"):
        report.dropped("strict", "the wire has no strict tools; tool_choice allowed_tools validates arguments")
    declaration: dict[str, Any] = {"name": function["name"], "description": function.get("description") or ""}
    schema = function.get("parameters", function.get("input_schema", function.get("schema")))
    if schema:
        declaration["parametersJsonSchema"] = {"type": "object", "properties": {}, **schema}
    return declaration


def _choice(given: Any, names: list[str], report: ParameterReport) -> dict[str, Any] | None:
    if given is None:
        return None
    report.renamed("tool_choice", "toolConfig.functionCallingConfig")
    if isinstance(given, str):
        return _config(_MODES[given]) if given in _MODES else _config("ANY", [_known(given, names)])
    if not hasattr(given, "keys"):
        raise InputTypeError(f"tool_choice must be a word, a name or a mapping, not {type(given).__name__}")
    for name in ("functionCallingConfig", "function_calling_config"):
        if name in given:
            return dict(given)
    kind = given.get("type")
    if kind in _MODES:
        return _config(_MODES[kind])
    if kind == "allowed_tools":
        allowed = given.get("allowed_tools", given)
        chosen = [_known(_name_in(tool), names) for tool in allowed.get("tools", ())]
        return _config("ANY" if allowed.get("mode") == "required" else "VALIDATED", chosen)
    if kind in ("function", "tool", "custom"):
        return _config("ANY", [_known(_name_in(given), names)])
    report.dropped("tool_choice", f"the wire has no choice of the type {kind!r}")
    return None


def _config(mode: str, names: list[str] | None = None) -> dict[str, Any]:
    allowed = {"allowedFunctionNames": names} if names else {}
    return {"functionCallingConfig": {"mode": mode, **allowed}}


def _name_in(choice: Any) -> Any:
    if not hasattr(choice, "keys"):
        return choice
    inner = choice.get("function", choice.get("custom", choice))
    return inner.get("name") if hasattr(inner, "keys") else inner


def _known(name: Any, names: list[str]) -> str:
    if name not in names:
        raise UnknownNameError("tool", name, names, hint="tool_choice is auto, none, required or the name of a tool")
    return str(name)
