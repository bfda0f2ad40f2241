"""What requests cost: an amount, with where its prices are from and of which day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any, Self

from heavenbase.details import Record
from heavenbase.errors import InputError

if TYPE_CHECKING:
    from heavenbase.details import Usage
    from heavenbase.ledger.attempts import Attempt

MOST = 10**15
"""No request costs that much; what says so is no amount."""
DECIMALS = 1000
"""Nothing costs so little that its first digit comes later."""
EXACT = Context(prec=60)
"""Sums have all their digits, whatever the context of who asks is."""


@dataclass(frozen=True, slots=True)
class Cost(Record):
    """What one request, or several, cost: `amount` in `currency`, as a Decimal.

    `source` says whose figure it is: "provider" where the answer told it, "cache" where nothing was sent, otherwise the
    table with its version. `date` is the day that its prices are of, as YYYY-MM-DD. `at_least`: something beside it may
    have been billed, such as a request that failed behind its sending. InputError for an amount that is none.
    """

    amount: Decimal
    currency: str = "USD"
    source: str = ""
    date: str | None = None
    at_least: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal) or not self.amount.is_finite() or not 0 <= self.amount < MOST:
            raise InputError(f"a cost is a Decimal from 0 to below {MOST:,}, not {self.amount!r:.40}")
        if self.amount.adjusted() < -DECIMALS:  # a few characters can say a number of a million decimals
            raise InputError(f"a cost has no more than {DECIMALS:,} decimals before its first digit")

    def __str__(self) -> str:
        return f"{'at least ' if self.at_least else ''}{self.amount:f} {self.currency}"

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain data, the amount as a decimal text; `at_least` where it is so."""
        found = {**Record.to_dict(self), "amount": f"{self.amount:f}"}
        return found if self.at_least else {name: value for name, value in found.items() if name != "at_least"}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The cost that `to_dict` wrote."""
        return super(Cost, cls).from_dict({**data, "amount": Decimal(data["amount"])})

    @staticmethod
    def total(parts: Iterable[Cost | None]) -> Cost | None:
        """The sum; None where one of them is not known, where they are in several currencies, and of none."""
        known = list(parts)
        found = [part for part in known if part is not None]
        currencies = dict.fromkeys(part.currency for part in found if part.amount)  # nothing is nothing in each
        if not found or len(found) < len(known) or len(currencies) > 1:
            return None
        if len(found) == 1:
            return found[0]
        dates = sorted(part.date for part in found if part.date is not None)
        return Cost(
            reduce(EXACT.add, (part.amount for part in found)),
            next(iter(currencies), found[0].currency),
            ", ".join(dict.fromkeys(part.source for part in found if part.source)),
            dates[0] if dates else None,
            any(part.at_least for part in found),
        )


def cost_of(attempts: Sequence[Attempt], *, is_kept: bool = False) -> Cost | None:
    """What the requests of a call cost together; None where that of one which was answered is not known.

    `is_kept`: the answer came from the cache, so that it cost nothing where nothing was answered.
    """
    parts: list[Cost | None] = []
    may_be_more = False
    for attempt in attempts:
        if attempt.usage is None and attempt.cost is None and attempt.error is not None:
            may_be_more = may_be_more or attempt.maybe_billed  # a failure without a count: nobody knows of a cost
        else:
            parts.append(attempt.cost)
    total = Cost(Decimal(0), source="cache") if is_kept and not parts else Cost.total(parts)
    return replace(total, at_least=True) if total is not None and may_be_more else total


def reported(usage: Usage, at: float) -> Cost | None:
    """The provider's own figure in a usage, of the day in epoch seconds; None for what is no amount."""
    from datetime import UTC, datetime

    try:
        amount = Decimal(str(usage.cost))
        return Cost(amount, usage.currency or "USD", "provider", f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}")
    except (ValueError, ArithmeticError):
        return None
