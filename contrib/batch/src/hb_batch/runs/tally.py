"""How far a run of a file is: rows by status, tokens, cost, rate. Plain numbers that a meter shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any


class Tally:
    """Counts rows. `total` are the requests of the file, `before` those that an earlier run has done."""

    def __init__(self, clock: Callable[[], float], total: int | None, counts: Mapping[str, int]) -> None:
        self._clock = clock
        self._began = clock()
        self.total = total
        self.counts = Counter(counts)
        self.before = sum(counts.values())
        self.written = 0
        self.tokens = 0
        self.cost = Decimal(0)
        self.is_cost_known = True
        self.in_flight = 0

    def add(self, row: Mapping[str, Any], replaced: str | None) -> None:
        """A row was written, in the place of one with the status `replaced`."""
        if replaced is not None:
            self.counts[replaced] -= 1
        self.counts[row["status"]] += 1
        self.written += 1
        self.add_cost(row)

    def add_cost(self, row: Mapping[str, Any]) -> None:
        """What a row cost, and its tokens."""
        cost = amount_of(row)
        if cost is not None:
            self.cost += cost
        elif row.get("status") == "success":
            self.is_cost_known = False
        usage = row.get("usage")
        tokens = usage.get("total_tokens") if isinstance(usage, Mapping) else None
        self.tokens += tokens if isinstance(tokens, int) else 0  # a file may have been edited

    @property
    def elapsed(self) -> float:
        """Seconds of this run."""
        return self._clock() - self._began

    @property
    def rate(self) -> float:
        """Rows in a second, in this run."""
        return self.written / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def done(self) -> int:
        """Requests that have a row."""
        return sum(self.counts.values())

    @property
    def eta(self) -> float | None:
        """Seconds that are left at this rate; None where that cannot be told."""
        rate = self.rate
        return max(0, self.total - self.done) / rate if self.total is not None and rate else None

    def line(self) -> str:
        """All of it on one line."""
        failed = sum(self.counts[status] for status in ("error", "invalid", "expired", "cancelled"))
        total = f"/{self.total}" if self.total is not None else ""
        parts = [f"{self.done}{total} done", f"{failed} failed", f"{self.rate:.1f}/s"]
        if self.eta is not None:
            parts.append(f"{clock_time(self.eta)} left")
        if self.cost:
            parts.append(cost_told(self.cost, self.is_cost_known))
        return ", ".join(parts)


def amount_of(row: Mapping[str, Any]) -> Decimal | None:
    """The dollars of a row; None where that is not known."""
    cost = row.get("cost")
    if not isinstance(cost, Mapping) or cost.get("currency", "USD") != "USD":
        return None
    try:
        found = Decimal(str(cost.get("amount")))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def cost_told(amount: Decimal, is_known: bool) -> str:
    """An amount in dollars, for people."""
    return f"{'' if is_known else 'at least '}{amount:.4f} USD" if amount or is_known else "unknown"


def clock_time(seconds: float) -> str:
    """Seconds as 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
