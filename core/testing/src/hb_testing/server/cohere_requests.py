"""Are these requests ones that Cohere's API would accept? The schema, and which fields go together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from hb_testing.server.schema import RequestSchema
from hb_testing.server.wire import Rejected

SCHEMA = RequestSchema("cohere")


def check_chat(payload: Mapping[str, Any]) -> None:
    """Refuse a chat that the API would refuse."""
    _check("chat", payload)
    if all(message["role"] == "system" for message in payload["messages"]):
        _refuse("there must be a user message")
    for place, message in enumerate(payload["messages"]):
        if message["role"] == "assistant" and not message.get("content") and not message.get("tool_calls"):
            _refuse(f"message at index {place} must have content")
    tools = payload.get("tools")
    if "tool_choice" in payload and not tools:
        _refuse("tools must be specified when tool_choice is")
    if tools and (payload.get("response_format") or {}).get("type") == "json_object":
        _refuse("cannot specify both response_format json_object and tools")


def check_embed(payload: Mapping[str, Any]) -> None:
    """Refuse a batch of embeddings that the API would refuse."""
    _check("embed", payload)


def check_rerank(payload: Mapping[str, Any]) -> None:
    """Refuse a request to rerank that the API would refuse."""
    _check("rerank", payload)


def _check(operation: str, payload: Mapping[str, Any]) -> None:
    problem = SCHEMA.problem(operation, payload)
    if problem is None:
        return
    if problem.keyword == "additionalProperties" and len(problem.place) == 1:
        raise Rejected(f"unknown field: parameter '{problem.wanted}' is not a valid field", status=422)
    _refuse(f"{problem.path} {problem.text}")


def _refuse(message: str) -> NoReturn:
    raise Rejected(f"invalid request: {message}")
