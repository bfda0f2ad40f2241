"""Messages of hb as messages of the OpenAI wire. Pure.

A message that needs no change is passed on as it is, not copied. Of an assistant message, what hb itself added is
taken out; thoughts go back, verbatim, to the provider that wrote them. What other wires alone have is taken out too,
unless the provider's rules about messages say that it takes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_wire_openai.dialects import replay_fields
from heavenbase.errors import InputError, UnsupportedError
from heavenbase.spec import EMPTY
from heavenbase.wires import (
    MARK,
    TEXT,
    Taken,
    check_prefill,
    content_parts,
    data_url,
    fit_message,
    is_address,
    no_reference,
    note_lost,
    object_text,
    ordered,
    own_parts,
    part_fields,
    unencoded_image,
    with_error_mark,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.call import Call
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Message

SOUND = "audio"
"""The field of a message that names a sound of an earlier answer."""
_ADDED = frozenset(
    {
        *("reasoning_parts", "reasoning_content", "reasoning", "reasoning_details", "images", "parsed"),
        *("citations", "logprobs", "choices", "filters", "rate_limits", SOUND),
    }
)
_KINDS: Mapping[str, type] = {"reasoning_details": list}
"""The fields for thoughts that are no text."""
_PARTS = part_fields("text", "image_url", "input_audio", "file", "refusal")
_OPEN = Taken(_PARTS, messages=frozenset({"reasoning_details"}), calls=frozenset({"custom"}), is_open=True)


def taken_by(spec: LLMSpec) -> Taken:
    """What this provider takes of messages, parts and tools beside what the wire has."""
    more = frozenset(name for rule in spec.message_rules() for name in rule.get("take", ()))
    if not more:
        return _OPEN.of(spec)
    parts = {kind: names | more for kind, names in _PARTS.items()}
    return _OPEN._replace(parts=parts, messages=_OPEN.messages | more, tools=more, marks=MARK in more).of(spec)


def wire_messages(call: Call, fields: Mapping[str, Any] = EMPTY) -> list[Message]:
    """The messages of a call for its provider; what cannot travel is noted in the call's report.

    `fields` are those of the request beside them, on which the provider's rules about messages may depend.
    """
    messages, spec = ordered(call, TEXT, lambda part: _part(part, 0, call)), call.spec
    rules = spec.message_rules(fields)
    roles = fill = EMPTY
    for rule in rules:
        if "roles" in rule:
            roles = {**roles, **rule["roles"]}
        if "fill" in rule:
            fill = {**fill, **rule["fill"]}
    changed = {*roles, "assistant"} if fill else roles.keys()
    if rules and messages and messages[-1]["role"] == "assistant" and not messages[-1].get("tool_calls"):
        check_prefill(spec, fields)
    for message in messages:
        if len(message) == 2 and type(message.get("content")) is str:  # the common case in long conversations
            if changed and message["role"] in changed:
                break
        elif not _is_plain_call(message) or (changed and message["role"] in changed):
            break
    else:
        return messages
    taken, replay = taken_by(spec), replay_fields(spec)
    result = []
    for place, message in enumerate(messages):
        if len(message) > 2 or type(message.get("content")) is not str:
            message = fit_message(message, place, taken, call.context.report)
            if isinstance(message.get("content"), list):
                message = _with_parts(message, place, call)
        if message["role"] == "tool":
            message = with_error_mark(message)
        elif message["role"] == "assistant":
            message = _assistant(message, call, replay)
            if fill:
                message = _filled(message, fill, place, call)
        elif roles and message["role"] in roles:
            other = roles[message["role"]]
            call.context.report.emulated(f"messages[{place}].role", f"{spec.provider} has {other} for it")
            message = {**message, "role": other}
        result.append(message)
    return result


def _is_plain_call(message: Message) -> bool:
    """Whether a message is nothing but a text, calls of functions and their results, as they stand on the wire."""
    if not message.keys() <= _PLAIN or not isinstance(message.get("content"), str | None):
        return False
    return all(
        call.keys() <= _PLAIN_CALL and call.get("type") == "function" for call in message.get("tool_calls") or ()
    )


_PLAIN = frozenset({"role", "content", "name", "tool_calls", "tool_call_id"})
_PLAIN_CALL = frozenset({"id", "type", "function"})


def _filled(message: Message, fill: Mapping[str, str], place: int, call: Call) -> Message:
    missing = {name: value for name, value in fill.items() if message.get(name) is None}
    for name in missing:
        call.context.report.emulated(f"messages[{place}].{name}", "the provider wants it in every answer; it is empty")
    return {**message, **missing} if missing else message


def _assistant(message: Message, call: Call, fields: tuple[str, ...]) -> Message:
    calls = message.get("tool_calls")
    if calls and any(made.get("type") == "custom" for made in calls):
        message = {**message, "tool_calls": [_call(made, call) for made in calls]}
    if _ADDED.isdisjoint(message):
        return message
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


def _call(made: dict[str, Any], call: Call) -> dict[str, Any]:
    """A call of a tool that takes free text, as the wire has it or as that of a function; others as they are."""
    if made.get("type") != "custom":
        return made
    function = made["function"]
    if call.spec.capability("free_text_tools") is False:
        written = object_text(function["arguments"], call.context.report)
        return {**made, "type": "function", "function": {"name": function["name"], "arguments": written}}
    custom = {"name": function["name"], "input": function["arguments"]}
    return {"id": made["id"], "type": "custom", "custom": custom}


def _with_parts(message: Message, place: int, call: Call) -> Message:
    content = message["content"]
    parts = [_part(part, place, call) if isinstance(part, dict) else part for part in content_parts(content, place)]
    return {**message, "content": parts} if any(a is not b for a, b in zip(parts, content, strict=True)) else message


def check_part(part: dict[str, Any], place: int) -> None:
    """UnsupportedError for a part that no endpoint of OpenAI's wires takes: of a container, or a video in a store."""
    video = part.get("video_url")
    url = video.get("url") if isinstance(video, dict) else video
    if str(url).startswith(("s3://", "gs://")):
        raise no_reference(place, "videos by https URL or as bytes")
    if part["type"] == "container_upload":
        raise UnsupportedError(f"message {place} has a container_upload, which another vendor takes")


def _part(part: dict[str, Any], place: int, call: Call) -> dict[str, Any]:
    kind = part.get("type")
    if kind == "text" or kind == "image_url":
        return part
    if kind == "image":
        raise unencoded_image(place)
    if kind == "image_file":
        raise no_reference(place, "images as bytes or by URL; gateway='responses' takes them by file_id")
    if kind is None:
        raise UnsupportedError(f"message {place} has a part without a type, which this wire does not know")
    check_part(part, place)
    if kind == "file":
        file = part["file"]
        url = data_url(file)
        if url is None and not file.get("file_id"):
            raise InputError(f"message {place} has a file without file_data or file_id")
        if url is not None and is_address(url) and call.spec.capability("file_urls") is False:
            raise no_reference(place, "files as bytes or by file_id")
        if url is not None and url != file.get("file_data"):
            return {**part, "file": {**file, "file_data": url}}
    return part
