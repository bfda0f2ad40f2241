"""Messages with blocks of a vendor's own, brought into hb's shape for wires that have no such blocks. Pure.

Calls of tools among the parts of an answer become its `tool_calls`, results among those of a user become messages of
their own before his words; files of other shapes become `file` parts. What only the vendor can read, thoughts and runs
of its own tools, stays behind and is reported.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Collection, Mapping
from mimetypes import guess_type
from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, UnsupportedError
from heavenbase.messages import CALLS, ITEMS, OUTPUTS, to_message
from heavenbase.types import ParameterReport

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.types import Message

USES = {"tool_use": ("id", "name", "input"), "toolUse": ("toolUseId", "name", "input")}
RESULTS = {"tool_result": ("tool_use_id", "content", "is_error"), "toolResult": ("toolUseId", "content", "status")}
SIGNED = "thinking.signature"
"""A thought that is of use to who signed it alone; other wires have thoughts without a signature."""
OPAQUE = frozenset({"thinking", SIGNED, "redacted_thinking", "reasoningContent", "server_tool_use", "compaction"})
WORDS = frozenset({"search_result", "searchResult", "document.content"})
"""Texts with a source, which are words elsewhere."""
FILES = frozenset({"document.format", "fileData", "file_data", "inlineData", "inline_data"})
"""Files in other shapes than those that a part with a type has."""
RUNS = frozenset(
    {
        *("reasoning", "web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call"),
        *("mcp_call", "mcp_list_tools", "tool_search_call", "tool_search_output"),
    }
)
"""Items of the Responses API that tell how the provider came to its answer."""
_SAID = frozenset(
    {"type", "id", "status", "role", "content", "call_id", "name", "namespace", "output", *CALLS.values()}
)
BLOCKS = frozenset({*USES, *RESULTS, *OPAQUE, *WORDS, *FILES})
"""Types of parts, and keys of parts without a type."""


def block_of(part: Any) -> str | None:
    """Which of these blocks a part is; None for another one."""
    if not isinstance(part, Mapping):
        return None
    kind = part.get("type") or next(iter(BLOCKS.intersection(part)), None)
    if kind == "thinking" and part.get("signature"):
        return SIGNED
    if isinstance(held := part.get("document"), Mapping) and "format" in held:
        return "document.format"
    if kind == "document" and isinstance(source := part.get("source"), Mapping) and source.get("type") == "content":
        return "document.content"
    return kind if kind in BLOCKS or str(kind).endswith("_tool_result") else None


def has_blocks(message: Message) -> bool:
    """Whether a message is an item of the Responses API, or any part of it is one of these blocks."""
    content = message.get("content")
    return ITEMS in message or (isinstance(content, list) and any(map(block_of, content)))


def unfolded(call: Call, own: Collection[str]) -> Call:
    """The call without blocks that are not the wire's `own`."""
    found = _without(call.messages, own, call.context.report)
    if not found:
        raise InputError("the messages say nothing that is for this model; ask something")
    return call.replace(messages=found)


def with_calls(messages: list[Message]) -> list[Message]:
    """The messages with the calls and results of tools as hb has them, those of one answer in one message."""
    return _without(messages, (BLOCKS | {ITEMS}) - USES.keys() - RESULTS.keys(), ParameterReport())


def _without(messages: list[Message], own: Collection[str], report: ParameterReport) -> list[Message]:
    found: list[Message] = []
    is_item = False
    for place, message in enumerate(messages):
        content = message.get("content")
        kinds = [block_of(part) for part in content] if isinstance(content, list) else []
        kinds = [None if kind in own or (kind not in BLOCKS and SIGNED in own) else kind for kind in kinds]
        if ITEMS in message:
            told = message if ITEMS in own else _without_items(message, place, report)
            if told.get("content") is not None or told.get("tool_calls") or ITEMS in told:
                is_more = is_item and _is_more(found[-1], told)
                found[len(found) - is_more :] = [_joined(found[-1], told) if is_more else told]
                is_item = True
            continue
        is_item = False
        if not any(kinds):
            found.append(message)
        else:
            found += _unfolded(message, kinds, place, report)
    return found


def _without_items(message: Message, place: int, report: ParameterReport) -> Message:
    """An item as a message of hb alone; UnsupportedError for one that only its own wire has."""
    for item in message[ITEMS]:
        kind, lost = item["type"], {name for name in item.keys() - _SAID if item[name]}
        if kind in RUNS:
            lost = {kind}
        elif kind != "message" and kind not in CALLS and kind not in OUTPUTS:
            raise UnsupportedError(
                f"message {place} is of the type {kind}, which only gateway='responses' takes; leave it out"
            )
        elif any(part.get("annotations") for part in item.get("content") or () if isinstance(part, Mapping)):
            lost.add("annotations")
        for name in sorted(lost):
            report.dropped(f"messages[{place}].{name}", "only the provider that wrote it can read it")
    return {name: value for name, value in message.items() if name != ITEMS}


