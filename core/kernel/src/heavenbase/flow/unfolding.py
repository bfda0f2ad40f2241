"""Messages with blocks of a vendor's own, brought into hb's shape for wires that have no such blocks. Pure.

Calls of tools among the parts of an answer become its `tool_calls`, results among those of a user become messages of
their own before his words. What only the vendor can read, thoughts and runs of its own tools, stays behind and is
reported.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from heavenbase.messages import to_message

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.types import Message, ParameterReport

USES = {"tool_use": ("id", "name", "input"), "toolUse": ("toolUseId", "name", "input")}
RESULTS = {"tool_result": ("tool_use_id", "content", "is_error"), "toolResult": ("toolUseId", "content", "status")}
SIGNED = "thinking.signature"
"""A thought that is of use to who signed it alone; other wires have thoughts without a signature."""
OPAQUE = frozenset({"thinking", SIGNED, "redacted_thinking", "reasoningContent", "server_tool_use", "compaction"})
BLOCKS = frozenset({*USES, *RESULTS, *OPAQUE})
"""Types of parts, and keys of parts without a type."""


def block_of(part: Any) -> str | None:
    """Which of these blocks a part is; None for another one."""
    if not isinstance(part, Mapping):
        return None
    kind = part.get("type") or next(iter(BLOCKS.intersection(part)), None)
    if kind == "thinking" and part.get("signature"):
        return SIGNED
    return kind if kind in BLOCKS or str(kind).endswith("_tool_result") else None


def has_blocks(message: Message) -> bool:
    """Whether any part of a message is one of these blocks."""
    content = message.get("content")
    return isinstance(content, list) and any(map(block_of, content))


def unfolded(call: Call, own: Collection[str]) -> Call:
    """The call without blocks that are not the wire's `own`."""
    found: list[Message] = []
    for place, message in enumerate(call.messages):
        kinds = [block_of(part) for part in message["content"]] if has_blocks(message) else []
        if all(kind is None or kind in own or (kind not in BLOCKS and own) for kind in kinds):
            found.append(message)
        else:
            found += _unfolded(message, kinds, place, call.context.report)
    return call.replace(messages=found)


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
