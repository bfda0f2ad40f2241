"""Are these requests ones that Gemini's API would accept? The schema, results that answer, fields that go together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from hb_testing.server.schema import Problem, RequestSchema
from hb_testing.server.wire import Rejected

SCHEMA = RequestSchema("gemini")
_UPPER = re.compile(r"(?<!^)(?=[A-Z])")


def check_content(payload: Mapping[str, Any]) -> None:
    """Refuse a request for content that the API would refuse."""
    _check("GenerateContentRequest", payload)
    _check_calls(payload["contents"])
    _check_config(payload.get("generationConfig", {}))
    _check_tools(payload)


def check_embeddings(payload: Mapping[str, Any]) -> None:
    """Refuse a batch of embeddings that the API would refuse."""
    _check("BatchEmbedContentsRequest", payload)


def _check(operation: str, payload: Mapping[str, Any]) -> None:
    problem = SCHEMA.problem(operation, payload)
    if problem is not None:
        _refuse(_words(problem, operation))


def _words(problem: Problem, operation: str) -> str:
    where = _UPPER.sub("_", problem.path).lower()
    if problem.keyword == "additionalProperties":
        outer, _, _ = where.rpartition(".")
        at = f" at '{outer}'" if outer else ""
        return f'Invalid JSON payload received. Unknown name "{problem.wanted}"{at}: Cannot find field.'
    if problem.place in (("contents",), ("requests",)) and problem.keyword in ("required", "minItems", "type"):
        return f"* {operation}.{where}: {where} is not specified"
    if problem.keyword == "oneOf" or (problem.keyword == "required" and problem.place[-1] == "text"):
        where = where.removesuffix(".text")
        return f"* {operation}.{where}.data: required oneof field 'data' must have one initialized field"
    if problem.place[-1] == "role":
        return "Please use a valid role: user, model."
    return f"Invalid value at '{where}': {problem.text}"


def _check_calls(contents: list[Any]) -> None:
    """After a turn with calls come as many results, in one content."""
    for place, content in enumerate(contents):
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        following = contents[place + 1]["parts"] if place + 1 < len(contents) else []
        results = [part["functionResponse"] for part in following if "functionResponse" in part]
        if calls and len(calls) != len(results):
            _refuse(
                "Please ensure that the number of function response parts is equal to the number of function call "
                "parts of the function call turn."
            )
        if calls and sorted(call["name"] for call in calls) != sorted(result["name"] for result in results):
            _refuse("Please ensure that function response names match those of the function call turn.")


def _check_config(config: Mapping[str, Any]) -> None:
    schemas = [name for name in ("responseSchema", "responseJsonSchema") if name in config]
    if len(schemas) > 1:
        _refuse("Only one of response_schema and response_json_schema can be set.")
    if schemas and config.get("responseMimeType") != "application/json":
        _refuse("response_mime_type must be application/json when a response schema is given")
    thinking = config.get("thinkingConfig") or {}
    if "thinkingBudget" in thinking and "thinkingLevel" in thinking:
        _refuse("You can only set only one of thinking budget and thinking level.")


def _check_tools(payload: Mapping[str, Any]) -> None:
    declared = [one for tool in payload.get("tools", ()) for one in tool.get("functionDeclarations", ())]
    names = [one["name"] for one in declared]
    for place, name in enumerate(names):
        if name in names[:place]:
            _refuse(f"Duplicate function declaration found: {name}")
    config = (payload.get("toolConfig") or {}).get("functionCallingConfig", {})
    allowed = config.get("allowedFunctionNames", ())
    if allowed and config.get("mode") not in ("ANY", "VALIDATED"):
        _refuse("Allowed function names should only be set when the function calling mode is ANY or VALIDATED.")
    for name in allowed:
        if name not in names:
            _refuse(f"allowed_function_names contains {name!r}, which is not declared")


def _refuse(message: str) -> NoReturn:
    raise Rejected(message)
