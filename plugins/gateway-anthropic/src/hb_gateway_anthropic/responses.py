"""Decoded messages of this wire as hb's completions. Pure; shapes are checked, not trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_gateway_anthropic.citations import citations_of, filters_of
from hb_gateway_anthropic.replay import reasoning_parts
from hb_gateway_anthropic.usage import message_usage
from heavenbase.details import Details
from heavenbase.http import as_list, as_object, as_text, kind_of, shape_error, text_or_none
from heavenbase.types import Completion, ToolCall
from heavenbase.wires import arguments_text, finish_reason, finish_words, proved

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.types import Citation

FINISH = finish_words(
    {
        "stop": "end_turn stop_sequence",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "refusal": "refusal",
        "pause": "pause_turn compaction",
        "context_overflow": "model_context_window_exceeded",
    }
)


def completion(call: Call, decoded: Any, is_hidden: bool) -> Completion:
    """The answer; ResponseShapeError when it is none. The caller has looked for an error inside."""
    answer = as_object(call, decoded, "the answer")
    blocks = as_list(call, answer.get("content"), "`content`", "a list of blocks")
    text: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    citations: list[Citation] = []
    length = 0
    for place, block in enumerate(blocks):
        kind = block_kind(call, block, place)
        if kind == "text":
            said = text_of(call, block, "text")
            if block.get("citations"):
                citations += citations_of(block, length)
            length += len(said)
            text.append(said)
        elif kind == "thinking":
            thoughts.append(text_of(call, block, "thinking"))
        elif kind == "tool_use":
            calls.append(_tool_call(call, block, len(calls)))
    reason = answer.get("stop_reason")
    found = Completion(
        "".join(text),
        reasoning="" if is_hidden else "".join(thoughts),
        tool_calls=calls,
        finish_reason=finish_reason(FINISH, reason),
        raw_finish_reason=reason if isinstance(reason, str) else None,
        usage=message_usage(answer.get("usage")),
        id=text_or_none(answer.get("id")),
        model=text_or_none(answer.get("model")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        reasoning_parts=reasoning_parts(call, blocks),
        details=Details.known(citations=citations, filters=filters_of(answer.get("stop_details"))),
        report=call.context.report,
        raw=answer,
    )
    return proved(call, found, hidden=is_hidden and thoughts)


def block_kind(call: Call, block: Any, place: Any) -> str:
    """The type of a block; ResponseShapeError when it is none."""
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(kind, str):
        raise shape_error(call, f"block {place} of `content` is {kind_of(block)} without a type")
    return kind


def text_of(call: Call, block: dict[str, Any], name: str) -> str:
    """The text in a block or delta."""
    return as_text(call, block.get(name), f"`{name}` of a block")


def tool_name(call: Call, block: dict[str, Any]) -> str:
    """The name in a tool use; ResponseShapeError without one."""
    name = block.get("name")
    if not isinstance(name, str) or not name:
        raise shape_error(call, "a `tool_use` names no tool")
    return name


def _tool_call(call: Call, block: dict[str, Any], place: int) -> ToolCall:
    name = tool_name(call, block)
    return ToolCall(text_or_none(block.get("id")) or f"call_{place}", name, arguments_text(block.get("input")) or "{}")
