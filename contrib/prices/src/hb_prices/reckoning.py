"""What a usage costs by the prices of a row. Pure, exact, and None where any part of the bill is not known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any, NamedTuple, TypeAlias

from hb_prices.table import Row
from heavenbase.types import Usage

Price: TypeAlias = "Decimal | tuple[Decimal, tuple[tuple[int, Decimal], ...]]"
"""A price; or the first, and for prompts with more tokens than each of these the price beside it."""
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


def prices_at(row: Row, at: float, tier: str | None = None) -> Mapping[str, Price] | None:
    """The prices of a row that are in force at a moment, in epoch seconds, for a service; None for an unknown one."""
    if not row.prices:
        return None
    moment = datetime.fromtimestamp(at, UTC) if is_dated(row) else None
    base = next((each for each in reversed(row.prices) if _is_in_force(each, moment)), row.prices[0])
    changed: dict[str, Price] = {}
    for each in row.variants if tier else ():
        if each["tier"] == tier and _is_in_force(each, moment):
            changed = {**_buckets(each), **changed}  # the first that has a price for a bucket counts
    if tier and not changed and tier not in STANDARD:
        return None
    return {**_buckets(base), **changed}


def is_dated(row: Row) -> bool:
    """Whether the prices of a row depend on the day or the hour."""
    return any("from" in each or "daily" in each for each in (*row.prices, *row.variants))


def _buckets(held: Mapping[str, Any]) -> dict[str, Price]:
    return {name: _read(value) for name, value in held.items() if name not in ("from", "daily", "tier")}


def _read(value: Any) -> Price:
    if isinstance(value, str):
        return Decimal(value)
    first, *tiers = value
    return Decimal(first), tuple((start, Decimal(price)) for start, price in tiers)


def _is_in_force(held: Mapping[str, Any], moment: datetime | None) -> bool:
    if moment is None:
        return True
    if "from" in held:
        return bool(moment.date().isoformat() >= held["from"])
    if "daily" in held:
        now, (begin, end) = moment.strftime("%H:%M"), held["daily"]
        return bool(begin <= now < end if begin <= end else now >= begin or now < end)
    return True


def reckon(prices: Mapping[str, Price], usage: Usage) -> Amount | None:
    """What a usage costs; None where a count or a price is missing."""
    size, answer = usage.prompt_tokens, usage.completion_tokens
    if "~" in prices or size is None or (answer is None and not prices.keys().isdisjoint(OUTPUT)):
        return None  # vectors have no answer, and no price for one
    kept = min(usage.cache_write_1h or 0, usage.cache_write or 0)
    total = Decimal(0)
    for name in (*INPUT, *OUTPUT):
        count = getattr(usage, name)
        if name == "cache_write" and kept:
            count -= kept
        if count:
            price = _price(prices, name, size)
            if price is None:
                return None
            total = EXACT.add(total, EXACT.multiply(price, count))
    if kept:
        price = _price(prices, "cache_write_1h", size)
        if price is None:
            return None
        total = EXACT.add(total, EXACT.multiply(price, kept))
    total = EXACT.divide(total, MILLION)
    searches = usage.web_searches
    for name, uses in (("requests", 1), ("web_searches", searches)):
        if uses and name in prices:
            total = EXACT.add(total, EXACT.divide(EXACT.multiply(_price(prices, name, size) or 0, uses), THOUSAND))
    return Amount(total, bool(usage.tools or (searches and "web_searches" not in prices)))


def _price(prices: Mapping[str, Price], name: str, size: int) -> Decimal | None:
    held = prices.get(name)
    if held is None and name in _LIKE:
        held = prices.get(_LIKE[name])
    if not isinstance(held, tuple):
        return held
    first, tiers = held
    return next((price for start, price in reversed(tiers) if size > start), first)


def shown(prices: Mapping[str, Price]) -> dict[str, Any]:
    """Prices for people: a bucket's, or with tiers its first and then (tokens of the prompt above, price) each."""
    return {
        name: (value[0], *value[1]) if isinstance(value, tuple) else value
        for name, value in prices.items()
        if name != "~"
    }
