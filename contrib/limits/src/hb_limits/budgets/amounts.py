"""Money as whole numbers: of a unit of a currency there are a million millions, so that sums are exact. Pure."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, InvalidOperation
from typing import Any, Final

from heavenbase.errors import InputError, InputTypeError

PARTS: Final = 10**12
"""How many parts a unit of a currency has: a price for a million tokens with six decimals is a whole number of them."""
MOST: Final = 10**15
"""Units of a currency, or tokens, that a budget has at most: what Redis' scripts reckon exactly is above that."""
EXACT: Final = Context(prec=60)
SHOWN: Final = Decimal("0.000001")


def parts_of(amount: Decimal) -> int:
    """An amount as a whole number of parts; what is less than one counts as one. What is below nothing is nothing.

    What is above all budgets counts as `MOST`: every store can hold that.
    """
    if not amount < MOST:
        return MOST * PARTS
    scaled = EXACT.multiply(amount, Decimal(PARTS))
    return max(int(scaled.to_integral_value(ROUND_CEILING, EXACT)), 0)


def amount_of(parts: int) -> Decimal:
    """The amount of a number of parts."""
    return EXACT.divide(Decimal(parts), Decimal(PARTS))


def shown(parts: int, *, up: bool = False) -> str:
    """An amount for people, with six decimals at most; rounded down, or `up`."""
    amount = amount_of(parts).quantize(SHOWN, ROUND_CEILING if up else ROUND_FLOOR, EXACT)
    whole, _, rest = f"{amount:f}".partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(2, '0')}"


def read_money(value: Any, key: str) -> int | None:
    """The parts of an amount in a rule: a text, a whole number, or a float as it is written. None for none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise InputTypeError(f'{key} is an amount such as "5.00", not {type(value).__name__}')
    try:
        amount = Decimal(value.strip() if isinstance(value, str) else str(value))
    except InvalidOperation:
        raise InputError(f'{key} is an amount such as "5.00", not {str(value)!r}') from None
    if not (amount.is_finite() and 0 <= amount <= MOST):
        raise InputError(f"{key} is an amount from 0 to {MOST:,}, not {value}")
    scaled = EXACT.multiply(amount, Decimal(PARTS))
    if scaled != scaled.to_integral_value():
        raise InputError(f"{key} has more than twelve decimals: {value}")
    return int(scaled)


def read_tokens(value: Any, key: str) -> int | None:
    """The tokens of a rule; None for none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputTypeError(f"{key} is a whole number, not {type(value).__name__}")
    if not 0 <= value <= MOST:
        raise InputError(f"{key} is a whole number from 0 to {MOST:,}, not {value:,}")
    return value
