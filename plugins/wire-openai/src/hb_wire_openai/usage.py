"""Counts of tokens from the wire's sums, as hb's disjoint buckets. Pure; whatever is no count is unknown."""

from __future__ import annotations

from typing import Any

from heavenbase.types import Usage
from heavenbase.wires import count, rest

_LARGEST_COST = 2**53


def chat_usage(raw: Any) -> Usage | None:
    """The usage of a chat completion or embedding; None when the provider sent none."""
    if not isinstance(raw, dict) or not raw:
        return None
    usage = Usage()
    prompt, completion = count(raw.get("prompt_tokens")), count(raw.get("completion_tokens"))
    if prompt is not None:
        details = raw.get("prompt_tokens_details")
        details = details if isinstance(details, dict) else {}
        read = count(details.get("cached_tokens"))
        if read is None:
            read = count(raw.get("prompt_cache_hit_tokens"))
        written = count(details.get("cache_write_tokens", details.get("cache_creation_tokens")))
        apart = rest(count(raw.get("total_tokens")), completion)
        usage.input, usage.cache_read, usage.cache_write = prompt_counts(prompt, read, written, apart)
    if completion is not None:
        details = raw.get("completion_tokens_details")
        thought = count(details.get("reasoning_tokens")) if isinstance(details, dict) else None
        if thought and count(raw.get("total_tokens")) == (prompt or 0) + completion + thought:
            usage.output = completion  # this provider counts thinking apart
        else:
            if thought is not None:
                thought = min(thought, completion)
            usage.output = rest(completion, thought)
        usage.reasoning = thought
    cost = raw.get("cost")
    usage.cost = _cost(cost.get("total_cost") if isinstance(cost, dict) else cost)
    if usage.cost is not None:
        usage.currency = "USD"
    return usage


def image_usage(raw: Any) -> Usage | None:
    """The usage of an image generation; None when the provider sent none."""
    if not isinstance(raw, dict) or not raw:
        return None
    if "input_tokens" not in raw and "output_tokens" not in raw:
        return chat_usage(raw)
    return Usage(count(raw.get("input_tokens")), count(raw.get("output_tokens")))


def _cost(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    from decimal import Decimal, InvalidOperation

    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return format(amount, "f") if amount.is_finite() and 0 <= amount < _LARGEST_COST else None


def prompt_counts(
    prompt: int | None, read: int | None, written: int | None, apart: int | None = None
) -> tuple[int | None, int | None, int | None]:
    """(fresh, read, written) tokens of a prompt, which add up to what the provider says of all of them.

    Some name tokens both as read from and as written to the cache: those are read. `apart` is the provider's sum of all
    tokens but the answer's: where it says that cached ones are counted beside the prompt, they are.
    """
    if prompt is None:
        return None, read, written
    cached = (read or 0) + (written or 0)
    if cached and apart is not None and apart == prompt + cached:
        return prompt, read, written
    if cached > prompt:
        read = None if read is None else min(read, prompt)
        written = None if written is None else min(max(written - (read or 0), 0), prompt - (read or 0))
    return rest(prompt, read, written), read, written
