"""Messages of hb as input items of the Responses wire. Pure.

An answer goes back as the items that it came in, thoughts included, when it goes to the provider that wrote it and its
text and calls are unchanged; else as a message and its calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_wire_openai.messages import check_part
from heavenbase.errors import InputTypeError
from heavenbase.http import text_or_none
from heavenbase.messages import to_message
from heavenbase.wires import (
    MARK,
    Taken,
    arguments_text,
    content_parts,
    data_url,
    fit_message,
    is_address,
    meaning,
    no_reference,
    note_lost,
    ordered,
    own_parts,
    parsed_arguments,
    part_fields,
    unencoded_image,
    with_error_mark,
)

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.types import Message

_PARTS = part_fields("text", "image_url", "image_file", "file", "refusal", "input_audio")
_TAKEN = Taken(_PARTS, messages=frozenset({"phase", "items"}), calls=frozenset({"namespace"}))
_FILE = ("file_id", "filename", "file_data", "file_url", "detail")
FIELD = "output"
"""Where an answer's items stand in `reasoning_parts`."""
SAID = ("message", "function_call", "custom_tool_call")
"""What a message of hb says itself; all other items are the provider's own."""


def input_items(call: Call) -> list[dict[str, Any]]:
    """The items of a call's messages, in order; what cannot travel is noted in the call's report."""
    items: list[dict[str, Any]] = []
    more = frozenset(name for rule in call.spec.message_rules() for name in rule.get("take", ()))
    custom: set[Any] = set()
    for place, message in enumerate(ordered(call, read=lambda part: _part(part, 0))):
        role = message["role"]
        if len(message) > 2 or type(message.get("content")) is not str:
            taken = _TAKEN._replace(
                parts={kind: names | more for kind, names in _TAKEN.parts.items()}, marks=MARK in more
            ).of(call.spec)
            message = fit_message(message, place, taken, call.context.report)
            if message.get("name"):
                call.context.report.dropped(f"messages[{place}].name", "the wire has no names of speakers")
        if role == "assistant":
            items.extend(_assistant(call, message, place))
            custom.update(made.get("id") for made in message.get("tool_calls") or () if made.get("type") == "custom")
        elif role == "tool":
            known = message.get("tool_call_id")
            items.append(
                {
                    "type": "custom_tool_call_output" if known in custom else "function_call_output",
                    **_given(message),
                    "call_id": str(known or ""),
                    "output": _content(with_error_mark(message).get("content"), role, place),
                }
            )
        else:
            more_of = _given(message) or ({"phase": message["phase"]} if "phase" in message else {})
            items.append({**more_of, "role": role, "content": _content(message.get("content"), role, place)})
    return items


def _given(message: Message) -> dict[str, Any]:
    """What an item that the caller gave says beside its content."""
    return dict(message["items"][0]) if message.get("items") else {}


def _assistant(call: Call, message: Message, place: int) -> list[dict[str, Any]]:
    given = [dict(item) for item in message.get("items") or ()]  # the caller's own: as they are
    if given and _is_as_given(message, given):
        return given
    kept: list[dict[str, Any]] = [item for item in given if item.get("type") not in SAID]
    own, lost = own_parts(message, call.spec, {FIELD: list})
    note_lost(lost, call.context.report)
    for part in own:
        items = _readable(call, part["value"])
        if _says_the_same(message, items):
            return items
        kept.extend(item for item in items if item.get("type") not in SAID)
    text = _content(message.get("content"), "assistant", place)
    # A thought must be followed by what it led to: alone it is refused.
    phase = next(({"phase": held["phase"]} for held in (message, *given) if held.get("phase")), {})
    made: list[dict[str, Any]] = [{"role": "assistant", "content": text, **phase}] if text else []
    for tool_call in message.get("tool_calls") or ():
        function = tool_call.get("function") or {}
        named = {"call_id": str(tool_call.get("id") or ""), "name": str(function.get("name") or "")}
        if "namespace" in tool_call:
            named["namespace"] = tool_call["namespace"]
        if tool_call.get("type") == "custom":
            made.append({"type": "custom_tool_call", **named, "input": function.get("arguments") or ""})
        else:
            made.append({"type": "function_call", **named, "arguments": function.get("arguments") or "{}"})
    if not made:
        kept = [item for item in kept if item.get("type") != "reasoning"]
    return [*kept, *made]


