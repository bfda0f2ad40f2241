"""What a model wrote, kept with its signatures and given back to the same provider part by part. Pure.

An answer with thoughts, signatures or calls of Google's own tools is kept whole, as its order and each signature count.
`{"provider", "model", "field": "parts", "value": [part, ...]}` is the one reasoning part it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.wires import UNSIGNED, note_lost, note_unnamed, own_parts, reasoning_part

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Message, ParameterReport

FIELD = "parts"
NOT_SIGNED = "skip_thought_signature_validator"
"""Google's word for a tool call of another model, which has no signature."""
_PLAIN = ({"text"}, {"functionCall"}, {"inlineData"})
_SAID = frozenset({"text", "functionCall", "inlineData", "thought", "thoughtSignature"})
"""Fields of parts that are text, thoughts, calls of the caller's tools and images; others are of Google's own tools."""


def joined(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts of a streamed answer as those of a whole one: pieces of one text are put together."""
    found: list[dict[str, Any]] = []
    for part in parts:
        if part.get("text") == "" and part.keys() <= {"text", "thought"}:
            continue
        last = found[-1] if found else None
        if last is not None and _continues(last, part):
            found[-1] = {**last, "text": last["text"] + part["text"]}
        else:
            found.append(part)
    return found


def reasoning_parts(call: Call, parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts to keep of an answer: none where text, calls and images without signatures are all there is."""
    if all(part.keys() in _PLAIN for part in parts):
        return []
    return [reasoning_part(call.spec, FIELD, joined(parts), is_kept=not all(part.keys() <= _SAID for part in parts))]


def kept_parts(message: Message, spec: LLMSpec, report: ParameterReport) -> list[dict[str, Any]]:
    """The parts of an answer that this provider wrote; what stays behind is reported."""
    note_unnamed(message, report, UNSIGNED)
    parts, lost = own_parts(message, spec, {FIELD: list})
    note_lost(lost, report)
    return [kept for part in parts for kept in part["value"] if isinstance(kept, dict)]


def signatures_of(parts: list[dict[str, Any]]) -> list[str | None]:
    """The signature of each tool call among the parts, in order."""
    return [part.get("thoughtSignature") for part in parts if "functionCall" in part]


def _continues(last: dict[str, Any], part: dict[str, Any]) -> bool:
    # A part with a signature stays by itself: the signature covers exactly what it came with.
    return (
        last.keys() <= {"text", "thought"}
        and part.keys() <= {"text", "thought"}
        and isinstance(last.get("text"), str)
        and isinstance(part.get("text"), str)
        and bool(last.get("thought")) == bool(part.get("thought"))
    )
