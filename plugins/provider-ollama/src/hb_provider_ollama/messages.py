"""Messages of hb as messages of Ollama's wire. Pure.

A content is one text there, with images beside it; tool calls hold their arguments as an object, results name their
tool. Thoughts go back to Ollama alone.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, InputTypeError, UnsupportedError
from heavenbase.messages import with_error_mark

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Message, ParameterReport

FIELD = "thinking"
_ROLES = {"developer": "system", "function": "tool"}


def wire_messages(call: Call) -> list[Message]:
    """The messages of a call; what cannot travel is noted in its report."""
    names: dict[str, str] = {}
    return [_message(message, place, names, call) for place, message in enumerate(call.messages)]


def reasoning_part(spec: LLMSpec, thoughts: str) -> list[dict[str, Any]]:
    """Thoughts with their provenance, as `wire_messages` looks for them."""
    if not thoughts:
        return []
    return [{"provider": spec.provider, "model": spec.model_id, "field": FIELD, "value": thoughts}]


def _message(message: Message, place: int, names: dict[str, str], call: Call) -> Message:
    report, role = call.context.report, message["role"]
    text, images = _content(with_error_mark(message).get("content"), place)
    made: Message = {"role": _ROLES.get(role, role), "content": text}
    if images:
        made["images"] = images
    if role == "assistant":
        _add_answer(made, message, names, call)
    elif role in ("tool", "function"):
        known = message.get("tool_call_id") or ""
        name = names.get(known) or message.get("name")
        if name:
            made["tool_name"] = name
        if known:
            made["tool_call_id"] = known
    if message.get("name") and role not in ("tool", "function"):
        report.dropped("name", "the wire has no names of speakers")
    return made


def _add_answer(made: Message, message: Message, names: dict[str, str], call: Call) -> None:
    report = call.context.report
    thoughts = _thoughts(message, call.spec, report)
    if thoughts:
        made["thinking"] = thoughts
    calls = [_call(item, names, report) for item in message.get("tool_calls") or ()]
    if calls:
        made["tool_calls"] = calls
    if message.get("images"):
        report.dropped("images", "the wire has no images in answers that go back")


def _thoughts(message: Message, spec: LLMSpec, report: ParameterReport) -> str:
    parts = message.get("reasoning_parts")
    if parts is None:
        # Without provenance the caller wrote these himself.
        return str(message.get("reasoning_content") or message.get("reasoning") or "")
    own = [part for part in parts if part.get("provider") == spec.provider and part.get("field") == FIELD]
    lost = {str(part.get("provider", "unknown")): None for part in parts if part not in own}
    if lost:
        report.dropped("reasoning_parts", f"thoughts of another provider stay behind ({', '.join(lost)})")
    return "".join(part["value"] for part in own if isinstance(part.get("value"), str))


def _call(item: dict[str, Any], names: dict[str, str], report: ParameterReport) -> dict[str, Any]:
    function = item["function"]
    names[item["id"]] = function["name"]
    written = function["arguments"]
    try:
        given = json.loads(written) if written.strip() else {}
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        given = {"arguments": written}
        report.emulated("tool_calls", "arguments that are no JSON object travel as text")
    return {**({"id": item["id"]} if item["id"] else {}), "function": {"name": function["name"], "arguments": given}}


def _content(content: Any, place: int) -> tuple[str, list[str]]:
    """(text, images as base64) of a content, which is text, nothing or parts; texts are joined by a space."""
    if content is None or isinstance(content, str):
        return content or "", []
    if not isinstance(content, list):
        raise InputTypeError(f"the content of message {place} must be text or a list of parts")
    texts: list[str] = []
    images: list[str] = []
    for part in content:
        kind = part.get("type")
        if kind == "text":
            texts.append(part["text"])
        elif kind == "refusal":
            texts.append(str(part.get("refusal") or ""))
        elif kind == "image" and isinstance(part.get("data"), str):
            images.append(part["data"])
        elif kind == "image":
            raise InputTypeError(f"message {place} has an image that no image format has encoded")
        elif kind is None:
            raise InputError(f"message {place} has a part without a type")
        else:
            raise UnsupportedError(f"message {place} has a part of the type {kind}; this wire takes text and images")
    return " ".join(texts), images
