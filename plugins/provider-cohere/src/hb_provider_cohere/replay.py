"""What a model thought and planned, kept and given back to the same provider verbatim. Pure.

`{"provider", "model", "field": "content", "value": [{"type": "thinking", "thinking": ...}]}` are thoughts,
`{..., "field": "tool_plan", "value": text}` is the plan before calls of tools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Message, ParameterReport

CONTENT = "content"
PLAN = "tool_plan"


def reasoning_parts(call: Call, thoughts: list[str], plan: str) -> list[dict[str, Any]]:
    """The parts to keep of an answer with these blocks of thoughts and this plan."""
    about = {"provider": call.spec.provider, "model": call.spec.model_id}
    blocks = [{"type": "thinking", "thinking": thought} for thought in thoughts if thought]
    found: list[dict[str, Any]] = []
    if blocks:
        found.append({**about, "field": CONTENT, "value": blocks})
    if plan:
        found.append({**about, "field": PLAN, "value": plan})
    return found


def kept(message: Message, spec: LLMSpec, report: ParameterReport) -> dict[str, Any]:
    """By field, what of an answer this provider wrote; what stays behind is reported."""
    parts = message.get("reasoning_parts")
    if parts is None:
        for name in ("reasoning_content", "reasoning"):
            if message.get(name):
                report.dropped(name, "thoughts that do not say whose they are stay behind")
        return {}
    found: dict[str, Any] = {}
    lost: dict[str, None] = {}
    for part in parts:
        field, value = part.get("field"), part.get("value")
        fits = isinstance(value, list) if field == CONTENT else isinstance(value, str) and field == PLAN
        if part.get("provider") == spec.provider and fits:
            found[str(field)] = value
        else:
            lost[str(part.get("provider", "unknown"))] = None
    if lost:
        report.dropped("reasoning_parts", f"thoughts of another provider stay behind ({', '.join(lost)})")
    return found
