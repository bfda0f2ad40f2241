"""What a model thought, kept with its signatures and given back to the same provider verbatim. Pure.

`{"provider", "model", "field": "content", "value": [{"type": "thinking", "thinking": [...], "signature": ...}]}`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.wires import UNNAMED, note_lost, note_unnamed, own_parts, reasoning_part

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
            if before is not None and _is_text(before) and _is_text(piece):
                last["thinking"][-1] = {**before, "text": before["text"] + piece["text"]}
            else:
                last["thinking"].append(piece)
        last.update({name: value for name, value in chunk.items() if name != "thinking" and value is not None})
    return found


def reasoning_parts(call: Call, chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts to keep of an answer with these thoughts."""
    return [reasoning_part(call.spec, FIELD, joined(chunks))] if chunks else []


def kept(message: Message, spec: LLMSpec, report: ParameterReport) -> list[dict[str, Any]]:
    """The thoughts of an answer that this provider wrote; what stays behind is reported."""
    note_unnamed(message, report, UNNAMED)
    parts, lost = own_parts(message, spec, {FIELD: list})
    note_lost(lost, report)
    return [chunk for part in parts for chunk in part["value"]]


def _is_text(piece: dict[str, Any]) -> bool:
    return piece.keys() == {"type", "text"} and isinstance(piece["text"], str)


def _pieces(chunk: dict[str, Any]) -> list[dict[str, Any]]:
    inner = chunk.get("thinking")
    if isinstance(inner, str):
        return [{"type": "text", "text": inner}]
    return [dict(piece) for piece in inner or () if isinstance(piece, dict)]
