"""What callers pass as messages, turned into the one internal shape; pure, and strict about mistakes.

A text, a message dictionary, an object with a role, or any iterable mixing them becomes a list of dictionaries in the
shape of the OpenAI wire. Image parts become `{"type": "image", "image": LLMImage}`; the gateway's image format encodes
them before the request is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from heavenbase._lazy import front
from heavenbase.errors import InputError, InputTypeError, UnknownNameError
from heavenbase.options import check_slips
from heavenbase.types import FREE_TEXT

if TYPE_CHECKING:
    from heavenbase.image.image import LLMImage
    from heavenbase.types import Message

# Where the first release had it.
__getattr__, _ = front(__name__, {"heavenbase.wires.history": "with_error_mark"})

PLAIN = frozenset({"system", "developer", "user", "assistant"})
"""Roles of messages that may be nothing but text."""
ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
IMAGE_KEYS = ("image_url", "image", "input_image", "image_bytes", "b64_json", "data", "url")
IMAGE_TYPES = frozenset({"image_url", "image", "input_image", "image_bytes", "b64_json"})
_OF_IMAGES = frozenset(
    {
        *("image_url", "image", "input_image", "image_bytes", "b64_json", "data", "url", "type", "source"),
        *("inline_data", "inlineData", "bytes", "result", "detail", "file_id", "revised_prompt", "media_type"),
        *("mime_type", "format", "filename"),
    }
)
"""What an image is read from; the rest of a part are attributes of it."""
_CALL = frozenset({"id", "type", "function", FREE_TEXT, "name", "arguments"})
TEXT_TYPES = frozenset({"text", "input_text", "output_text"})
_MESSAGE = ("role", "content", "name", "tool_calls", "tool_call_id")
_KINDS = (*sorted(TEXT_TYPES | IMAGE_TYPES), "input_audio", "file", "input_file", "document")
_LINK = ("url", "detail")
_FILE = ("file_data", "file_id", "file_url", "filename")
"""What is looked for where a name is close to it."""
ITEMS = "items"
"""What an input item of the Responses API says beside its message: that wire alone can send it."""
_OF_HB = (*_MESSAGE[2:], "cache_control", "images", "is_error", "reasoning_content", "reasoning", "reasoning_parts")
"""What no such item has beside a role, and messages have."""
CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
"""Items that are calls of the caller's tools, and what holds the arguments of each."""
OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})
"""Items that are results of these."""
_ITEM_TYPES = frozenset(
    {
        *("reasoning", "item_reference", "compaction", "compaction_trigger", "tool_search_output", "additional_tools"),
        *("configuration_update", "program", "program_output"),
    }
)
_ITEM_PARTS = frozenset({"input_text", "output_text", "refusal", "input_image", "input_file", "input_audio"})
"""What a message holds that is such an item; others have the type `message` too."""
_NO_SLIPS = ("context", "image_file", "document_url", "input_video", "video_url", "audio_url", "file_url")


def to_messages(source: Any, *, system: str | None = None, images: Any = None) -> list[Message]:
    """The messages of a call; InputError for an empty list, a missing or unknown role, or a part that is no part.

    `system` is put first unless the messages begin with the same one; `images` are appended to the last user message.
    """
    if isinstance(source, str):
        messages: list[Message] = [{"role": "user", "content": source}]
    elif source is None:
        raise InputTypeError("messages are missing; pass a text, a message or several messages")
    elif isinstance(source, Mapping) or not isinstance(source, Iterable) or hasattr(source, "role"):
        messages = [to_message(source)]
    elif isinstance(source, bytes | bytearray):
        raise InputTypeError("messages must be text, a message or an iterable of them, not bytes")
    else:
        messages = [to_message(item, place) for place, item in enumerate(source)]
        if [message for message in messages if message["role"] == "tool" and not message.get("tool_call_id")]:
            _match_names(messages)
    pictures = to_images(images) if images is not None else []
    if not messages and not pictures:
        raise InputError("the message list is empty; pass at least one message")
    if system is not None:
        if not isinstance(system, str):
            raise InputTypeError(f"system must be a str, not {type(system).__name__}")
        if not (messages and messages[0]["role"] == "system" and messages[0]["content"] == system):
            messages.insert(0, {"role": "system", "content": system})
    if pictures:
        _attach(messages, pictures)
    return messages


