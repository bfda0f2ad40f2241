"""Messages of hb as messages of Ollama's wire. Pure.

A content is one text there, with images beside it; tool calls hold their arguments as an object, results name their
tool. Thoughts go back to Ollama alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, UnsupportedError
from heavenbase.wires import (
    Taken,
    arguments_object,
    content_parts,
    fit_message,
    lifted,
    note_lost,
    own_parts,
    part_fields,
    readable,
    unencoded_image,
    with_error_mark,
)
from heavenbase.wires import reasoning_part as part_of

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Message, ParameterReport

FIELD = "thinking"
TAKEN = Taken(part_fields("text", "refusal", image="data mime_type"))
"""What the wire takes beside contents."""
_ROLES = {"developer": "system", "function": "tool"}


def wire_messages(call: Call) -> list[Message]:
    """The messages of a call; what cannot travel is noted in its report."""
    names: dict[str, str] = {}
    messages = readable(lifted(call), lambda part: _content([part], 0))
    return [_message(message, place, names, call) for place, message in enumerate(messages)]


def reasoning_part(spec: LLMSpec, thoughts: str) -> list[dict[str, Any]]:
    """Thoughts with their provenance, as `wire_messages` looks for them."""
    if not thoughts:
        return []
    return [part_of(spec, FIELD, thoughts)]


def _message(message: Message, place: int, names: dict[str, str], call: Call) -> Message:
    report, role = call.context.report, message["role"]
    if len(message) > 2 or type(message["content"]) is not str:
        has_thoughts = role == "assistant" and isinstance(message.get(FIELD), str)
        taken = TAKEN._replace(messages=frozenset({FIELD})) if has_thoughts else TAKEN
        message = fit_message(message, place, taken.of(call.spec), report)
    if role == "developer":
        report.emulated(f"messages[{place}].role", "the wire has system for it")
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
    if message.get("reasoning_parts") is None:
        # Without provenance the caller wrote these himself.
        return str(message.get(FIELD) or message.get("reasoning_content") or message.get("reasoning") or "")
    own, lost = own_parts(message, spec, {FIELD: str})
    note_lost(lost, report)
    return "".join(part["value"] for part in own)


def _call(item: dict[str, Any], names: dict[str, str], report: ParameterReport) -> dict[str, Any]:
    function = item["function"]
    names[item["id"]] = function["name"]
    given = arguments_object(function["arguments"], report)
    return {**({"id": item["id"]} if item["id"] else {}), "function": {"name": function["name"], "arguments": given}}


def _content(content: Any, place: int) -> tuple[str, list[str]]:
    """(text, images as base64) of a content, which is text, nothing or parts; texts are joined by a space."""
    if content is None or isinstance(content, str):
        return content or "", []
    texts: list[str] = []
    images: list[str] = []
    for part in content_parts(content, place):
        kind = part.get("type")
        if kind == "text":
            texts.append(part["text"])
        elif kind == "refusal":
            texts.append(str(part.get("refusal") or ""))
        elif kind == "image" and isinstance(part.get("data"), str):
            images.append(part["data"])
        elif kind == "image":
            raise unencoded_image(place)
        elif kind is None:
            raise InputError(f"message {place} has a part without a type")
        else:
            raise UnsupportedError(f"message {place} has a part of the type {kind}; this wire takes text and images")
    return " ".join(texts), images
