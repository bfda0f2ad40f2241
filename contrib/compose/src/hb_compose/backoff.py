"""How long to wait for another attempt, and whether there is one: the rule of RetryingProvider."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from hb_compose.failures import is_transient, kind_of
from hb_compose.requests import check_number
from heavenbase.errors import InputError, InputTypeError

OnRetry: TypeAlias = Callable[[int, int, float, str], Any]
"""Told (attempt, max, delay, kind): which attempt failed, from 1, how many retries there are, seconds, and why."""
JITTER = 0.25
"""Fraction of Retry-After added at random, so that waiting callers do not return together."""
_DOUBLINGS = 64
_BUDGET = 10**9
_log = logging.getLogger("heavenbase.compose")


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits that double, from at most `base_delay_ms` to `max_delay_ms`; InputError for numbers that make no sense."""

    max_retries: int = 3
    base_delay_ms: float = 500
    max_delay_ms: float = 30_000
    on_retry: OnRetry | None = None

    def __post_init__(self) -> None:
        for name in ("max_retries", "base_delay_ms", "max_delay_ms"):
            check_number(name, getattr(self, name), whole=name == "max_retries", may_be_none=False)
        if self.base_delay_ms > self.max_delay_ms:
            told = f"base_delay_ms ({self.base_delay_ms:g}) is more than max_delay_ms ({self.max_delay_ms:g})"
            raise InputError(told)
        if self.on_retry is not None and not callable(self.on_retry):
            raise InputTypeError(f"on_retry must be callable, not {type(self.on_retry).__name__}")

    def delay(self, error: BaseException, number: int, random: Callable[[], float]) -> float | None:
        """Seconds until the attempt after this one, counted from 1; None where there is to be none.

        A wait that the error asks for wins over our own. `on_retry` is told; what it raises is logged.
        """
        kind = kind_of(error)
        if kind is None or number > self.max_retries:
            return None
        asked, longest = getattr(error, "retry_after", None), self.max_delay_ms / 1000
        if isinstance(asked, int | float) and asked >= 0:
            found = min(asked * (1 + JITTER * random()), longest)
        else:
            found = random() * min(self.base_delay_ms / 1000 * 2 ** min(number - 1, _DOUBLINGS), longest)
        try:
            self.tell(number, self.max_retries, found, error)
        except KeyboardInterrupt:
            raise
        except BaseException:  # who only listens must not lose an answer
            _log.warning("on_retry failed", exc_info=True)
        return found

    def tell(self, number: int, most: int, delay: float, error: BaseException) -> None:
        """Tell `on_retry` of a wait."""
        if self.on_retry is not None:
            self.on_retry(number, most, delay, kind_of(error) or type(error).__name__)

    def options(self) -> dict[str, Any]:
        """The same rule as options of hb, whose flow then does it: with its clocks, in the ledger of its call."""
        longest = self.max_delay_ms / 1000
        retry = {
            "max_attempts": self.max_retries + 1,
            "base_delay": self.base_delay_ms / 1000,
            "max_delay": longest,
            "max_retry_after": longest,
            "cap_retry_after": True,
            "jitter": 1.0,
            # What the page promises, it promises for every call.
            "budget_floor": _BUDGET,
            "billed_repeats": None,
            "on": [is_transient],
        }
        return {"retry": retry, "on_retry": self.tell}