def to_message(source: Any, place: int = 0) -> Message:
    """One message as a dictionary; the caller's object is never changed."""
    if type(source) is dict and len(source) == 2:  # the common case: long conversations take it for each message
        role, text = source.get("role"), source.get("content")
        if type(role) is str and type(text) is str and role in PLAIN:
            return {"role": role, "content": text}
    if isinstance(source, str):
        return {"role": "user", "content": source}
    data = _as_mapping(source)
    if data is None:
        raise InputTypeError(
            f"message {place} is {type(source).__name__}; pass a str, a dict with a role, or an object"
        )
    role = data.get("role")
    if kind := _item_type(data):
        item = dict(data) if data is source else {name: value for name, value in data.items() if value is not None}
        if hasattr(source, "model_fields_set"):  # of an SDK: what the API did not say is not said within it either
            item |= source.model_dump(mode="json", exclude_unset=True)
        return _of_item(kind, item, place)
    if role is None:
        raise InputError(f"message {place} has no role; add one of {', '.join(sorted(ROLES))}")
    role = getattr(role, "value", role)
    if not isinstance(role, str) or role not in ROLES:
        raise UnknownNameError("role", role, ROLES, hint=f"in message {place}")
    message = {name: value for name, value in data.items() if value is not None or name == "content"}
    message["role"] = role
    check_slips(f"attribute of message {place}", message.keys(), _MESSAGE, _NO_SLIPS)
    content = message.get("content")
    if content is None:
        if role != "assistant":
            raise InputError(f"message {place} (role {role}) has no content")
        message["content"] = None
    elif not isinstance(content, str):
        parts = [content] if isinstance(content, Mapping) or not isinstance(content, Iterable) else content
        message["content"] = [_part(part, place) for part in parts]
    if role == "user" and message.get("images"):  # as one wire has them; those of an answer stay as they are
        held = [message]
        _attach(held, to_images(message.pop("images")))
        [message] = held
    if message.get("tool_calls"):
        calls = message["tool_calls"]
        if isinstance(calls, Mapping | str) or not isinstance(calls, Iterable):
            raise InputTypeError(f"message {place} has tool_calls of type {type(calls).__name__}, not a list")
        message["tool_calls"] = [_tool_call(call, place) for call in calls]
    if role == "tool" and not message.get("tool_call_id") and not _tool_named(message):
        raise InputError(f"message {place} (role tool) has no tool_call_id")
    return message


def _item_type(data: Mapping[str, Any]) -> str | None:
    """The type of an input item of the Responses API; None for what is none."""
    kind = data.get("type")
    if not isinstance(kind, str) or ITEMS in data:
        return None
    if kind not in _ITEM_TYPES and data.get("role") is not None:
        if any(data.get(name) is not None for name in _OF_HB):
            return None
        content = data.get("content")
        parts = [part.get("type") for part in map(_as_mapping, content) if part] if isinstance(content, list) else []
        return kind if kind == "message" and _ITEM_PARTS.issuperset(parts) else None
    is_item = kind in _ITEM_TYPES or kind.startswith("mcp_") or kind.endswith(("_call", "_call_output"))
    return kind if is_item else None


