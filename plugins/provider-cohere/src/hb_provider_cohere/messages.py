"""Messages of hb as those of this wire. Pure.

Thoughts and plans that a model wrote go back verbatim to the provider they came from; those of others stay behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_cohere.replay import CONTENT, PLAN, kept
from heavenbase.errors import InputError, UnsupportedError
from heavenbase.structured import with_instruction
from heavenbase.wires import (
    TEXT,
    Taken,
    content_parts,
    fit_message,
    object_text,
    ordered,
    part_fields,
    unencoded_image,
    with_error_mark,
)

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.types import Message, ParameterReport

OWN_PARTS = frozenset({"image_url", "document", "thinking"})
"""Types of parts that pass as they are."""
_IN_RESULTS = TEXT | {"document"}
TAKEN = Taken(part_fields("text", "image_url", "document", "refusal"))
"""What the wire takes beside contents."""
_ANSWER = TAKEN._replace(messages=frozenset({PLAN}))
_ROLES = {"developer": "system", "function": "tool"}


def wire_messages(call: Call, instruction: str = "") -> list[dict[str, Any]]:
    """The messages of a call, `instruction` added to the system message; losses go into its report."""
    found = []
    for place, message in enumerate(
        with_instruction(ordered(call, _IN_RESULTS, lambda part: _part(part, 0, "user")), instruction)
    ):
        role = _ROLES.get(message["role"], message["role"])
        if len(message) > 2 or type(message["content"]) is not str:
            taken = _ANSWER if role == "assistant" else TAKEN
            message = fit_message(message, place, taken.of(call.spec), call.context.report)
        if message["role"] == "developer":
            call.context.report.emulated(f"messages[{place}].role", "the wire has system for it")
        if role == "assistant":
            made = _assistant(call, message, place)
            if made is not None:
                found.append(made)
        elif role == "tool":
            content = _content(with_error_mark(message)["content"], place, "tool")
            found.append({"role": role, "tool_call_id": message.get("tool_call_id") or "", "content": content})
        else:
            content = _content(message["content"], place, str(role))
            if not content:
                raise InputError(f"message {place} (role {message['role']}) is empty; this wire takes none such")
            found.append({"role": role, "content": content})
        if message.get("name"):
            call.context.report.dropped("name", "the wire has no names of speakers")
    if not any(message["role"] != "system" for message in found):
        raise InputError("there is no message of a user; this wire needs one beside the system message")
    return found


def _assistant(call: Call, message: Message, place: int) -> dict[str, Any] | None:
    """One answer; None for one that says nothing."""
    found: dict[str, Any] = {"role": "assistant"}
    fields = kept(message, call.spec, call.context.report)
    content = _content(message.get("content"), place, "assistant")
    thoughts = fields.get(CONTENT)
    if thoughts:
        texts = [{"type": "text", "text": content}] if isinstance(content, str) and content else list(content or ())
        content = [*thoughts, *texts]
    if message.get("images"):
        call.context.report.dropped("images", "images of an answer stay behind; the wire takes them of users")
    if content:
        found["content"] = content
    calls = message.get("tool_calls")
    if calls:
        found["tool_calls"] = [_call(made, call.context.report) for made in calls]
    plan = message.get(PLAN) or (fields.get(PLAN) if calls else None)
    if plan:
        found[PLAN] = plan
    cited = message.get("citations") or ()
    if cited and all("sources" in it for it in cited):  # the caller's own, in the shape of the wire
        found["citations"] = cited
    return found if len(found) > 1 else None


def _call(made: dict[str, Any], report: ParameterReport) -> dict[str, Any]:
    function = made["function"]
    return {
        "id": made["id"],
        "type": "function",
        "function": {"name": function["name"], "arguments": object_text(function["arguments"], report)},
    }


def _content(content: Any, place: int, role: str) -> str | list[dict[str, Any]]:
    """Text, or parts; empty text among parts is left out."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = [_part(part, place, role) for part in content_parts(content, place)]
    return [part for part in parts if part.get("text") != ""]


def _part(part: dict[str, Any], place: int, role: str) -> dict[str, Any]:
    kind = part.get("type")
    if kind == "text":
        return {"type": "text", "text": part["text"]}
    if kind == "image":
        raise unencoded_image(place)
    if kind == "refusal":
        return {"type": "text", "text": str(part.get("refusal") or "")}
    if kind not in OWN_PARTS or (kind == "image_url" and role != "user"):
        raise UnsupportedError(
            f"message {place} (role {role}) has a part of the type {kind}; this wire takes text and, of users, images"
        )
    return dict(part)
