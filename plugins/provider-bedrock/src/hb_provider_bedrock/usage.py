"""Counts of tokens of this wire as hb's disjoint buckets. Pure; whatever is no count is unknown."""

from __future__ import annotations

from typing import Any

from heavenbase.types import Usage
from heavenbase.wires import count


def token_usage(raw: Any) -> Usage | None:
    """The usage of an answer; None when the provider sent none. Thoughts are counted among the output."""
    if not isinstance(raw, dict) or not raw:
        return None
    return Usage(
        count(raw.get("inputTokens")),
        count(raw.get("outputTokens")),
        cache_read=count(_either(raw, "cacheReadInputTokens", "cacheReadInputTokenCount")),
        cache_write=count(_either(raw, "cacheWriteInputTokens", "cacheWriteInputTokenCount")),
    )


def header_usage(headers: Any) -> Usage | None:
    """The usage that an answer of InvokeModel has in its headers."""
    named = {name.lower(): value for name, value in headers}
    found = [named.get(f"x-amzn-bedrock-{side}-token-count".encode()) for side in ("input", "output")]
    read, written = (int(value[:16]) if value is not None and value.isdigit() else None for value in found)
    return None if read is None and written is None else Usage(read, written)


def _either(raw: dict[str, Any], *names: str) -> Any:
    return next((raw[name] for name in names if raw.get(name) is not None), None)