def _is_more(before: Message, message: Message) -> bool:
    """Whether an item is of one answer with the one before it; messages that only say something stay apart."""
    if before["role"] != "assistant" or message["role"] != "assistant":
        return False
    return not before["content"] or not message["content"] or bool(before.get("tool_calls"))


def _joined(before: Message, message: Message) -> Message:
    contents = [held["content"] for held in (before, message) if held["content"] is not None]
    if len(contents) > 1:
        texts = ([{"type": "text", "text": held}] if isinstance(held, str) else held for held in contents)
        contents = [[part for held in texts for part in held]]
    lists = (name for name in ("tool_calls", ITEMS) if name in before or name in message)
    joined = {name: [*before.get(name, ()), *message.get(name, ())] for name in lists}
    return {**before, **message, "content": contents[0] if contents else None, **joined}


def _unfolded(message: Message, kinds: list[str | None], place: int, report: ParameterReport) -> list[Message]:
    rest: list[Any] = []
    results: list[Message] = []
    calls = list(message.get("tool_calls") or ())
    for part, kind in zip(message["content"], kinds, strict=True):
        held = part.get(kind, part) if kind is not None and "type" not in part else part
        if kind is None:
            rest.append(part)
        elif kind in USES:
            known, name, given = (held.get(field) for field in USES[kind])
            written = json.dumps(given or {}, ensure_ascii=False)
            calls.append({"id": str(known), "type": "function", "function": {"name": name, "arguments": written}})
        elif kind in RESULTS:
            results.append(_result(held, RESULTS[kind], place))
        elif kind in FILES:
            rest.append(_file(part.get("document") or held, place))
        elif kind in WORDS:
            rest.append({"type": "text", "text": _words(held)})
            report.emulated(f"messages[{place}].{kind}", "it travels as text")
        else:
            report.dropped(f"messages[{place}].{kind}", "only the provider that wrote it can read it")
    kept = {name: value for name, value in message.items() if name not in ("content", "tool_calls")}
    if rest or calls:
        results.append({**kept, "content": rest or None, **({"tool_calls": calls} if calls else {})})
    return results


def _result(held: Mapping[str, Any], names: tuple[str, ...], place: int) -> Message:
    known, content, failed = (held.get(name) for name in names)
    if isinstance(content, list):
        content = [
            {"type": "text", "text": json.dumps(part["json"], ensure_ascii=False)} if "json" in part else part
            for part in content
        ]
    made = to_message({"role": "tool", "tool_call_id": str(known), "content": content or ""}, place)
    return {**made, "is_error": True} if failed in (True, "error") else made


def _words(held: Mapping[str, Any]) -> str:
    source = held.get("source")
    content = source.get("content") if isinstance(source, Mapping) else held.get("content")
    parts = content if isinstance(content, list) else [{"text": content}]
    texts = [str(part["text"]) for part in parts if isinstance(part, Mapping) and part.get("text")]
    return "\n".join([*(str(each) for each in (held.get("title"), source) if isinstance(each, str)), *texts])


def _file(held: Mapping[str, Any], place: int) -> dict[str, Any]:
    """A file that is held or named in another shape, as a part of hb's; a picture or a sound as such."""
    source = held.get("source", held)
    there, name = source.get("s3Location") or {}, str(held.get("name") or held.get("displayName") or "file")
    uri = there.get("uri") or held.get("fileUri") or held.get("file_uri")
    media_type = held.get("mimeType") or held.get("mime_type") or guess_type(f"a.{held.get('format')}")[0]
    data = source.get("bytes") or source.get("data") or str(source.get("text") or "").encode()
    encoded = data if isinstance(data, str) else b64encode(data).decode()
    if uri is None and str(media_type).startswith("image/"):
        image = {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": encoded}}
        found: dict[str, Any] = to_message({"role": "user", "content": [image]}, place)["content"][0]
        return found
    if uri is None and str(media_type).startswith("audio/"):
        return {"type": "input_audio", "input_audio": {"data": encoded, "format": str(media_type).partition("/")[2]}}
    file = {"file_data": uri or f"data:{media_type or 'text/plain'};base64,{encoded}", "mime_type": media_type}
    return {"type": "file", "file": {"filename": name, **{key: value for key, value in file.items() if value}}}
