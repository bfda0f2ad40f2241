"""Decoded messages of this wire as hb's completions. Pure; shapes are checked, not trusted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hb_gateway_anthropic.replay import reasoning_parts
from hb_gateway_anthropic.usage import message_usage
from heavenbase.http.shapes import kind_of, shape_error, text_or_none
from heavenbase.types import Completion, ToolCall

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.types import FinishReason

FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
    "model_context_window_exceeded": "context_overflow",
}


def completion(call: Call, decoded: Any, is_hidden: bool) -> Completion:
    """The answer; ResponseShapeError when it is none. The caller has looked for an error inside."""
    if not isinstance(decoded, dict):
        raise shape_error(call, f"the answer is {kind_of(decoded)}, not an object")
    blocks = decoded.get("content")
    if not isinstance(blocks, list):
        raise shape_error(call, f"`content` is {kind_of(blocks)}, not a list of blocks")
    text: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    for place, block in enumerate(blocks):
        kind = block_kind(call, block, place)
        if kind == "text":
            text.append(text_of(call, block, "text"))
        elif kind == "thinking":
            thoughts.append(text_of(call, block, "thinking"))
        elif kind == "tool_use":
            calls.append(_tool_call(call, block, len(calls)))
    reason = decoded.get("stop_reason")
    return Completion(
        "".join(text),
        reasoning="" if is_hidden else "".join(thoughts),
        tool_calls=calls,
        finish_reason=finish_reason(reason),
        raw_finish_reason=reason if isinstance(reason, str) else None,
        usage=message_usage(decoded.get("usage")),
        id=text_or_none(decoded.get("id")),
        model=text_or_none(decoded.get("model")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        reasoning_parts=reasoning_parts(call, blocks),
        report=call.context.report,
        raw=decoded,
    )


def finish_reason(raw: Any) -> FinishReason:
    """hb's word for the provider's; "other" for one that hb does not know, and for none."""
    return FINISH.get(raw, "other") if isinstance(raw, str) else "other"


def block_kind(call: Call, block: Any, place: Any) -> str:
    """The type of a block; ResponseShapeError when it is none."""
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(kind, str):
        raise shape_error(call, f"block {place} of `content` is {kind_of(block)} without a type")
    return kind


def text_of(call: Call, block: dict[str, Any], name: str) -> str:
    """The text in a block or delta."""
    found = block.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise shape_error(call, f"`{name}` of a block is {kind_of(found)}, not text")
    return found


def input_text(value: Any) -> str:
    """The input of a tool use as JSON text; "" for none."""
    if not value:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def tool_name(call: Call, block: dict[str, Any]) -> str:
    """The name in a tool use; ResponseShapeError without one."""
    name = block.get("name")
    if not isinstance(name, str) or not name:
        raise shape_error(call, "a `tool_use` names no tool")
    return name


def _tool_call(call: Call, block: dict[str, Any], place: int) -> ToolCall:
    name = tool_name(call, block)
    return ToolCall(text_or_none(block.get("id")) or f"call_{place}", name, input_text(block.get("input")) or "{}")
