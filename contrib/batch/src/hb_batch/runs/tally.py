"""How far a run of a file is: rows by status, tokens, cost, rate. Plain numbers that a meter shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Context, Decimal, InvalidOperation
from typing import Any

LEAST = Decimal("0.01")
"""Dollars below which four decimals are too few."""
SHOWN = 3
"""Kinds of failures that are told; the rest stands in the rows."""
LONGEST = 300
"""Characters of a message that are told."""


class Failures:
    """Why rows failed: how many of each code, with what the first of them says."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._firsts: dict[str, str] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """Take note of a row, where it failed."""
        error = row.get("error")
        if row.get("status") == "success" or not isinstance(error, Mapping):
            return
        code = str(error.get("code"))
        self._counts[code] += 1
        if code not in self._firsts:
            told = " ".join(str(error.get("message")).split())
            line = f"line {row.get('line')}"
            self._firsts[code] = (told if told.startswith(line) else f"{line}: {told}")[:LONGEST]

    def told(self) -> list[str]:
        """The most frequent ones, a line each."""
        found = [f"{count} {code}, first {self._firsts[code]}" for code, count in self._counts.most_common(SHOWN)]
        return found + ["others stand in the rows"] * (len(self._counts) > SHOWN)


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
        self.failures = Failures()

    def add(self, row: Mapping[str, Any], replaced: str | None) -> None:
        """A row was written, in the place of one with the status `replaced`."""
        if replaced is not None:
            self.counts[replaced] -= 1
        self.counts[row["status"]] += 1
        self.written += 1
        self.failures.add(row)
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
        parts = [f"{self.done}{total} done", f"{failed} failed", rate_told(self.rate)]
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
    return f"{'' if is_known else 'at least '}{usd(amount)}" if amount or is_known else "unknown"


def usd(amount: Decimal) -> str:
    """Dollars for people: four decimals, and as many more as show that something is not nothing."""
    return f"{amount:.4f} USD" if not amount or amount >= LEAST else f"{Context(prec=2).plus(amount):f} USD"


def rate_told(rate: float) -> str:
    """Rows in a second, or in a minute where they come seldom, as behind a limit."""
    return f"{rate:.1f}/s" if rate >= 1 or not rate else f"{rate * 60:.1f}/min"


def clock_time(seconds: float) -> str:
    """Seconds as 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
