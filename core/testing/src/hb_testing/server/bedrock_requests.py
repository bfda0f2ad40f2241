"""Are these requests ones that Bedrock's Converse would accept? The schema, order of messages, results that answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from hb_testing.server.schema import Problem, RequestSchema, given, listed
from hb_testing.server.wire import Rejected

SCHEMA = RequestSchema("bedrock")
_MOST_POINTS = 4
_UNIONS = {"messages.content": "ContentBlock", "system": "SystemContentBlock", "toolConfig.tools": "Tool"}
_UNIONS |= {"toolConfig.toolChoice": "ToolChoice", "messages.content.toolResult.content": "ToolResultContentBlock"}
_EMPTY = {
    "messages": "The messages field must have at least one message.",
    "messages.content": "The content field in the Message object is empty.",
    "toolConfig.tools": "The field toolConfig.tools must have at least one tool.",
}


def check_converse(payload: Mapping[str, Any], extensions: Collection[str] = ()) -> None:
    """Refuse a request that Converse would refuse."""
    problem = SCHEMA.problem("Converse", given(payload, extensions, SCHEMA.fields("Converse")))
    if problem is not None:
        _refuse(_words(problem))
    messages = payload["messages"]
    _check_turns(messages)
    blocks = [block for message in messages for block in message["content"]]
    config = payload.get("toolConfig") or {}
    if not config and any(block.keys() & {"toolUse", "toolResult"} for block in blocks):
        _refuse("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
    tools = config.get("tools", [])
    names = [tool["toolSpec"]["name"] for tool in tools if "toolSpec" in tool]
    chosen = config.get("toolChoice", {}).get("tool")
    if chosen is not None and chosen["name"] not in names:
        _refuse("toolChoice names no tool of the request.")
    points = [block for block in [*blocks, *payload.get("system", []), *tools] if "cachePoint" in block]
    if len(points) > _MOST_POINTS:
        _refuse(f"Found {len(points)} cache points; at most {_MOST_POINTS} are allowed.")


def _words(problem: Problem) -> str:
    """What Bedrock says of a field, as far as it has words of its own for it."""
    where, keyword = problem.general, problem.keyword
    outer = ".".join(step for step in problem.place[:-1] if isinstance(step, str))
    if keyword in ("minProperties", "maxProperties") and where in _UNIONS:
        return f"Exactly one of {listed(SCHEMA.fields(_UNIONS[where]))} must be set in {problem.dotted}."
    if keyword == "additionalProperties" and outer in _UNIONS:
        return f"Exactly one of {listed(SCHEMA.fields(_UNIONS[outer]))} must be set in {outer}."
    if keyword == "additionalProperties":
        return f"{outer or 'the request'} has unknown fields: {problem.wanted}."
    if keyword == "minItems" or (keyword == "required" and where in _EMPTY):
        return _EMPTY[where]
    if where.endswith("text") and keyword in ("pattern", "minLength"):
        return "The text field in the ContentBlock object is blank."
    if where in ("inferenceConfig.temperature", "inferenceConfig.topP"):
        return f"The value of {where} must be between 0 and 1."
    return f"The value at {problem.dotted} {problem.text}."


def _check_turns(messages: list[dict[str, Any]]) -> None:
    """User and assistant take turns, and a turn with calls is answered by one message with all results."""
    if messages[0]["role"] != "user":
        _refuse("A conversation must start with a user message.")
    open_ids: set[str] = set()
    before = ""
    for message in messages:
        if message["role"] == before:
            _refuse(f"A conversation must alternate between user and assistant; two are {before}.")
        before = message["role"]
        results = [b["toolResult"]["toolUseId"] for b in message["content"] if "toolResult" in b]
        if set(results) != open_ids or len(results) != len(open_ids):
            _refuse(f"Expected toolResult blocks for the ids {sorted(open_ids)}, found {sorted(results)}.")
        open_ids = {b["toolUse"]["toolUseId"] for b in message["content"] if "toolUse" in b}


def _refuse(message: str) -> NoReturn:
    raise Rejected(message, kind="ValidationException")
