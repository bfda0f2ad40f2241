"""What the schema of Anthropic's wire cannot say of messages: who says what, signatures, results that answer calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from hb_testing.server.synthesis import signature
from hb_testing.server.wire import Rejected

_OF_ASSISTANT = ("tool_use", "thinking", "redacted_thinking")


def refuse(message: str) -> NoReturn:
    """Refuse the request with status 400."""
    raise Rejected(message)


def check_messages(messages: Sequence[Mapping[str, Any]], *, inline_system: bool) -> None:
    """Refuse bad roles, blocks and tool turns; `inline_system` allows system messages behind user turns."""
    for place, message in enumerate(messages):
        _check_role(messages, place, inline_system)
        for index, block in enumerate(message["content"] if isinstance(message["content"], list) else ()):
            _check_block(block, message["role"], f"messages.{place}.content.{index}")
    _check_tool_turns(_turns(messages))


def _check_role(messages: Sequence[Mapping[str, Any]], place: int, inline_system: bool) -> None:
    if messages[place]["role"] == "system":
        where = f"messages.{place}.role"
        if not inline_system:
            refuse(f"{where}: role 'system' is not supported on this model")
        behind = messages[place - 1]["role"] if place else None
        ahead = messages[place + 1]["role"] if place + 1 < len(messages) else "assistant"
        if behind != "user" or ahead != "assistant":
            refuse(f"{where}: a system message must follow a user message and precede an assistant message")


def _check_block(block: Mapping[str, Any], role: str, where: str) -> None:
    name = block["type"]
    if role == "system" and name != "text":
        refuse(f"{where}.type: Input should be 'text'")
    if name == "tool_result" and role != "user":
        refuse(f"{where}: `tool_result` blocks can only be in `user` messages")
    if name in _OF_ASSISTANT and role != "assistant":
        refuse(f"{where}: `{name}` blocks can only be in `assistant` messages")
    if name == "thinking" and block["signature"] != signature(block["thinking"]):
        refuse(f"{where}: Invalid `signature` in `thinking` block")


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
