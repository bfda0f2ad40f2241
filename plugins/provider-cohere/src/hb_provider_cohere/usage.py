"""Counts of tokens of this wire as hb's disjoint buckets. Pure; whatever is no count is unknown.

`tokens` is what the model read and wrote, `billed_units` what of it is paid for; `cached_tokens` are among the former.
"""

from __future__ import annotations

from typing import Any

from heavenbase.types import Usage
from heavenbase.wires import count, known_usage, object_or_empty, rest


def chat_usage(raw: Any) -> Usage | None:
    """The usage of a chat; None when the provider sent none."""
    if not isinstance(raw, dict):
        return None
    counted, billed = object_or_empty(raw.get("tokens")), object_or_empty(raw.get("billed_units"))
    read, given = count(raw.get("cached_tokens")), count(counted.get("input_tokens"))
    written = count(counted.get("output_tokens"))
    usage = Usage(cache_read=read)
    usage.input = count(billed.get("input_tokens")) if given is None else rest(given, read)
    usage.output = count(billed.get("output_tokens")) if written is None else written
    return known_usage(usage)


def meta_usage(raw: Any) -> Usage | None:
    """The usage of an embedding, from its `meta`."""
    meta = object_or_empty(raw)
    billed, counted = object_or_empty(meta.get("billed_units")), object_or_empty(meta.get("tokens"))
    given = count(billed.get("input_tokens"))
    usage = Usage(count(counted.get("input_tokens")) if given is None else given)
    images = count(billed.get("image_tokens"))
    if images:
        usage.image = images
    return known_usage(usage)
