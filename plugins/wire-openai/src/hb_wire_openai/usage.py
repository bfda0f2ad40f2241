"""Counts of tokens from the wire's sums, as hb's disjoint buckets. Pure; whatever is no count is unknown."""

from __future__ import annotations

from typing import Any

from heavenbase.types import Usage
from heavenbase.wires import count, rest

_LARGEST_COST, _DECIMALS = 2**53, 40
"""What is more, or begins further behind the point, is no cost."""
_DIGITS = 100
"""Figures keep so many, whatever the context of who asks is."""
_TICKS = 10
"""Places behind the point of a dollar in xAI's figures."""


def chat_usage(raw: Any, tier: Any = None) -> Usage | None:
    """The usage of a chat completion or embedding; None when the provider sent none. `tier` is its `service_tier`."""
    if not isinstance(raw, dict) or not raw:
        return None
    usage = Usage(tier=tier if isinstance(tier, str) and tier else None)
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
        usage.audio, usage.input = _of(usage.input, details.get("audio_tokens"))
        usage.image, usage.input = _of(usage.input, details.get("image_tokens"))
    if completion is not None:
        details = raw.get("completion_tokens_details")
        details = details if isinstance(details, dict) else {}
        thought = count(details.get("reasoning_tokens"))
        if thought and count(raw.get("total_tokens")) == (prompt or 0) + completion + thought:
            usage.output = completion  # this provider counts thinking apart
        else:
            if thought is not None:
                thought = min(thought, completion)
            usage.output = rest(completion, thought)
        usage.reasoning = thought
        usage.output_audio, usage.output = _of(usage.output, details.get("audio_tokens"))
        usage.output_image, usage.output = _of(usage.output, details.get("image_tokens"))
    runs = raw.get("server_tool_use")
    usage.web_searches = count(runs.get("web_search_requests")) or None if isinstance(runs, dict) else None
    return _with_cost(usage, raw)


def _with_cost(usage: Usage, raw: dict[str, Any]) -> Usage:
    usage.cost = _told_cost(raw)
    if usage.cost is not None:
        usage.currency = "USD"
    return usage


def _of(whole: int | None, told: Any) -> tuple[int | None, int | None]:
    """(what is told apart of a bucket, what is left of it); (None, the bucket) where nothing is."""
    part = count(told)
    if not part or whole is None:
        return None, whole
    return min(part, whole), max(whole - part, 0)


def image_usage(raw: Any) -> Usage | None:
    """The usage of an image generation; None when the provider sent none."""
    if not isinstance(raw, dict) or not raw:
        return None
    if "input_tokens" not in raw and "output_tokens" not in raw:
        return chat_usage(raw)
    usage = Usage(count(raw.get("input_tokens")), count(raw.get("output_tokens")))
    sides = [raw.get(name) for name in ("input_tokens_details", "output_tokens_details")]
    given, made = (side.get("image_tokens") if isinstance(side, dict) else None for side in sides)
    usage.image, usage.input = _of(usage.input, given)
    usage.output_image, usage.output = _of(usage.output, made)
    return _with_cost(usage, raw)


def _told_cost(raw: dict[str, Any]) -> str | None:
    """The provider's own figure in dollars; OpenRouter's for a key of one's own is its fee and what the host bills."""
    cost = raw.get("cost")
    if isinstance(cost, dict):
        return _cost(cost.get("total_cost"))
    if cost is None:
        ticks = _cost(raw.get("cost_in_usd_ticks"))
        return ticks and _moved(ticks)
    if raw.get("is_byok") is not True:
        return _cost(cost)
    details = raw.get("cost_details")
    fee, host = _cost(cost), _cost(details.get("upstream_inference_cost") if isinstance(details, dict) else None)
    return _added(fee, host) if fee is not None and host is not None else None


def _moved(ticks: str) -> str:
    from decimal import Context, Decimal

    exact = Context(prec=_DIGITS)
    return format(exact.normalize(exact.scaleb(Decimal(ticks), -_TICKS)), "f")


def _added(fee: str, host: str) -> str:
    from decimal import Context, Decimal

    return format(Context(prec=_DIGITS).add(Decimal(fee), Decimal(host)), "f")


def _cost(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    from decimal import Decimal, InvalidOperation

    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    is_amount = amount.is_finite() and 0 <= amount < _LARGEST_COST and amount.adjusted() >= -_DECIMALS
    return format(amount.copy_abs(), "f") if is_amount else None  # of a zero below nothing


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
