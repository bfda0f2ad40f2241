"""What a usage costs by the prices of a row. Pure, exact, and None where any part of the bill is not known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any, NamedTuple

from hb_prices.table import Row
from heavenbase.types import Usage

STANDARD = frozenset({"default", "standard", "auto", "on_demand"})
"""What providers call the service that is no other."""
EXACT = Context(prec=60)
"""Amounts are reckoned with these digits, whatever the caller's context is."""
MILLION, THOUSAND = Decimal(1_000_000), Decimal(1_000)

INPUT = ("input", "cache_read", "cache_write", "audio", "image")
OUTPUT = ("output", "reasoning", "output_audio", "output_image")
_LIKE = {"reasoning": "output", "audio": "input", "image": "input"}
"""Buckets that cost what another does, where they have no price of their own.

What is read from a cache, written to it, or heard and seen in an answer costs something else nearly everywhere: without
a price of its own it is not known.
"""


class Amount(NamedTuple):
    """A sum in the row's currency; `at_least` says that something beside it was billed."""

    amount: Decimal
    at_least: bool


def prices_at(row: Row, at: float, tier: str | None = None) -> Mapping[str, Any] | None:
    """The prices of a row that are in force at a moment, in epoch seconds, for a service; None for an unknown one."""
    moment = datetime.fromtimestamp(at, UTC)
    if not row.prices:
        return None
    base = next((each for each in reversed(row.prices) if _is_in_force(each, moment)), row.prices[0])
    changed: dict[str, Any] = {}
    for each in row.variants if tier else ():
        if each["tier"] == tier and _is_in_force(each, moment):
            changed = {**_buckets(each), **changed}  # the first that has a price for a bucket counts
    if tier and not changed and tier not in STANDARD:
        return None
    return {**_buckets(base), **changed}


def _buckets(held: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in held.items() if name not in ("from", "daily", "tier")}


def _is_in_force(held: Mapping[str, Any], moment: datetime) -> bool:
    if "from" in held:
        return moment.date().isoformat() >= held["from"]
    if "daily" in held:
        now, (begin, end) = moment.strftime("%H:%M"), held["daily"]
        return bool(begin <= now < end if begin <= end else now >= begin or now < end)
    return True


def reckon(prices: Mapping[str, Any], usage: Usage) -> Amount | None:
    """What a usage costs; None where a count or a price is missing."""
    if "~" in prices or (usage.prompt_tokens is None) or _lacks_output(prices, usage):
        return None
    size = usage.prompt_tokens
    total = Decimal(0)
    kept = min(usage.cache_write_1h or 0, usage.cache_write or 0)
    counts = {name: getattr(usage, name) or 0 for name in (*INPUT, *OUTPUT)}
    counts |= {"cache_write": counts["cache_write"] - kept, "cache_write_1h": kept}
    for name, count in counts.items():
        if count:
            price = _price(prices, name, size)
            if price is None:
                return None
            total = EXACT.add(total, EXACT.multiply(price, Decimal(count)))
    total = EXACT.divide(total, MILLION)
    uses = {"requests": 1, "web_searches": usage.web_searches or 0}
    for name, count in uses.items():
        if count and name in prices:
            part = EXACT.multiply(Decimal(prices[name]), Decimal(count))
            total = EXACT.add(total, EXACT.divide(part, THOUSAND))
    return Amount(total, bool(usage.tools or (usage.web_searches and "web_searches" not in prices)))


def _lacks_output(prices: Mapping[str, Any], usage: Usage) -> bool:
    """Whether the answer's side is unknown, where it costs something: vectors have none."""
    return usage.completion_tokens is None and any(name in prices for name in OUTPUT)


def _price(prices: Mapping[str, Any], name: str, size: int) -> Decimal | None:
    held = prices.get(name, prices.get(_LIKE.get(name, "")))
    if held is None or isinstance(held, str | Decimal):
        return None if held is None else Decimal(held)
    base, *tiers = held
    return Decimal(next((price for start, price in reversed(tiers) if size > start), base))


def shown(prices: Mapping[str, Any]) -> dict[str, Any]:
    """Prices as Decimals: a bucket's, or with tiers its first and then (tokens of the prompt above, price) each."""
    return {name: _shown(value) for name, value in prices.items() if name != "~"}


def _shown(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        base, *tiers = value
        return (Decimal(base), *((start, Decimal(price)) for start, price in tiers))
    return Decimal(value)