def _of_item(kind: str, item: dict[str, Any], place: int) -> Message:
    """The message that an item is; one that nobody else has is an answer that says nothing."""
    if kind == "message":
        message = to_message({"role": item["role"], "content": item.get("content")}, place)
        if message["role"] != "assistant":
            return {**message, ITEMS: [{name: item[name] for name in item.keys() - {"role", "content"}}]}
        if isinstance(message["content"], list):  # citations and the like stay in the item
            parts = [{name: part[name] for name in ("type", part["type"])} for part in message["content"]]
            message["content"] = parts[0]["text"] if len(parts) == 1 and "text" in parts[0] else parts
        return {**message, ITEMS: [item]}
    known = item.get("call_id")
    if kind in CALLS or kind in OUTPUTS:
        check_slips(f"attribute of message {place}", item.keys(), ("call_id", "name", *CALLS.values(), "output"))
        if not isinstance(known, str) or not known:
            raise InputError(f"message {place} ({kind}) has no call_id")
    if kind in OUTPUTS:
        message = to_message({"role": "tool", "tool_call_id": known, "content": item.get("output")}, place)
        return {**message, ITEMS: [{name: item[name] for name in item.keys() - {"output"}}]}
    message = {"role": "assistant", "content": None, ITEMS: [item]}
    if kind in CALLS:
        made = {"id": known, "name": item.get("name"), "arguments": item.get(CALLS[kind])}
        more = {"namespace": item["namespace"]} if item.get("namespace") else {}
        of = FREE_TEXT if kind == "custom_tool_call" else "function"
        message["tool_calls"] = [call := _tool_call({**made, **more, "type": of}, place)]
        item[CALLS[kind]] = call["function"]["arguments"]  # as text, which an object becomes
    return message


def _tool_named(message: Message) -> Any:
    return message.get("name") or message.get("tool_name")


def _match_names(messages: list[Message]) -> None:
    """Give ids to calls that have none, and to results that say the tool's name instead, as one wire has them."""
    waiting: list[dict[str, Any]] = []
    for place, message in enumerate(messages):
        for number, call in enumerate(message.get("tool_calls") or ()):
            call["id"] = call["id"] or f"call_{place}_{number}"
            waiting.append(call)
        if message["role"] != "tool":
            continue
        known, name = message.get("tool_call_id"), _tool_named(message)
        found = next(
            (it for it in waiting if known == it["id"] or (not known and name == it["function"]["name"])), None
        )
        if found is not None:
            waiting.remove(found)
        elif not known:
            raise InputError(f"message {place} (role tool) has no tool_call_id, and no call before it is of {name!r}")
        if not known and found is not None:
            message["tool_call_id"] = found["id"]
            message.setdefault("name", message.pop("tool_name", None) or name)


def to_texts(given: Any, name: str) -> list[str]:
    """The texts of an iterable, such as those to embed; InputTypeError says which is none.

    Args:
        given: The iterable; neither a text nor a mapping.
        name: What its parameter is called.
    """
    if isinstance(given, str | bytes | Mapping) or not hasattr(given, "__iter__"):
        raise InputTypeError(f"{name} must be an iterable of str, not {type(given).__name__}")
    texts = list(given)
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputTypeError(f"{name.removesuffix('s')} {place} is {type(text).__name__}, not a str")
    return texts


def to_images(source: Any) -> list[LLMImage]:
    """One image or many, in any form that `LLMImage.from_any` knows."""
    from heavenbase.image.image import LLMImage

    return [LLMImage.from_any(item) for item in (source if isinstance(source, list | tuple | set) else [source])]


def _as_mapping(source: Any) -> Mapping[str, Any] | None:
    if isinstance(source, Mapping):
        return source
    for method in ("model_dump", "to_dict", "dict"):
        convert = getattr(source, method, None)
        if callable(convert):
            data = convert()
            return data if isinstance(data, Mapping) else None
    if hasattr(source, "role"):
        names = ("role", "content", "name", "tool_calls", "tool_call_id", "reasoning_content")
        return {name: getattr(source, name) for name in names if hasattr(source, name)}
    return None


