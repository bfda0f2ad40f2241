"""Are these requests ones that Mistral's API would accept? The schema, order of roles, tools that are named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from hb_testing.server.schema import Problem, RequestSchema
from hb_testing.server.wire import Rejected

SCHEMA = RequestSchema("mistral")
_AFTER: Mapping[str, tuple[str, ...]] = {
    "": ("system", "user"),
    "system": ("system", "user", "assistant"),
    "user": ("system", "user", "assistant"),
    "assistant": ("system", "user", "assistant", "tool"),
    "tool": ("assistant", "tool", "system"),
}


def check_chat(payload: Mapping[str, Any]) -> None:
    """Refuse a chat that the API would refuse."""
    _check("chat", payload)
    before = ""
    for message in payload["messages"]:
        role = message["role"]
        if role not in _AFTER[before]:
            _refuse(f"Unexpected role '{role}' after role '{before}'")
        if role == "assistant" and not message.get("content") and not message.get("tool_calls"):
            _refuse("Assistant message must have either content or tool_calls, but not none.")
        before = role
    if before == "assistant" and not payload["messages"][-1].get("prefix"):
        _refuse(f"Expected last role User or Tool (or Assistant with prefix True) for serving but got {before}")
    names = [tool["function"]["name"] for tool in payload.get("tools") or ()]
    chosen = payload.get("tool_choice", "auto")
    if isinstance(chosen, dict) and chosen["function"]["name"] not in names:
        _refuse("tool_choice names no tool of the request")


def check_embeddings(payload: Mapping[str, Any]) -> None:
    """Refuse a batch of embeddings that the API would refuse."""
    _check("embeddings", payload)


def _check(operation: str, payload: Mapping[str, Any]) -> None:
    problem = SCHEMA.problem(operation, payload)
    if problem is None:
        return
    if problem.place == ("messages",):
        _refuse("Conversation must have at least one message")
    if problem.general in ("messages.tool_calls.id", "messages.tool_call_id") and not _is_unknown(problem):
        _refuse(f"Tool call id was {problem.value} but must be a-z, A-Z, 0-9, with a length of 9.")
    if problem.general.startswith("messages.content.") and not _is_unknown(problem):
        _refuse(f"Invalid content chunk: {problem.general.removeprefix('messages.')} {problem.text}")
    said = "Extra inputs are not permitted" if _is_unknown(problem) else f"Input {problem.text}"
    raise Rejected(f"body.{problem.dotted}: {said}", status=422)


def _is_unknown(problem: Problem) -> bool:
    return problem.keyword == "additionalProperties"


def _refuse(message: str) -> NoReturn:
    raise Rejected(message)
