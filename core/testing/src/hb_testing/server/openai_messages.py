"""What the schema of OpenAI's chat wire cannot say of messages: that tool results answer calls, and all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hb_testing.server.checks import missing, refuse
from hb_testing.server.schema import RequestSchema, given

_SAYING = ("tool_calls", "refusal", "function_call", "audio")
"""What an answer without text may say."""


def without_extensions(payload: Mapping[str, Any], extensions: Collection[str], schema: RequestSchema) -> Any:
    """The payload without those extra fields of messages and parts that the wire does not know."""
    messages = payload.get("messages")
    if not isinstance(messages, list):
        return payload
    return {**payload, "messages": [_plain(message, extensions, schema) for message in messages]}


def _plain(message: Any, extensions: Collection[str], schema: RequestSchema) -> Any:
    if not isinstance(message, dict):
        return message
    role = str(message.get("role")).title()
    known = schema.document["$defs"].get(f"ChatCompletionRequest{role}Message", {}).get("properties", {})
    plain = given(message, extensions, known)
    content = plain.get("content")
    if isinstance(content, list):
        # A part has its type, and one field of that name.
        plain["content"] = [
            given(part, extensions, ("type", str(part.get("type")))) if isinstance(part, dict) else part
            for part in content
        ]
    return plain


def check_turns(messages: Sequence[Mapping[str, Any]]) -> None:
    """Refuse answers that say nothing, results of no call, and calls without a result."""
    waiting: dict[str, int] = {}
    answerable: set[str] = set()
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if message["role"] == "tool":
            if message["tool_call_id"] not in answerable:
                refuse(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
                    "'tool_calls'.",
                    f"{where}.role",
                    None,
                )
            waiting.pop(message["tool_call_id"], None)
            continue
        _none_waiting(waiting)
        answerable = {call["id"] for call in message.get("tool_calls") or ()}
        waiting = dict.fromkeys(answerable, index)
        if message.get("content") is None and not any(message.get(name) for name in _SAYING):
            if "content" not in message:
                missing(f"{where}.content")
            refuse(f"Invalid value for 'content': expected a string, got null. - '{where}.content'", f"{where}.content")
    _none_waiting(waiting)


def _none_waiting(waiting: Mapping[str, int]) -> None:
    if waiting:
        listed = ", ".join(waiting)
        refuse(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {listed}",
            f"messages.[{next(iter(waiting.values())) + 1}].role",
            None,
        )
