"""What a model thought, kept with its signatures and given back to the same provider verbatim. Pure.

`{"provider", "model", "field": "content", "value": [{"type": "thinking", "thinking": [...], "signature": ...}]}`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heavenbase.call import Call
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Message, ParameterReport

FIELD = "content"


def thoughts_in(content: Any) -> list[dict[str, Any]]:
    """The chunks of thoughts in the content of an answer or of a piece of one."""
    if not isinstance(content, list):
        return []
    return [chunk for chunk in content if isinstance(chunk, dict) and chunk.get("type") == "thinking"]


def joined(chunks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The chunks of a streamed answer as those of a whole one: what follows an open chunk goes on with it."""
    found: list[dict[str, Any]] = []
    for chunk in chunks:
        last = found[-1] if found else None
        if last is None or last.get("closed") or last.get("signature"):
            found.append({**chunk, "thinking": _pieces(chunk)})
            continue
        for piece in _pieces(chunk):
            before = last["thinking"][-1] if last["thinking"] else None
            if before is not None and before.keys() == piece.keys() == {"type", "text"}:
                last["thinking"][-1] = {**before, "text": before["text"] + piece["text"]}
            else:
                last["thinking"].append(piece)
        last.update({name: value for name, value in chunk.items() if name != "thinking" and value is not None})
    return found


def reasoning_parts(call: Call, chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts to keep of an answer with these thoughts."""
    if not chunks:
        return []
    return [{"provider": call.spec.provider, "model": call.spec.model_id, "field": FIELD, "value": joined(chunks)}]


def kept(message: Message, spec: LLMSpec, report: ParameterReport) -> list[dict[str, Any]]:
    """The thoughts of an answer that this provider wrote; what stays behind is reported."""
    parts = message.get("reasoning_parts")
    if parts is None:
        for name in ("reasoning_content", "reasoning"):
            if message.get(name):
                report.dropped(name, "thoughts that do not say whose they are stay behind")
        return []
    found: list[dict[str, Any]] = []
    lost: dict[str, None] = {}
    for part in parts:
        value = part.get("value")
        if part.get("provider") == spec.provider and part.get("field") == FIELD and isinstance(value, list):
            found += value
        else:
            lost[str(part.get("provider", "unknown"))] = None
    if lost:
        report.dropped("reasoning_parts", f"thoughts of another provider stay behind ({', '.join(lost)})")
    return found


def _pieces(chunk: dict[str, Any]) -> list[dict[str, Any]]:
    inner = chunk.get("thinking")
    if isinstance(inner, str):
        return [{"type": "text", "text": inner}]
    return [dict(piece) for piece in inner or () if isinstance(piece, dict)]
