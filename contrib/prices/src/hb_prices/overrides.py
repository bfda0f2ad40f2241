"""What the configuration says of models: prices of one's own contract, of a deployment, of a machine, and limits.

    [heavenbase.tables.prices.models]
    "openai/gpt-5.5" = { input = "4.00", output = 24, cache_read = 0.4 }
    "azure/chat-*" = { like = "openai/gpt-5.5" }
    "ollama/*" = { input = 0, output = 0 }

The first pattern, `provider/id`, that fits a model counts. Numbers are exact: 0.1 is a tenth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from hb_prices.table import Row
from heavenbase.errors import InputError

PRICES = (
    *("input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning"),
    *("audio", "image", "output_audio", "output_image", "web_searches", "requests"),
)
"""Prices of a million tokens by bucket; of a thousand searches, and of a thousand requests."""
FACTS = ("context_window", "max_output_tokens")
WORDS = ("like", "currency", "date")
CONFIGURED = "configuration"
"""The source of their prices."""
LARGEST, DECIMALS = 10**9, 15
"""The highest price that is taken, in any currency, and the most decimals."""
CURRENCIES = 3
"""Letters of a currency's name."""


class Override(NamedTuple):
    """What is said of the models that fit a pattern. `like` is another model, `row` what is said itself."""

    pattern: str
    row: Row
    currency: str
    like: tuple[str, str] | None


def read_overrides(models: Mapping[str, Any]) -> tuple[Override, ...]:
    """The overrides of the setting `models`; InputError, with the key, for what is none."""
    found = []
    for pattern, held in models.items():
        try:
            found.append(_override(pattern, held))
        except InputError as error:
            error.key = ("models", pattern)  # type: ignore[attr-defined]  # the kernel tells file and line of it
            raise
    return tuple(found)


def override_of(overrides: tuple[Override, ...], provider: str, model_id: str) -> Override | None:
    """The first override that fits a model."""
    name = f"{provider}/{model_id}".lower()
    return next((each for each in overrides if fnmatchcase(name, each.pattern)), None)


def _override(pattern: str, held: Any) -> Override:
    key = f'models."{pattern}"'
    if "/" not in pattern:
        raise InputError(f'{key} names no provider: write "provider/id", such as "openai/{pattern}" or "*/{pattern}"')
    if not isinstance(held, Mapping):
        raise InputError(f"{key} is a table of prices, not {type(held).__name__}")
    known = (*PRICES, *FACTS, *WORDS)
    for name in held:
        if name not in known:
            from difflib import get_close_matches  # takes longer to import than all else here

            close = get_close_matches(str(name), known, 1)
            raise InputError(f"{key} has no {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
    prices = dict(_prices(key, held))
    facts = {name: _count(f"{key}.{name}", held[name]) for name in FACTS if name in held}
    if not (prices or facts or "like" in held):
        raise InputError(f"{key} says nothing of the model: give prices ({', '.join(PRICES[:5])}), facts, or `like`")
    like = held.get("like")
    if like is not None and (not isinstance(like, str) or not all(like.partition("/"))):
        raise InputError(f'{key}.like names another model as "provider/id"')
    currency, date = held.get("currency", "USD"), held.get("date")
    if not isinstance(currency, str) or len(currency) != CURRENCIES or not currency.isalpha():
        raise InputError(f'{key}.currency is a code of three letters, such as "USD"')
    if date is not None and not _is_day(date):
        raise InputError(f'{key}.date is the day that the prices are of, as a text: "YYYY-MM-DD"')
    row = Row(pattern, (), (prices,) if prices else (), (), facts, CONFIGURED, date)
    provider, _, model_id = (like or "").partition("/")
    return Override(pattern.lower(), row, currency.upper(), (provider, model_id) if like else None)


def _prices(key: str, held: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in PRICES:
        if name in held:
            yield name, _price(f"{key}.{name}", held[name])


def _price(key: str, value: Any) -> str:
    try:
        # A float's text is the number that was written.
        amount = Decimal(str(value)) if isinstance(value, int | float | str) and value is not True else None
    except InvalidOperation:
        amount = None
    if amount is None or value is False or not amount.is_finite() or amount < 0:
        raise InputError(f"{key} is a price: a number, or its text, of 0 or more")
    if amount > LARGEST or (amount and amount.adjusted() < -DECIMALS):
        raise InputError(f"{key} is a price: at most {LARGEST:,}, with no more than {DECIMALS} decimals")
    return format(amount, "f")


def _is_day(value: Any) -> bool:
    from datetime import date

    try:
        return date.fromisoformat(value).isoformat() == str(value)
    except (ValueError, TypeError):
        return False


def _count(key: str, value: Any) -> int:
    if type(value) is not int or value < 1:
        raise InputError(f"{key} is a number of tokens")
    return value
