"""Counts of tokens of this wire as hb's disjoint buckets. Pure; whatever is no count is unknown."""

from __future__ import annotations

from typing import Any

from heavenbase.types import Usage
from heavenbase.wires import count


def message_usage(raw: Any) -> Usage | None:
    """The usage of a message; None when the provider sent none."""
    if not isinstance(raw, dict) or not raw:
        return None
    details = raw.get("output_tokens_details")
    thought = count(details.get("thinking_tokens")) if isinstance(details, dict) else None
    output = count(raw.get("output_tokens"))
    if output is not None and thought is not None:
        thought = min(thought, output)
        output -= thought
    return Usage(
        count(raw.get("input_tokens")),
        output,
        cache_read=count(raw.get("cache_read_input_tokens")),
        cache_write=count(raw.get("cache_creation_input_tokens")),
        reasoning=thought,
    )
