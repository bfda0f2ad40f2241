"""Are these messages ones that OpenAI's chat completions would accept?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from hb_testing.server.checks import choice, items, kind, missing, only, refuse, text

_COMMON = {"role", "content", "name"}
FIELDS: Mapping[str, frozenset[str]] = {
    "system": frozenset(_COMMON),
    "developer": frozenset(_COMMON),
    "user": frozenset(_COMMON),
    "assistant": frozenset(_COMMON | {"refusal", "annotations", "audio", "tool_calls", "function_call"}),
    "tool": frozenset(_COMMON | {"tool_call_id"}),
    "function": frozenset(_COMMON),
}
PARTS: Mapping[str, tuple[str, ...]] = {
    "system": ("text",),
    "developer": ("text",),
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
    "tool": ("text",),
    "function": ("text",),
}


def check_messages(messages: Any, extensions: Collection[str] = ()) -> None:
    """Refuse bad roles, contents, parts and tool turns; `extensions` are extra fields of messages and parts."""
    items(messages, "messages")
    waiting: dict[str, int] = {}
    answerable: set[str] = set()
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        kind(message, where, "object")
        if "role" not in message:
            missing(f"{where}.role")
        role = message["role"]
        choice(role, f"{where}.role", FIELDS)
        only(message, FIELDS[role] | set(extensions), where)
        if role == "tool":
            _check_result(message, where, answerable)
            waiting.pop(message["tool_call_id"], None)
        else:
            _none_waiting(waiting)
            answerable = _check_calls(message["tool_calls"], where) if message.get("tool_calls") is not None else set()
            waiting = dict.fromkeys(answerable, index)
        _check_content(message, role, where, extensions)
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


def _check_result(message: Mapping[str, Any], where: str, answerable: Collection[str]) -> None:
    if "tool_call_id" not in message:
        missing(f"{where}.tool_call_id")
    kind(message["tool_call_id"], f"{where}.tool_call_id", "string")
    if message["tool_call_id"] not in answerable:
        refuse(
            "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with "
            "'tool_calls'.",
            f"{where}.role",
            None,
        )


def _check_calls(calls: Any, where: str) -> set[str]:
    items(calls, f"{where}.tool_calls")
    for index, call in enumerate(calls):
        here = f"{where}.tool_calls[{index}]"
        kind(call, here, "object")
        for field in ("id", "type"):
            if field not in call:
                missing(f"{here}.{field}")
        text(call["id"], f"{here}.id")
        choice(call["type"], f"{here}.type", ("function", "custom"))
        if call["type"] == "function":
            only(call, ("id", "type", "function"), here)
            function = call.get("function")
            kind(function, f"{here}.function", "object")
            for field in ("name", "arguments"):
                if field not in function:
                    missing(f"{here}.function.{field}")
                kind(function[field], f"{here}.function.{field}", "string")
    return {call["id"] for call in calls}


def _check_content(message: Mapping[str, Any], role: str, where: str, extensions: Collection[str]) -> None:
    content = message.get("content")
    if content is None:
        if role == "assistant" and any(
            message.get(name) for name in ("tool_calls", "refusal", "function_call", "audio")
        ):
            return
        if "content" not in message:
            missing(f"{where}.content")
        refuse(f"Invalid value for 'content': expected a string, got null. - '{where}.content'", f"{where}.content")
    kind(content, f"{where}.content", "string", "array")
    if isinstance(content, str):
        return
    items(content, f"{where}.content")
    for index, part in enumerate(content):
        here = f"{where}.content[{index}]"
        kind(part, here, "object")
        choice(part.get("type"), f"{here}.type", PARTS[role])
        only(part, ("type", part["type"], *extensions), here)
        _check_part(part, here)


def _check_part(part: Mapping[str, Any], where: str) -> None:
    name = part["type"]
    if name not in part:
        missing(f"{where}.{name}")
    value = part[name]
    if name in ("text", "refusal"):
        kind(value, f"{where}.{name}", "string")
        return
    kind(value, f"{where}.{name}", "object")
    if name == "image_url":
        only(value, ("url", "detail"), f"{where}.image_url")
        text(value.get("url"), f"{where}.image_url.url")
        if not value["url"].startswith(("http://", "https://", "data:image/")):
            refuse(
                "Invalid image URL. Expected an http(s) URL, or a base64-encoded data URL with an image MIME type.",
                f"{where}.image_url.url",
                "invalid_image_url",
            )
        if value.get("detail") is not None:
            choice(value["detail"], f"{where}.image_url.detail", ("auto", "low", "high"))
    elif name == "input_audio":
        text(value.get("data"), f"{where}.input_audio.data")
        choice(value.get("format"), f"{where}.input_audio.format", ("wav", "mp3"))
    elif not (value.get("file_id") or value.get("file_data")):
        missing(f"{where}.file.file_id")
