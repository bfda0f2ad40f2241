"""What a model thought and planned, kept and given back to the same provider verbatim. Pure.

`{"provider", "model", "field": "content", "value": [{"type": "thinking", "thinking": ...}]}` are thoughts,
`{..., "field": "tool_plan", "value": text}` is the plan before calls of tools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.wires import UNNAMED, note_lost, note_unnamed, own_parts, reasoning_part

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Message, ParameterReport

CONTENT = "content"
PLAN = "tool_plan"


def reasoning_parts(call: Call, thoughts: list[str], plan: str) -> list[dict[str, Any]]:
    """The parts to keep of an answer with these blocks of thoughts and this plan."""
    blocks = [{"type": "thinking", "thinking": thought} for thought in thoughts if thought]
    found: list[dict[str, Any]] = []
    if blocks:
        found.append(reasoning_part(call.spec, CONTENT, blocks))
    if plan:
        found.append(reasoning_part(call.spec, PLAN, plan))
    return found


def kept(message: Message, spec: LLMSpec, report: ParameterReport) -> dict[str, Any]:
    """By field, what of an answer this provider wrote; what stays behind is reported."""
    note_unnamed(message, report, UNNAMED)
    parts, lost = own_parts(message, spec, {CONTENT: list, PLAN: str})
    note_lost(lost, report)
    return {part["field"]: part["value"] for part in parts}
