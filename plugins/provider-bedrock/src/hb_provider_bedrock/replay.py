"""What a model wrote beside text and tool calls, kept with its provenance and given back to the same provider. Pure.

An answer with thoughts, citations or the provider's own tools is kept whole: the order of its blocks and each signature
count. `{"provider", "model", "field": "content", "value": [block, ...]}` is the one reasoning part it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.wires import UNSIGNED, note_lost, note_unnamed, own_parts, reasoning_part

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Message, ParameterReport

FIELD = "content"
_THOUGHTS_AND_PLAIN = {"text", "toolUse", "reasoningContent"}


def reasoning_parts(call: Call, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts to keep of an answer: none where text and tool calls are all there is."""
    if all("text" in block or _is_plain_call(block) for block in blocks):
        return []
    # Pictures are in the answer already, and the wire takes none back.
    value = [dict(block) for block in blocks if "image" not in block]
    is_kept = any(not _THOUGHTS_AND_PLAIN.intersection(block) or _is_of_server(block) for block in value)
    return [reasoning_part(call.spec, FIELD, value, is_kept=is_kept)]


def kept_blocks(message: Message, spec: LLMSpec, report: ParameterReport) -> list[dict[str, Any]]:
    """The blocks of an answer that this provider wrote; what stays behind is reported."""
    note_unnamed(message, report, UNSIGNED)
    # Models of many vendors share this wire; one cannot read another's thoughts.
    parts, lost = own_parts(message, spec, {FIELD: list}, by_model=True)
    blocks = [block for part in parts for block in part["value"]]
    if any(isinstance(block, dict) and _is_unsigned(block) for block in blocks):
        lost["without a signature"] = None
    note_lost(lost, report, "thoughts that cannot go back stay behind")
    return [block for block in blocks if _is_sound(block)]


def thoughts_of(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The thoughts among blocks, in order."""
    return [block for block in blocks if "reasoningContent" in block]


def _is_plain_call(block: dict[str, Any]) -> bool:
    return isinstance(block.get("toolUse"), dict) and not _is_of_server(block)


def _is_of_server(block: dict[str, Any]) -> bool:
    use = block.get("toolUse")
    return isinstance(use, dict) and use.get("type") == "server_tool_use"


def _is_sound(block: Any) -> bool:
    if not isinstance(block, dict) or not block:
        return False
    if "text" in block:
        return bool(block["text"])
    return not _is_unsigned(block)


def _is_unsigned(block: dict[str, Any]) -> bool:
    """Whether this is a thought that the wire would refuse: one of a model that signs nothing, or one that was cut."""
    content = block.get("reasoningContent")
    if not isinstance(content, dict) or content.get("redactedContent"):
        return False
    text = content.get("reasoningText")
    return not (isinstance(text, dict) and text.get("signature"))