def _part(part: Any, place: int) -> dict[str, Any]:
    from heavenbase.image.image import LLMImage

    if isinstance(part, str):
        return {"type": "text", "text": part}
    if isinstance(part, LLMImage):
        return {"type": "image", "image": part}
    data = _as_mapping(part)
    if data is None:
        raise InputTypeError(f"message {place} has a content part of type {type(part).__name__}")
    kind = data.get("type")
    check_slips(f"type of a part of message {place}", (kind,), _KINDS, _NO_SLIPS)
    if kind in TEXT_TYPES or (kind is None and "text" in data):
        if not isinstance(data.get("text"), str):
            raise InputTypeError(f"message {place} has a text part whose text is {type(data.get('text')).__name__}")
        return {**data, "type": "text"}
    if kind in IMAGE_TYPES or (kind is None and any(key in data for key in IMAGE_KEYS)):
        found, link = data.get("image"), data.get("image_url")
        if isinstance(link, Mapping):
            check_slips(f"attribute of an image in message {place}", link.keys(), _LINK)
        rest = {key: value for key, value in data.items() if key not in _OF_IMAGES}
        if reference := _reference(data):
            return {**rest, "type": "image_file", "image_file": reference}
        image = found if isinstance(found, LLMImage) else LLMImage.from_any(dict(data))
        return {**rest, "type": "image", "image": image}
    if not isinstance(kind, str) and ("type" in data or not any(isinstance(held, Mapping) for held in data.values())):
        raise InputError(f"message {place} has a content part without a type")
    if kind in ("file", "input_file"):
        held = data.get("file", data)
        names = held if isinstance(held, Mapping) else ()
        check_slips(f"attribute of a file in message {place}", names, _FILE, ("file",))
    return dict(data)  # parts of one wire (input_audio, file, document …) travel as they are


def _reference(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """What `image_file` holds of an image that is named by a file's id, or by an address that only a provider reads."""
    held = next((data[key] for key in ("image_url", "image", "source", "url") if data.get(key)), data)
    held = held if isinstance(held, Mapping) else {"url": held}
    source = held["source"] if isinstance(held.get("source"), Mapping) else held
    there = source["s3Location"] if isinstance(source.get("s3Location"), Mapping) else {"uri": source.get("url")}
    known = source.get("file_id") or data.get("file_id")
    if not known and not str(there.get("uri")).startswith(("s3://", "gs://")):
        return None
    kind = data.get("mime_type") or (f"image/{held['format']}" if held.get("format") else None)
    named = {"file_id": known} if known else dict(there)
    more = {"detail": held.get("detail", data.get("detail")), "mime_type": kind}
    return {**named, **{name: value for name, value in more.items() if value is not None}}


def _tool_call(call: Any, place: int) -> dict[str, Any]:
    data = call.to_dict() if hasattr(call, "to_dict") else _as_mapping(call)
    if data is None:
        raise InputTypeError(f"message {place} has a tool call of type {type(call).__name__}")
    kind, function = "function", data.get("function", data)
    if data.get("type") == FREE_TEXT:  # of a tool that takes free text: the wire's own shape, or hb's
        kind, inner = FREE_TEXT, data.get(FREE_TEXT)
        function = (
            {"name": inner.get("name"), "arguments": inner.get("input")} if isinstance(inner, Mapping) else function
        )
    if isinstance(function, str):  # {id, function: name, arguments}
        function = {"name": function, "arguments": data.get("arguments")}
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str) or not name:
        raise InputError(f"message {place} has a tool call without a function name")
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        import json

        arguments = json.dumps(arguments if arguments is not None else {}, ensure_ascii=False)
    extra = {key: value for key, value in data.items() if key not in _CALL}
    return {**extra, "id": data.get("id") or "", "type": kind, "function": {"name": name, "arguments": arguments}}


def _attach(messages: list[Message], images: list[LLMImage]) -> None:
    parts = [{"type": "image", "image": image} for image in images]
    for place in range(len(messages) - 1, -1, -1):
        if messages[place]["role"] == "user":
            content = messages[place]["content"]
            before = [{"type": "text", "text": content}] if isinstance(content, str) else list(content or [])
            messages[place] = {**messages[place], "content": [*before, *parts]}
            return
    messages.append({"role": "user", "content": parts})
