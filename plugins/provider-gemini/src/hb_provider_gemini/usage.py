"""Counts of tokens of this wire as hb's disjoint buckets. Pure; whatever is no count is unknown."""

from __future__ import annotations

from typing import Any

from heavenbase.types import Usage
from heavenbase.wires import count, known_usage, rest


def content_usage(raw: Any, searches: int = 0) -> Usage | None:
    """The usage of an answer that was looked up in so many searches; None when the provider sent none.

    Google counts cached tokens into the prompt, thoughts apart from the answer, and what its own tools read apart from
    the prompt.
    """
    if not isinstance(raw, dict) or not raw:
        return None
    prompt, answer = count(raw.get("promptTokenCount")), count(raw.get("candidatesTokenCount"))
    read, thoughts = count(raw.get("cachedContentTokenCount")), count(raw.get("thoughtsTokenCount"))
    tools = count(raw.get("toolUsePromptTokenCount"))
    usage = Usage(
        cache_read=read, reasoning=thoughts, tier=_tier(raw.get("trafficType")), web_searches=searches or None
    )
    if prompt is not None:
        sound = max(_counted(raw, "prompt", "AUDIO") - _counted(raw, "cache", "AUDIO"), 0)
        fresh = (rest(prompt, read) or 0) + (tools or 0)
        usage.audio = min(sound, fresh) or None
        usage.input = rest(fresh, usage.audio)
    total, before = count(raw.get("totalTokenCount")), (prompt or 0) + (tools or 0)
    if answer is not None:
        if thoughts and total == before + answer:
            answer = max(answer - thoughts, 0)  # some servers count thoughts into the answer
        usage.output = answer
    elif prompt is not None and total == before + (thoughts or 0):
        usage.output = 0  # a count of nothing is left out
    for name, kind in (("output_audio", "AUDIO"), ("output_image", "IMAGE")):
        part = min(_counted(raw, "candidates", kind), usage.output or 0)
        if part:
            setattr(usage, name, part)
            usage.output = rest(usage.output, part)
    return known_usage(usage)


def searches_of(candidate: dict[str, Any]) -> int:
    """How many searches a candidate names."""
    grounds = candidate.get("groundingMetadata")
    queries = grounds.get("webSearchQueries") if isinstance(grounds, dict) else None
    return len(queries) if isinstance(queries, list) else 0


def _counted(raw: dict[str, Any], side: str, kind: str) -> int:
    """Tokens of one kind on one side, where they are told apart."""
    rows = raw.get(f"{side}TokensDetails")
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return sum(count(row.get("tokenCount")) or 0 for row in found if row.get("modality") == kind)


def _tier(traffic: Any) -> str | None:
    """The service that was billed, from Vertex's word for it."""
    return traffic.lower().removeprefix("on_demand_") if isinstance(traffic, str) and traffic else None
