"""Reasoning parts: what a model wrote that only its provider can read, kept and given back to it verbatim. Pure.

A part is `{"provider", "model", "field", "value"}`: whose it is, where on the wire it stands, and the opaque value.
Parts of another provider stay behind, and the report says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from heavenbase.spec import LLMSpec
    from heavenbase.types import Message, ParameterReport

UNSIGNED = "thoughts without the provider's signature stay behind"
UNNAMED = "thoughts that do not say whose they are stay behind"
FOREIGN = "thoughts of another provider stay behind"


def reasoning_part(spec: LLMSpec, field: str, value: Any) -> dict[str, Any]:
    """One part of an answer of this spec, with its provenance."""
    return {"provider": spec.provider, "model": spec.model_id, "field": field, "value": value}


def own_parts(
    message: Message, spec: LLMSpec, fields: Mapping[str, type], *, by_model: bool = False
) -> tuple[list[dict[str, Any]], dict[str, None]]:
    """(the parts that go back to this spec's provider, whose were lost): see `note_lost`.

    Args:
        message: An answer of earlier in the conversation.
        spec: Where it goes now.
        fields: The fields that the wire takes back, and the type of value of each.
        by_model: Whether only the model itself can read what it wrote.
    """
    found: list[dict[str, Any]] = []
    lost: dict[str, None] = {}
    for part in message.get("reasoning_parts") or ():
        kind = fields.get(str(part.get("field")))
        if part.get("provider") != spec.provider or kind is None or not isinstance(part.get("value"), kind):
            lost[str(part.get("provider", "unknown"))] = None
        elif by_model and part.get("model") != spec.model_id:
            lost[str(part.get("model"))] = None
        else:
            found.append(part)
    return found, lost


def note_lost(lost: Iterable[str], report: ParameterReport, reason: str = FOREIGN) -> None:
    """Report the parts that stay behind, by whose they are."""
    if lost:
        report.dropped("reasoning_parts", f"{reason} ({', '.join(lost)})")


def note_unnamed(message: Message, report: ParameterReport, reason: str) -> None:
    """Report thoughts that came without provenance, as plain text, for a wire that takes none such."""
    if message.get("reasoning_parts") is None:
        for name in ("reasoning_content", "reasoning"):
            if message.get(name):
                report.dropped(name, reason)
