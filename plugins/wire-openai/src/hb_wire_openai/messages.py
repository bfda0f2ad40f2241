"""Messages of hb as messages of the OpenAI wire. Pure.

A message that needs no change is passed on as it is, not copied. Of an assistant message, what hb itself added is
taken out; thoughts go back, verbatim, to the provider that wrote them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_wire_openai.dialects import replay_fields
from heavenbase.wires import TEXT, content_parts, note_lost, ordered, own_parts, unencoded_image, with_error_mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.call import Call
    from heavenbase.types import Message

SOUND = "audio"
"""The field of a message that names a sound of an earlier answer."""
_ADDED = frozenset(
    {
        *("reasoning_parts", "reasoning_content", "reasoning", "reasoning_details", "images", "parsed"),
        *("citations", "logprobs", "choices", "filters", SOUND),
    }
)
_KINDS: Mapping[str, type] = {"reasoning_details": list}
"""The fields for thoughts that are no text."""


def wire_messages(call: Call) -> list[Message]:
    """The messages of a call for its provider; what cannot travel is noted in the call's report."""
    messages = ordered(call, TEXT)
    for place, message in enumerate(messages):
        if len(message) == 2 and type(message.get("content")) is str:  # the common case in long conversations
            continue
        if _changes(message):
            break
        content = message.get("content")
        if content is not None and not isinstance(content, str):
            _check_parts(content, place)
    else:
        return messages
    fields = replay_fields(call.spec)
    result = []
    for place, message in enumerate(messages):
        if not isinstance(message.get("content"), str | None):
            _check_parts(message["content"], place)
        if not _changes(message):
            result.append(message)
        elif message["role"] == "tool":
            result.append(with_error_mark(message))
        else:
            result.append(_assistant(message, call, fields))
    return result


def _changes(message: Message) -> bool:
    role = message["role"]
    return (role == "assistant" and not _ADDED.isdisjoint(message)) or (role == "tool" and "is_error" in message)


def _assistant(message: Message, call: Call, fields: tuple[str, ...]) -> Message:
    spec, report = call.spec, call.context.report
    wire = {name: value for name, value in message.items() if name not in _ADDED}
    if isinstance(message.get(SOUND), dict):  # the caller's own, in the shape of the wire
        wire[SOUND] = message[SOUND]
    if message.get("reasoning_parts") is not None:
        own, lost = own_parts(message, spec, {SOUND: dict, **{name: _KINDS.get(name, str) for name in fields}})
        for part in own:
            name, value = part["field"], part["value"]
            if name == SOUND:
                _speak(wire, value, call)
            else:
                wire[name] = wire[name] + value if name in wire else value
        note_lost(lost, report)
    else:
        # Without provenance the caller wrote these himself; they travel where the provider takes them.
        for name in ("reasoning_content", "reasoning", "reasoning_details"):
            if message.get(name) is None:
                continue
            if name in fields:
                wire[name] = message[name]
            else:
                report.dropped(name, "the provider takes no thoughts back")
    if message.get("images"):
        if spec.provider_value("image_endpoint") == "chat":
            wire["images"] = message["images"]
        else:
            report.dropped("images", "the wire has no images in answers that go back")
    return wire


def _speak(wire: Message, sound: dict[str, Any], call: Call) -> None:
    """Name the sound of an earlier answer in place of its transcript, as long as the provider keeps it."""
    until = sound.get("expires_at")
    if isinstance(until, int | float) and until <= call.context.created_at:
        call.context.report.dropped("audio", "the provider keeps the sound of an earlier answer no more; its text goes")
        return
    wire[SOUND] = {"id": sound["id"]}
    if wire.get("content") == sound.get("transcript"):
        wire["content"] = None


def _check_parts(content: Any, place: int) -> None:
    for part in content_parts(content, place):
        if isinstance(part, dict) and part.get("type") == "image":
            raise unencoded_image(place)