def _is_as_given(message: Message, given: list[dict[str, Any]]) -> bool:
    """Whether a message still says what the caller's items do."""
    told = [made for item in given for made in to_message(item).get("tool_calls", ())]
    said = [{"type": "message", "content": message.get("content")}]
    return (output_text(said), message.get("tool_calls") or []) == (output_text(given), told)


def _readable(call: Call, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items of an answer as they go back: thoughts that are not stored only where they are encrypted."""
    store = call.args.get("store")
    extra = call.args.get("extra_body")
    if store is not False and not (isinstance(extra, dict) and extra.get("store") is False):
        return [dict(item) for item in items]
    sealed = [item for item in items if item.get("type") != "reasoning" or item.get("encrypted_content")]
    if len(sealed) == len(items):
        return [dict(item) for item in items]
    note_lost(["not encrypted"], call.context.report, "nothing is stored, so these thoughts stay behind")
    # By its id an item would be looked for with the thought that led to it.
    return [{name: value for name, value in item.items() if name != "id"} for item in sealed]


def _says_the_same(message: Message, items: list[dict[str, Any]]) -> bool:
    """Whether an answer's items still are what its message says: callers edit histories."""
    calls = [
        (
            item.get("call_id"),
            item.get("name"),
            text_or_none(item.get("input")) or ""
            if item["type"] == "custom_tool_call"
            else parsed_arguments(arguments_text(item.get("arguments"))),
        )
        for item in items
        if item.get("type") in SAID[1:]
    ]
    return meaning(message) == (output_text(items), calls)


def output_text(items: list[dict[str, Any]]) -> str:
    """The text of all messages among output items, refusals included."""
    contents = [item.get("content") or () for item in items if item.get("type") == "message"]
    parts = (part for held in contents for part in ([{"text": held}] if isinstance(held, str) else held))
    return "".join(str(part.get("text") or part.get("refusal") or "") for part in parts if isinstance(part, dict))


def _content(content: Any, role: str, place: int) -> Any:
    if content is None or isinstance(content, str):
        return content or ""
    parts = content_parts(content, place)
    if role == "assistant":
        return "".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))
    return [_part(part, place) for part in parts]


def _part(part: Any, place: int) -> dict[str, Any]:
    if not isinstance(part, dict):
        raise InputTypeError(f"a part of message {place} is no object")
    kind = part.get("type")
    if kind == "text":
        return {**_rest(part), "type": "input_text", "text": part.get("text", "")}
    if kind == "image_url":
        image = part.get("image_url")
        image = image if isinstance(image, dict) else {"url": image}
        shown = {"image_url": image.get("url"), "detail": image.get("detail") or "auto"}
        return {**_rest(part), "type": "input_image", **shown}
    if kind == "image_file":
        image = part["image_file"]
        if not image.get("file_id"):
            raise no_reference(place, "images by file_id or https URL")
        shown = {"file_id": image["file_id"], "detail": image.get("detail") or "auto"}
        return {**_rest(part), "type": "input_image", **shown}
    if kind == "file":
        return {**_rest(part), "type": "input_file", **_file(part.get("file") or {}, place)}
    if kind == "image":
        raise unencoded_image(place)
    if kind is None:
        raise InputTypeError(f"a part of message {place} has no type")
    check_part(part, place)
    return part


def _rest(part: dict[str, Any]) -> dict[str, Any]:
    """What a part says beside its content."""
    return {name: value for name, value in part.items() if name not in ("type", part["type"])}


def _file(file: dict[str, Any], place: int) -> dict[str, Any]:
    found = {name: file[name] for name in _FILE if file.get(name) is not None}
    url = data_url(file)
    if url is None:
        return found
    if is_address(url):
        if not url.startswith("http"):
            raise no_reference(place, "files as bytes, by file_id or by https URL")
        del found["file_data"]
        return {**found, "file_url": url}
    return {**found, "file_data": url}
