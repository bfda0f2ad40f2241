"""What a provider's answers tell of its limits, as far as it can be believed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hb_limits.rates.rules import SPANS, UNITS

if TYPE_CHECKING:
    from heavenbase.details import RateLimit, RateLimits

LONGEST_HOLD: Final = 300.0
"""Seconds after which a target is asked again, whatever was said: one request tells more."""
LIKELY: Final = (0.6, 1.6)
"""How far from a usual window one may be that was worked out from what is left and when it is whole again."""
LEAST_USED: Final = 0.1
"""Share of a limit that must be used for that: the first request of a minute that ends as a whole looks like an
hour's."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """Seconds for which nothing is to be sent, and limits by unit and window."""

    hold: float = 0.0
    limits: Mapping[tuple[str, float], int] = field(default_factory=dict)


def lesson(limits: RateLimits | None, retry_after: float | None = None) -> Lesson | None:
    """What the limits in an answer come to, and with `retry_after` the pause that a refusal asks for; None for nothing.

    A limit mostly does not say what window it is of. That is worked out from how long what was used takes to come back;
    where it comes to none of the usual windows, the limit is not gone by.
    """
    hold = _sane(retry_after)
    found: dict[tuple[str, float], int] = {}
    for unit, seconds, told in _told(limits) if limits is not None else ():
        if told.limit is not None and told.limit <= 0:  # which is how some say that there is none
            continue
        if told.remaining == 0:
            hold = max(hold, _sane(told.reset))
        window = seconds if seconds is not None else _window(told)
        if window is not None and told.limit is not None:
            found[unit, window] = told.limit
    return Lesson(hold, found) if hold or found else None


def _told(limits: RateLimits) -> Iterator[tuple[str, float | None, RateLimit]]:
    """The limits with their unit, and the seconds of their window where its name says them."""
    for unit in UNITS:
        told: RateLimit | None = getattr(limits, unit)
        if told is not None:
            yield unit, None, told
    for name, other in limits.others.items():
        unit, _, span = name.rpartition("_")
        if unit in UNITS and span in SPANS:
            yield unit, SPANS[span], other


def _window(told: RateLimit) -> float | None:
    """The seconds of the usual window that a limit is likely of; None where it may be of any."""
    if not told.limit or told.remaining is None or not told.reset:
        return None
    used = told.limit - told.remaining
    if used < LEAST_USED * told.limit or told.remaining == 0:
        return None
    seconds = told.reset * told.limit / used
    return next((it for it in SPANS.values() if LIKELY[0] * it <= seconds <= LIKELY[1] * it), None)


def _sane(seconds: float | None) -> float:
    return min(seconds, LONGEST_HOLD) if seconds is not None and seconds > 0 else 0.0  # NaN is not above 0
