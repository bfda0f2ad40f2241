"""What a model wrote beside text and tool calls, kept with its provenance and given back to the same provider. Pure.

An answer with thoughts, or with calls of the provider's own tools, is kept whole: the order of its blocks and each
signature count. `{"provider", "model", "field": "content", "value": [block, ...]}` is the one reasoning part it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.wires import UNSIGNED, note_lost, note_unnamed, own_parts, reasoning_part

if TYPE_CHECKING:
    from hb_gateway_anthropic.models import Traits
    from heavenbase.call import Call
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Message, ParameterReport

FIELD = "content"
THOUGHTS = ("thinking", "redacted_thinking")
_PLAIN = ("text", "tool_use")


def reasoning_parts(call: Call, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts to keep of an answer: none where text and tool calls are all there is."""
    if all(block.get("type") in _PLAIN for block in blocks):
        return []
    is_kept = any(block.get("type") not in (*_PLAIN, *THOUGHTS) for block in blocks)
    return [reasoning_part(call.spec, FIELD, [dict(block) for block in blocks], is_kept=is_kept)]


def kept_blocks(message: Message, spec: LLMSpec, traits: Traits, report: ParameterReport) -> list[dict[str, Any]]:
    """The blocks of an answer that this provider wrote; what stays behind is reported."""
    note_unnamed(message, report, UNSIGNED)
    parts, lost = own_parts(message, spec, {FIELD: list}, by_model=traits.binds_thoughts)
    note_lost(lost, report, "thoughts that this model cannot read stay behind")
    return [block for part in parts for block in part["value"] if _is_sound(block)]


def thoughts_of(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The thoughts among blocks, in order."""
    return [block for block in blocks if block["type"] in THOUGHTS]


def _is_sound(block: Any) -> bool:
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        return False
    if block["type"] == "text":
        return bool(block.get("text"))
    # A thought that was cut off has no signature, and would spoil the conversation for good.
    return block["type"] != "thinking" or bool(block.get("signature"))
