"""Counts of tokens of this wire as hb's disjoint buckets. Pure; whatever is no count is unknown.

`tokens` is what the model read and wrote, `billed_units` what of it is paid for; `cached_tokens` are among the former.
"""

from __future__ import annotations

from typing import Any

from heavenbase.types import Usage

_LARGEST = 2**53


def chat_usage(raw: Any) -> Usage | None:
    """The usage of a chat; None when the provider sent none."""
    if not isinstance(raw, dict):
        return None
    counted, billed = _object(raw.get("tokens")), _object(raw.get("billed_units"))
    read, given = count(raw.get("cached_tokens")), count(counted.get("input_tokens"))
    written = count(counted.get("output_tokens"))
    usage = Usage(cache_read=read)
    usage.input = count(billed.get("input_tokens")) if given is None else max(given - (read or 0), 0)
    usage.output = count(billed.get("output_tokens")) if written is None else written
    return usage if usage != Usage() else None


def meta_usage(raw: Any) -> Usage | None:
    """The usage of an embedding, from its `meta`."""
    meta = _object(raw)
    billed, counted = _object(meta.get("billed_units")), _object(meta.get("tokens"))
    given = count(billed.get("input_tokens"))
    usage = Usage(count(counted.get("input_tokens")) if given is None else given)
    images = count(billed.get("image_tokens"))
    if images:
        usage.image = images
    return usage if usage != Usage() else None


def count(value: Any) -> int | None:
    """A count of tokens, None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and 0 <= value < _LARGEST else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
