"""Are these requests ones that Ollama would read? It ignores what it does not know, but not what has a wrong type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hb_testing.server.schema import RequestSchema
from hb_testing.server.wire import Rejected

SCHEMA = RequestSchema("ollama")


def check_chat(payload: Mapping[str, Any]) -> None:
    """Refuse a chat that Ollama would refuse, and fields that it would pass over in silence."""
    _check("chat", payload)


def check_embed(payload: Mapping[str, Any]) -> None:
    """Refuse a request for embeddings that Ollama would refuse."""
    _check("embed", payload)


def _check(operation: str, payload: Mapping[str, Any]) -> None:
    problem = SCHEMA.problem(operation, payload)
    if problem is None:
        return
    if problem.place == ("model",):
        raise Rejected("model is required")
    if problem.keyword == "additionalProperties":
        raise Rejected(f"unknown field {problem.path}, which Ollama passes over")
    if problem.place[-1] == "role":
        raise Rejected(f"invalid message role: {problem.value!r}")
    if problem.place == ("think",):
        raise Rejected(
            f'invalid think value: "{problem.value}" (must be "high", "medium", "low", "max", true, or false)'
        )
    if problem.general == "messages.images":
        raise Rejected(f"illegal base64 data in {problem.path}")
    if operation == "embed" and problem.general == "input":
        raise Rejected("invalid input type")
    raise Rejected(f"json: cannot unmarshal into Go struct field ChatRequest.{problem.path}: {problem.text}")
