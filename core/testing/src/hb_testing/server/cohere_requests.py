"""Are these requests ones that Cohere's API would accept? Unknown fields, roles, parts, tools, ranges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from hb_testing.server.wire import Rejected

CHAT = frozenset(
    [
        *("model", "messages", "stream", "tools", "strict_tools", "documents", "citation_options", "response_format"),
        *("safety_mode", "max_tokens", "stop_sequences", "temperature", "seed", "frequency_penalty"),
        *("presence_penalty", "k", "p", "logprobs", "tool_choice", "thinking", "priority", "raw_prompting"),
    ]
)
EMBED = frozenset(
    [
        *("model", "texts", "images", "inputs", "input_type", "embedding_types", "truncate", "output_dimension"),
        *("max_tokens", "priority"),
    ]
)
RERANK = frozenset({"model", "query", "documents", "top_n", "max_tokens_per_doc", "priority"})
_MESSAGES: Mapping[str, frozenset[str]] = {
    "system": frozenset({"role", "content"}),
    "user": frozenset({"role", "content"}),
    "assistant": frozenset({"role", "content", "tool_calls", "tool_plan", "citations"}),
    "tool": frozenset({"role", "content", "tool_call_id"}),
}
_PARTS: Mapping[str, frozenset[str]] = {
    "system": frozenset({"text"}),
    "user": frozenset({"text", "image_url"}),
    "assistant": frozenset({"text", "thinking"}),
    "tool": frozenset({"text", "document"}),
}
_RANGES: Mapping[str, tuple[float, float]] = {
    "p": (0.01, 0.99),
    "k": (0, 500),
    "frequency_penalty": (0, 1),
    "presence_penalty": (0, 1),
}
_INPUTS = ("search_document", "search_query", "classification", "clustering", "image")


def check_chat(payload: Mapping[str, Any]) -> None:
    """Refuse a chat that the API would refuse."""
    _only(payload, CHAT)
    if not isinstance(payload.get("model"), str):
        _refuse("invalid request: model is required")
    messages = payload.get("messages")
    if not isinstance(messages, list) or not messages:
        _refuse("invalid request: list of messages must not be empty")
    for place, message in enumerate(messages):
        _check_message(message, place)
    if all(message["role"] == "system" for message in messages):
        _refuse("invalid request: there must be a user message")
    for name, (least, greatest) in _RANGES.items():
        value = payload.get(name, least)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= greatest:
            _refuse(f"invalid request: {name} must be between {least} and {greatest} inclusive")
    if len(payload.get("stop_sequences", ())) > 5:
        _refuse("invalid request: at most 5 stop sequences")
    _check_tools(payload)


def check_embed(payload: Mapping[str, Any]) -> None:
    """Refuse a batch of embeddings that the API would refuse."""
    _only(payload, EMBED)
    texts = payload.get("texts")
    if not isinstance(texts, list) or not 0 < len(texts) <= 96:
        _refuse("invalid request: total number of texts must be at most 96 and at least 1")
    if payload.get("input_type") not in _INPUTS:
        _refuse(f"invalid request: valid input_type must be provided: one of {', '.join(_INPUTS)}")
    if payload.get("truncate", "END") not in ("NONE", "START", "END"):
        _refuse("invalid request: truncate must be one of NONE, START, END")


def check_rerank(payload: Mapping[str, Any]) -> None:
    """Refuse a request to rerank that the API would refuse."""
    _only(payload, RERANK)
    if not isinstance(payload.get("query"), str) or not isinstance(payload.get("documents"), list):
        _refuse("invalid request: query and documents are required")


def _check_message(message: Any, place: int) -> None:
    role = str(message.get("role")) if isinstance(message, dict) else ""
    if role not in _MESSAGES:
        _refuse(f"invalid request: message at index {place} has an invalid role")
    for name in message:
        if name not in _MESSAGES[role]:
            _refuse(f"invalid request: unknown field {name!r} in message at index {place}")
    content = message.get("content")
    if not content and not (role == "assistant" and message.get("tool_calls")) and role != "tool":
        _refuse(f"invalid request: message at index {place} must have content")
    for part in content if isinstance(content, list) else ():
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in _PARTS[role]:
            _refuse(f"invalid request: content of type {kind!r} is not supported in a message of the role {role}")
        if kind == "image_url" and not isinstance(part.get("image_url"), dict):
            _refuse("invalid request: image_url must be an object with a url")
    if role == "tool" and not message.get("tool_call_id"):
        _refuse(f"invalid request: message at index {place} must have a tool_call_id")
    for call in message.get("tool_calls", ()):
        if not call.get("id") or not isinstance(call["function"].get("arguments"), str):
            _refuse("invalid request: a tool call must have an id, and arguments that are text")


def _check_tools(payload: Mapping[str, Any]) -> None:
    tools = payload.get("tools", [])
    for tool in tools:
        if tool.get("type") != "function" or not tool["function"].get("name"):
            _refuse("invalid request: a tool must be a function with a name")
    if payload.get("tool_choice") not in (None, "REQUIRED", "NONE"):
        _refuse("invalid request: tool_choice must be one of REQUIRED, NONE")
    if "tool_choice" in payload and not tools:
        _refuse("invalid request: tools must be specified when tool_choice is")
    wanted = payload.get("response_format")
    if wanted is not None and (not isinstance(wanted, dict) or wanted.get("type") not in ("text", "json_object")):
        _refuse("invalid request: response_format.type must be text or json_object")
    if wanted is not None and wanted.get("type") == "json_object" and tools:
        _refuse("invalid request: cannot specify both response_format json_object and tools")
    thinking = payload.get("thinking")
    if thinking is not None and thinking.get("type") not in ("enabled", "disabled"):
        _refuse("invalid request: thinking.type must be enabled or disabled")


def _only(payload: Mapping[str, Any], known: frozenset[str]) -> None:
    for name in payload:
        if name not in known:
            raise Rejected(f"unknown field: parameter '{name}' is not a valid field", status=422)


def _refuse(message: str) -> NoReturn:
    raise Rejected(message)
