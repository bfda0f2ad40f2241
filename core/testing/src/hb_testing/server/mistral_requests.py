"""Are these requests ones that Mistral's API would accept? Unknown fields, order of roles, chunks, ids of calls."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn

from hb_testing.server.wire import Rejected

CHAT = frozenset(
    [
        *("model", "messages", "temperature", "top_p", "max_tokens", "stream", "stop", "random_seed", "metadata"),
        *("response_format", "tools", "tool_choice", "presence_penalty", "frequency_penalty", "min_tokens", "n"),
        *("repetition_penalty", "top_k", "logprobs", "top_logprobs", "prompt_logprobs", "top_prompt_logprobs"),
        *("prediction", "parallel_tool_calls", "reasoning_effort", "prompt_mode", "guardrails", "prompt_cache_key"),
        *("service_tier", "safe_prompt"),
    ]
)
EMBED = frozenset({"model", "input", "metadata", "output_dimension", "output_dtype", "encoding_format"})
_MESSAGES: Mapping[str, frozenset[str]] = {
    "system": frozenset({"role", "content"}),
    "user": frozenset({"role", "content"}),
    "assistant": frozenset({"role", "content", "tool_calls", "prefix"}),
    "tool": frozenset({"role", "content", "tool_call_id", "name"}),
}
_CHUNKS: Mapping[str, str] = {
    "text": "text",
    "image_url": "image_url",
    "document_url": "document_url",
    "input_audio": "input_audio",
    "file": "file_id",
}
_AFTER: Mapping[str, tuple[str, ...]] = {
    "": ("system", "user"),
    "system": ("system", "user", "assistant"),
    "user": ("system", "user", "assistant"),
    "assistant": ("system", "user", "assistant", "tool"),
    "tool": ("assistant", "tool", "system"),
}
_ID = re.compile(r"[a-zA-Z0-9]{9}")
_CHOICES = ("auto", "none", "any", "required")


def check_chat(payload: Mapping[str, Any]) -> None:
    """Refuse a chat that the API would refuse."""
    _only(payload, CHAT, "body")
    messages = payload.get("messages")
    if not isinstance(messages, list) or not messages:
        _refuse("Conversation must have at least one message")
    before = ""
    for place, message in enumerate(messages):
        role = str(message.get("role"))
        if role not in _MESSAGES:
            _invalid(("body", "messages", place, "role"), f"Input should be one of {', '.join(_MESSAGES)}")
        if role not in _AFTER[before]:
            _refuse(f"Unexpected role '{role}' after role '{before}'")
        _only(message, _MESSAGES[role], "body", "messages", place)
        _check_message(message, role)
        before = role
    if before == "assistant" and not messages[-1].get("prefix"):
        _refuse(f"Expected last role User or Tool (or Assistant with prefix True) for serving but got {before}")
    _check_tools(payload)


def check_embeddings(payload: Mapping[str, Any]) -> None:
    """Refuse a batch of embeddings that the API would refuse."""
    _only(payload, EMBED, "body")
    if not isinstance(payload.get("input"), list | str):
        _invalid(("body", "input"), "Field required")


def _check_message(message: Mapping[str, Any], role: str) -> None:
    content, calls = message.get("content"), message.get("tool_calls") or ()
    if role == "assistant" and not content and not calls:
        _refuse("Assistant message must have either content or tool_calls, but not none.")
    for chunk in content if isinstance(content, list) else ():
        kind = chunk.get("type")
        if kind == "thinking" and role == "assistant" and isinstance(chunk.get("thinking"), list):
            continue
        field = _CHUNKS.get(str(kind))
        if field is None or not isinstance(chunk.get(field), str | dict):
            _refuse(f"Invalid content chunk of type {kind!r}")
    known = [call.get("id") for call in calls]
    if role == "tool":
        known.append(message.get("tool_call_id"))
    for name in known:
        if not _ID.fullmatch(str(name)):
            _refuse(f"Tool call id was {name} but must be a-z, A-Z, 0-9, with a length of 9.")


def _check_tools(payload: Mapping[str, Any]) -> None:
    tools = payload.get("tools") or ()
    names = [tool["function"].get("name") for tool in tools if tool.get("type") == "function"]
    if not all(names):
        _invalid(("body", "tools"), "a function needs a name")
    chosen = payload.get("tool_choice", "auto")
    if isinstance(chosen, str) and chosen not in _CHOICES:
        _invalid(("body", "tool_choice"), f"Input should be {', '.join(_CHOICES)}")
    if isinstance(chosen, dict) and chosen.get("function", {}).get("name") not in names:
        _refuse("tool_choice names no tool of the request")
    wanted = payload.get("response_format") or {}
    if wanted.get("type", "text") not in ("text", "json_object", "json_schema"):
        _invalid(("body", "response_format", "type"), "Input should be text, json_object or json_schema")


def _only(value: Mapping[str, Any], known: frozenset[str], *where: Any) -> None:
    for name in value:
        if name not in known:
            _invalid((*where, name), "Extra inputs are not permitted")


def _invalid(where: tuple[Any, ...], message: str) -> NoReturn:
    raise Rejected(f"{'.'.join(map(str, where))}: {message}", status=422)


def _refuse(message: str) -> NoReturn:
    raise Rejected(message)
