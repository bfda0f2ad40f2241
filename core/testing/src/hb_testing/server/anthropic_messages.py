"""Are these messages ones that Anthropic's Messages API would accept?"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NoReturn

from hb_testing.server.synthesis import signature
from hb_testing.server.wire import Rejected

TOOL_ID = re.compile(r"[a-zA-Z0-9_-]{1,256}")
MEDIA_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
# Blocks whose inside is not looked at: results and calls of the provider's own tools.
SERVER_BLOCKS = frozenset({"search_result", "server_tool_use", "container_upload"})
BLOCKS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"text", "cache_control", "citations"}),
    "image": frozenset({"source", "cache_control", "transformations"}),
    "document": frozenset({"source", "cache_control", "citations", "context", "title"}),
    "thinking": frozenset({"thinking", "signature"}),
    "redacted_thinking": frozenset({"data"}),
    "tool_use": frozenset({"id", "name", "input", "cache_control", "caller", "toolset_name"}),
    "tool_result": frozenset({"tool_use_id", "content", "is_error", "cache_control", "toolset_name"}),
}
_IN_RESULTS = ("text", "image", "document", "search_result")


def refuse(message: str) -> NoReturn:
    """Refuse the request with status 400."""
    raise Rejected(message)


def kind(value: Any, where: str, expected: type | tuple[type, ...], name: str) -> None:
    """Refuse a value of another JSON type."""
    allowed = expected if isinstance(expected, tuple) else (expected,)
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        refuse(f"{where}: Input should be a valid {name}")


def required(table: Mapping[str, Any], where: str, *names: str) -> None:
    """Refuse an object without one of the fields."""
    for name in names:
        if name not in table:
            refuse(f"{where}.{name}: Field required")


def only(table: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """Refuse fields that the object at `where` does not have."""
    for name in table:
        if name not in known:
            refuse(f"{where}.{name}: Extra inputs are not permitted")


def check_messages(messages: Any, *, inline_system: bool) -> None:
    """Refuse bad roles, contents, blocks and tool turns; `inline_system` allows system messages behind user turns."""
    kind(messages, "messages", list, "list")
    if not messages:
        refuse("messages: at least one message is required")
    for place, message in enumerate(messages):
        where = f"messages.{place}"
        kind(message, where, dict, "dictionary")
        required(message, where, "role", "content")
        only(message, ("role", "content"), where)
        _check_role(messages, place, inline_system)
        _check_content(message, where)
    _check_tool_turns(_turns(messages))


def check_text_blocks(content: Any, where: str) -> None:
    """Refuse anything but a string or a list of text blocks."""
    if isinstance(content, str):
        return
    kind(content, where, list, "list")
    for place, block in enumerate(content):
        here = f"{where}.{place}"
        kind(block, here, dict, "dictionary")
        if block.get("type") != "text":
            refuse(f"{here}.type: Input should be 'text'")
        _check_block(block, here)


def check_mark(block: Mapping[str, Any], where: str) -> None:
    """Refuse a `cache_control` that is none."""
    mark = block.get("cache_control")
    if mark is not None:
        kind(mark, f"{where}.cache_control", dict, "dictionary")
        only(mark, ("type", "ttl"), f"{where}.cache_control")
        if mark.get("type") != "ephemeral" or mark.get("ttl", "5m") not in ("5m", "1h"):
            refuse(f"{where}.cache_control: Input should be {{'type': 'ephemeral'}} with ttl '5m' or '1h'")


def _check_role(messages: Sequence[Any], place: int, inline_system: bool) -> None:
    role = messages[place]["role"]
    where = f"messages.{place}.role"
    if role == "system":
        if not inline_system:
            refuse(f"{where}: role 'system' is not supported on this model")
        behind = messages[place - 1].get("role") if place else None
        ahead = messages[place + 1].get("role") if place + 1 < len(messages) else "assistant"
        if behind != "user" or ahead != "assistant":
            refuse(f"{where}: a system message must follow a user message and precede an assistant message")
    elif role not in ("user", "assistant"):
        refuse(f"{where}: Input should be 'user' or 'assistant'")


def _check_content(message: Mapping[str, Any], where: str) -> None:
    content, role = message["content"], message["role"]
    if isinstance(content, str):
        if not content.strip():
            refuse("messages: text content blocks must contain non-whitespace text")
        return
    if role == "system":
        check_text_blocks(content, f"{where}.content")
        return
    kind(content, f"{where}.content", list, "list")
    if not content:
        refuse(f"{where}: all messages must have non-empty content")
    for index, block in enumerate(content):
        here = f"{where}.content.{index}"
        kind(block, here, dict, "dictionary")
        name = block.get("type")
        if name == "tool_result" and role != "user":
            refuse(f"{here}: `tool_result` blocks can only be in `user` messages")
        if name in ("tool_use", "thinking", "redacted_thinking") and role != "assistant":
            refuse(f"{here}: `{name}` blocks can only be in `assistant` messages")
        _check_block(block, here)


def _check_block(block: Mapping[str, Any], where: str) -> None:
    name: Any = block.get("type")
    if name in SERVER_BLOCKS or (isinstance(name, str) and name.endswith("_tool_result")):
        return
    if name not in BLOCKS:
        refuse(f"{where}: Input tag '{name}' found using 'type' does not match any of the expected tags")
    only(block, BLOCKS[name] | {"type"}, f"{where}.{name}")
    check_mark(block, where)
    if name == "text":
        required(block, f"{where}.text", "text")
        kind(block["text"], f"{where}.text.text", str, "string")
        if not block["text"].strip():
            refuse("messages: text content blocks must contain non-whitespace text")
    elif name == "thinking":
        required(block, f"{where}.thinking", "signature", "thinking")
        if block["signature"] != signature(block["thinking"]):
            refuse(f"{where}: Invalid `signature` in `thinking` block")
    elif name == "redacted_thinking":
        required(block, f"{where}.redacted_thinking", "data")
    elif name == "tool_use":
        required(block, f"{where}.tool_use", "id", "name", "input")
        kind(block["input"], f"{where}.tool_use.input", dict, "dictionary")
        _check_id(block["id"], f"{where}.tool_use.id")
    elif name == "tool_result":
        required(block, f"{where}.tool_result", "tool_use_id")
        _check_id(block["tool_use_id"], f"{where}.tool_result.tool_use_id")
        kind(block.get("is_error", False), f"{where}.tool_result.is_error", bool, "boolean")
        _check_result(block.get("content", ""), f"{where}.tool_result.content")
    else:
        required(block, f"{where}.{name}", "source")
        _check_source(block["source"], name, f"{where}.{name}.source")


def _check_id(value: Any, where: str) -> None:
    kind(value, where, str, "string")
    if not TOOL_ID.fullmatch(value):
        refuse(f"{where}: String should match pattern '^[a-zA-Z0-9_-]+$'")


def _check_result(content: Any, where: str) -> None:
    if isinstance(content, str):
        return
    kind(content, where, list, "list")
    for place, block in enumerate(content):
        here = f"{where}.{place}"
        kind(block, here, dict, "dictionary")
        if block.get("type") not in _IN_RESULTS:
            refuse(f"{here}.type: Input should be one of {', '.join(_IN_RESULTS)}")
        _check_block(block, here)


def _check_source(source: Any, block: str, where: str) -> None:
    kind(source, where, dict, "dictionary")
    name = source.get("type")
    if name == "base64":
        required(source, where, "media_type", "data")
        only(source, ("type", "media_type", "data"), where)
        allowed = MEDIA_TYPES if block == "image" else ("application/pdf",)
        if source["media_type"] not in allowed:
            refuse(f"{where}.media_type: Input should be {' or '.join(map(repr, allowed))}")
        if not isinstance(source["data"], str) or not BASE64.fullmatch(source["data"]):
            refuse(f"{where}.data: invalid base64 data")
    elif name == "url":
        required(source, where, "url")
        only(source, ("type", "url"), where)
        if not str(source["url"]).startswith("https://"):
            refuse(f"{where}.url: Only HTTPS URLs are supported.")
    elif name == "file":
        required(source, where, "file_id")
    elif block == "document" and name == "text":
        required(source, where, "media_type", "data")
    elif not (block == "document" and name == "content"):
        refuse(f"{where}.type: Input should be 'base64', 'url' or 'file'")


def _turns(messages: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """(role, blocks) of each turn: consecutive messages of one role are one turn, as the API combines them."""
    turns: list[tuple[str, list[Mapping[str, Any]]]] = []
    for message in messages:
        if message["role"] == "system":
            continue
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
        if turns and turns[-1][0] == message["role"]:
            turns[-1][1].extend(blocks)
        else:
            turns.append((message["role"], blocks))
    return turns


def _check_tool_turns(turns: Sequence[tuple[str, list[Mapping[str, Any]]]]) -> None:
    seen: set[str] = set()
    for place, (role, blocks) in enumerate(turns):
        if role == "user":
            asked = {b["id"] for b in turns[place - 1][1] if b.get("type") == "tool_use"} if place else set()
            results = [b["tool_use_id"] for b in blocks if b.get("type") == "tool_result"]
            for id_ in results:
                if id_ not in asked:
                    refuse(
                        f"messages.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {id_}. Each "
                        "`tool_result` block must have a corresponding `tool_use` block in the previous message."
                    )
            if len(results) != len(set(results)):
                refuse("messages: each tool_use must have a single result.")
            if any(block.get("type") != "tool_result" for block in blocks[: len(results)]):
                refuse("messages: `tool_result` blocks must come first in the content of a user message.")
            continue
        calls = [b["id"] for b in blocks if b.get("type") == "tool_use"]
        if seen & set(calls) or len(calls) != len(set(calls)):
            refuse("messages: `tool_use` ids must be unique")
        seen.update(calls)
        answered = turns[place + 1][1] if place + 1 < len(turns) else []
        missing = set(calls) - {b.get("tool_use_id") for b in answered}
        if missing:
            refuse(
                f"messages.{place}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(sorted(missing))}."
            )
