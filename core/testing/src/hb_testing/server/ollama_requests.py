"""Are these requests ones that Ollama would read? It ignores what it does not know, but not what has a wrong type."""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any, NoReturn

from hb_testing.server.wire import Rejected

CHAT = frozenset(
    [
        *("model", "messages", "stream", "format", "keep_alive", "tools", "options", "think", "truncate", "shift"),
        *("logprobs", "top_logprobs", "_debug_render_only"),
    ]
)
_MESSAGE = frozenset(["role", "content", "thinking", "images", "tool_calls", "tool_name", "tool_call_id"])
_EMBED = frozenset(["model", "input", "keep_alive", "truncate", "dimensions", "options"])
_TEXTS = ("content", "thinking", "tool_name", "tool_call_id")


def check_chat(payload: Mapping[str, Any]) -> None:
    """Refuse a chat that Ollama would refuse, and fields that it would pass over in silence."""
    _model(payload)
    _only(payload, CHAT, "")
    messages = payload.get("messages")
    if not isinstance(messages, list):
        _wrong("messages", "[]api.Message")
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        if not isinstance(message, dict):
            _wrong(where, "api.Message")
        _only(message, _MESSAGE, where)
        if message.get("role") not in ("system", "user", "assistant", "tool"):
            raise Rejected(f"invalid message role: {message.get('role')!r}")
        for name in _TEXTS:
            if not isinstance(message.get(name, ""), str):
                _wrong(f"{where}.{name}", "string")
        _check_calls(message, where)
        _check_images(message, where)
    for tool in payload.get("tools", ()):
        if tool.get("type") != "function" or not tool.get("function", {}).get("name"):
            _wrong("tools.function.name", "string")
    if not isinstance(payload.get("think", True), bool) and payload["think"] not in ("low", "medium", "high", "max"):
        raise Rejected(
            f'invalid think value: "{payload["think"]}" (must be "high", "medium", "low", "max", true, or false)'
        )
    options = payload.get("options", {})
    if not isinstance(options, dict):
        _wrong("options", "map[string]interface {}")
    for name, kinds in (("temperature", (int, float)), ("num_predict", int), ("seed", int), ("stop", list)):
        if name in options and (isinstance(options[name], bool) or not isinstance(options[name], kinds)):
            raise Rejected(f"option {name!r} must be of another type")


def check_embed(payload: Mapping[str, Any]) -> None:
    """Refuse a request for embeddings that Ollama would refuse."""
    _model(payload)
    _only(payload, _EMBED, "")
    given = payload.get("input")
    if not isinstance(given, str) and not (isinstance(given, list) and all(isinstance(text, str) for text in given)):
        raise Rejected("invalid input type")
    if not isinstance(payload.get("truncate", True), bool):
        _wrong("truncate", "bool")


def _model(payload: Mapping[str, Any]) -> None:
    if not payload.get("model"):
        raise Rejected("model is required")


def _only(value: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    for name in value:
        if name not in known:
            raise Rejected(f"unknown field {where and where + '.'}{name}, which Ollama passes over")


def _check_calls(message: Mapping[str, Any], where: str) -> None:
    for call in message.get("tool_calls", ()):
        function = call.get("function")
        if not isinstance(function, dict) or not isinstance(function.get("arguments"), dict):
            _wrong(f"{where}.tool_calls.function.arguments", "api.ToolCallFunctionArguments")


def _check_images(message: Mapping[str, Any], where: str) -> None:
    for image in message.get("images", ()):
        try:
            binascii.a2b_base64(image, strict_mode=True)
        except (binascii.Error, TypeError, ValueError):
            raise Rejected(f"illegal base64 data in {where}.images") from None


def _wrong(field: str, kind: str) -> NoReturn:
    raise Rejected(f"json: cannot unmarshal into Go struct field ChatRequest.{field} of type {kind}")
