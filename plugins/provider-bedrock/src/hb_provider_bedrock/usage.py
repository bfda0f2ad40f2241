"""Counts of tokens of this wire as hb's disjoint buckets. Pure; whatever is no count is unknown."""

from __future__ import annotations

from typing import Any

from heavenbase.types import Usage
from heavenbase.wires import count


def token_usage(decoded: dict[str, Any]) -> Usage | None:
    """The usage of an answer, or of the event with it; None when there is none. Thoughts are among the output."""
    raw = decoded.get("usage")
    if not isinstance(raw, dict) or not raw:
        return None
    details = raw.get("cacheDetails")
    kept = [
        count(it.get("inputTokens")) or 0
        for it in (details if isinstance(details, list) else ())
        if isinstance(it, dict) and it.get("ttl") == "1h"
    ]
    return Usage(
        count(raw.get("inputTokens")),
        count(raw.get("outputTokens")),
        cache_read=count(_either(raw, "cacheReadInputTokens", "cacheReadInputTokenCount")),
        cache_write=count(_either(raw, "cacheWriteInputTokens", "cacheWriteInputTokenCount")),
        cache_write_1h=sum(kept) or None,
        tier=_tier(decoded),
    )


def _tier(decoded: dict[str, Any]) -> str | None:
    speed, tier = (decoded.get(name) for name in ("performanceConfig", "serviceTier"))
    if isinstance(speed, dict) and speed.get("latency") not in (None, "standard"):
        return str(speed["latency"])
    named = tier.get("type") if isinstance(tier, dict) else None
    return named if isinstance(named, str) else None


def header_usage(headers: Any) -> Usage | None:
    """The usage that an answer of InvokeModel has in its headers."""
    named = {name.lower(): value for name, value in headers}
    found = [named.get(f"x-amzn-bedrock-{side}-token-count".encode()) for side in ("input", "output")]
    read, written = (int(value[:16]) if value is not None and value.isdigit() else None for value in found)
    return None if read is None and written is None else Usage(read, written)


def _either(raw: dict[str, Any], *names: str) -> Any:
    return next((raw[name] for name in names if raw.get(name) is not None), None)
