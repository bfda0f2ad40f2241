"""Are these requests ones that Gemini's API would accept? Unknown fields, roles, parts, tools, schemas."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from hb_testing.server.wire import Rejected

TOP = frozenset(
    [
        *("contents", "systemInstruction", "generationConfig", "tools", "toolConfig", "safetySettings"),
        *("cachedContent", "serviceTier", "store", "labels", "model"),
    ]
)
CONFIG = frozenset(
    [
        *("temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "seed"),
        *("presencePenalty", "frequencyPenalty", "responseLogprobs", "logprobs", "responseMimeType"),
        *("responseSchema", "responseJsonSchema", "responseModalities", "mediaResolution", "speechConfig"),
        *("thinkingConfig", "imageConfig", "enableEnhancedCivicAnswers"),
    ]
)
PARTS: Mapping[str, frozenset[str]] = {
    "text": frozenset(),
    "inlineData": frozenset({"mimeType", "data"}),
    "fileData": frozenset({"mimeType", "fileUri"}),
    "functionCall": frozenset({"id", "name", "args"}),
    "functionResponse": frozenset({"id", "name", "response", "parts", "scheduling", "willContinue"}),
    "executableCode": frozenset({"language", "code", "id"}),
    "codeExecutionResult": frozenset({"outcome", "output", "id"}),
}
_BESIDE = frozenset({"thought", "thoughtSignature", "mediaResolution", "videoMetadata"})
_TOOLS = frozenset({"functionDeclarations", "googleSearch", "codeExecution", "urlContext", "fileSearch", "googleMaps"})
_DECLARATION = frozenset(
    {"name", "description", "parameters", "parametersJsonSchema", "response", "responseJsonSchema", "behavior"}
)
_MODES = ("AUTO", "ANY", "NONE", "VALIDATED", "MODE_UNSPECIFIED")
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}")
_TASKS = frozenset(
    [
        *("RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT", "SEMANTIC_SIMILARITY", "CLASSIFICATION", "CLUSTERING"),
        *("QUESTION_ANSWERING", "FACT_VERIFICATION", "CODE_RETRIEVAL_QUERY"),
    ]
)
_EMBED = frozenset({"model", "content", "taskType", "title", "outputDimensionality"})


def check_content(payload: Mapping[str, Any]) -> None:
    """Refuse a request for content that the API would refuse."""
    only(payload, TOP, "")
    contents = payload.get("contents")
    if not isinstance(contents, list) or not contents:
        refuse("* GenerateContentRequest.contents: contents is not specified")
    for place, content in enumerate(contents):
        _check_turn(content, f"contents[{place}]")
    _check_calls(contents)
    system = payload.get("systemInstruction")
    if system is not None:
        _check_parts(_object(system, "system_instruction"), "system_instruction")
    config = _object(payload.get("generationConfig", {}), "generation_config")
    only(config, CONFIG, "generation_config")
    _check_config(config)
    _check_tools(payload)


def check_embeddings(payload: Mapping[str, Any]) -> None:
    """Refuse a batch of embeddings that the API would refuse."""
    only(payload, frozenset({"requests"}), "")
    requests = payload.get("requests")
    if not isinstance(requests, list) or not requests:
        refuse("* BatchEmbedContentsRequest.requests: requests is not specified")
    if len(requests) > 100:
        refuse("* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch")
    for place, request in enumerate(requests):
        where = f"requests[{place}]"
        only(_object(request, where), _EMBED, where)
        _check_parts(_object(request.get("content"), f"{where}.content"), f"{where}.content")
        if request.get("taskType", "CLUSTERING") not in _TASKS:
            refuse(f"Invalid value at '{where}.task_type' (type.googleapis.com/.../TaskType), {request['taskType']!r}")


def only(value: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    """Refuse fields that the message at `where` does not have."""
    for name in value:
        if name not in known:
            at = f" at '{where}'" if where else ""
            refuse(f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.')


def refuse(message: str) -> NoReturn:
    """Refuse the request with status 400."""
    raise Rejected(message)


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        refuse(f"Invalid value at '{where}': must be a message")
    return value


def _check_turn(content: Any, where: str) -> None:
    only(_object(content, where), frozenset({"role", "parts"}), where)
    if content.get("role") not in ("user", "model", "function", None):
        refuse("Please use a valid role: user, model.")
    _check_parts(content, where)


def _check_parts(content: Mapping[str, Any], where: str) -> None:
    parts = content.get("parts")
    if not isinstance(parts, list) or not parts:
        refuse(f"* GenerateContentRequest.{where}.parts: contents.parts must not be empty.")
    for place, part in enumerate(parts):
        here = f"{where}.parts[{place}]"
        only(_object(part, here), frozenset(PARTS) | _BESIDE, here)
        held = [name for name in PARTS if name in part]
        if len(held) != 1:
            refuse(f"* GenerateContentRequest.{here}.data: required oneof field 'data' must have one initialized field")
        name = held[0]
        if name == "text":
            if not isinstance(part["text"], str):
                refuse(f"Invalid value at '{here}.text' (TYPE_STRING), {part['text']!r}")
            continue
        only(_object(part[name], f"{here}.{name}"), PARTS[name], f"{here}.{name}")
        if name == "functionResponse":
            if not part[name].get("name"):
                refuse(f"* GenerateContentRequest.{here}.function_response.name: Name cannot be empty.")
            _object(part[name].get("response"), f"{here}.function_response.response")
        if name == "functionCall":
            _object(part[name].get("args", {}), f"{here}.function_call.args")
        if name == "inlineData" and not (part[name].get("mimeType") and part[name].get("data")):
            refuse("Unable to process input image. Please retry or report")


def _check_calls(contents: list[Any]) -> None:
    """After a turn with calls come as many results, in one content."""
    for place, content in enumerate(contents):
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        following = contents[place + 1]["parts"] if place + 1 < len(contents) else []
        results = [part["functionResponse"] for part in following if "functionResponse" in part]
        if calls and len(calls) != len(results):
            refuse(
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn."
            )
        if sorted(call["name"] for call in calls) != sorted(result["name"] for result in results) and calls:
            refuse("Please ensure that function response names match those of the function call turn.")


def _check_config(config: Mapping[str, Any]) -> None:
    for name, kinds in (("temperature", (int, float)), ("topP", (int, float)), ("maxOutputTokens", int), ("seed", int)):
        value = config.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, kinds)):
            refuse(f"Invalid value at 'generation_config.{name}', {value!r}")
    if "temperature" in config and not 0 <= config["temperature"] <= 2:
        refuse("* GenerateContentRequest.generation_config.temperature: temperature must be in the range [0.0, 2.0].")
    if "responseSchema" in config and "responseJsonSchema" in config:
        refuse("Only one of response_schema and response_json_schema can be set.")
    if ("responseSchema" in config or "responseJsonSchema" in config) and config.get(
        "responseMimeType"
    ) != "application/json":
        refuse("response_mime_type must be application/json when a response schema is given")
    thinking = config.get("thinkingConfig")
    if thinking is not None:
        known = frozenset({"includeThoughts", "thinkingBudget", "thinkingLevel"})
        only(_object(thinking, "generation_config.thinking_config"), known, "generation_config.thinking_config")
        if "thinkingBudget" in thinking and "thinkingLevel" in thinking:
            refuse("You can only set only one of thinking budget and thinking level.")


def _check_tools(payload: Mapping[str, Any]) -> None:
    tools = payload.get("tools", [])
    names: list[str] = []
    for place, tool in enumerate(tools if isinstance(tools, list) else refuse("Invalid value at 'tools'")):
        only(_object(tool, f"tools[{place}]"), _TOOLS, f"tools[{place}]")
        for index, declaration in enumerate(tool.get("functionDeclarations", ())):
            where = f"tools[{place}].function_declarations[{index}]"
            only(_object(declaration, where), _DECLARATION, where)
            if not _NAME.fullmatch(str(declaration.get("name", ""))):
                refuse(f"* GenerateContentRequest.{where}.name: Invalid function name.")
            if declaration["name"] in names:
                refuse(f"Duplicate function declaration found: {declaration['name']}")
            names.append(declaration["name"])
    choice = payload.get("toolConfig")
    if choice is None:
        return
    config = _object(_object(choice, "tool_config").get("functionCallingConfig", {}), "function_calling_config")
    only(config, frozenset({"mode", "allowedFunctionNames"}), "tool_config.function_calling_config")
    if config.get("mode", "AUTO") not in _MODES:
        refuse(f"Invalid value at 'tool_config.function_calling_config.mode', {config['mode']!r}")
    allowed = config.get("allowedFunctionNames", ())
    if allowed and config.get("mode") not in ("ANY", "VALIDATED"):
        refuse("Allowed function names should only be set when the function calling mode is ANY or VALIDATED.")
    for name in allowed:
        if name not in names:
            refuse(f"allowed_function_names contains {name!r}, which is not declared")
