"""Counts of tokens of this wire as hb's disjoint buckets. Pure; whatever is no count is unknown."""

from __future__ import annotations

from typing import Any

from heavenbase.types import Usage
from heavenbase.wires import count

_NOT_BILLED = ("web_search_requests", "web_fetch_requests")
"""Counts of the first stand in a field of their own; what the second fetches are tokens like others."""
_PLAIN = {"speed": ("standard",), "inference_geo": ("global", "not_available", "")}
"""Fields beside the tier that prices go by, with what they say where nothing is special."""


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
    written, served = (raw.get(name) for name in ("cache_creation", "server_tool_use"))
    kept = written.get("ephemeral_1h_input_tokens") if isinstance(written, dict) else None
    runs = served if isinstance(served, dict) else {}
    return Usage(
        count(raw.get("input_tokens")),
        output,
        cache_read=count(raw.get("cache_read_input_tokens")),
        cache_write=count(raw.get("cache_creation_input_tokens")),
        reasoning=thought,
        cache_write_1h=count(kept) or None,
        tier=_tier(raw),
        web_searches=count(runs.get("web_search_requests")) or None,
        tools=sum(count(runs[name]) or 0 for name in runs if name not in _NOT_BILLED) or None,
    )


def _tier(raw: dict[str, Any]) -> str | None:
    """The service that was billed: fast answers and those that stay in one country cost more than others."""
    told = next((raw[name] for name, plain in _PLAIN.items() if raw.get(name) not in (None, *plain)), None)
    found = told if told is not None else raw.get("service_tier")
    return found if isinstance(found, str) else None
