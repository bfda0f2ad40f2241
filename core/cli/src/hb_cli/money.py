"""Amounts of money in words. `--json` has them to the last digit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

DIGITS = 4
"""Digits of an amount that are shown."""


def money(cost: Mapping[str, Any]) -> str:
    """A cost as plain data in words: `at least 0.00123 USD`."""
    return f"{'at least ' if cost.get('at_least') else ''}{figure(cost['amount'])} {cost['currency']}"


def figure(amount: Any) -> str:
    """An amount with so many digits as count, never as a power of ten; what is not nothing never looks like it."""
    from decimal import Context, Decimal

    whole = Decimal(amount)
    digits = max(DIGITS, whole.adjusted() + 3)  # cents count
    return f"{Context(prec=digits).plus(whole).normalize():f}"
