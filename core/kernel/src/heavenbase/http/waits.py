"""How long a provider asks to wait: in headers, in the fields of an error, or in its words; made sane. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

LONGEST_WAIT = 7 * 86400.0
"""Seconds; what a provider asks beyond that is cut to it."""
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_UNIT = r"(?P<{}>days?|hours?|hrs?|minutes?|mins?|seconds?|secs?|milliseconds?|msecs?|ms|us|µs|ns|[dhms])"
_STEP = re.compile(r"(?P<number>\d{1,18}(?:\.\d{1,12})?)\s{0,3}" + _UNIT.format("unit") + r"(?![a-z])", re.IGNORECASE)
_BETWEEN = re.compile(r"[\s,]{0,3}(?:and\s{1,3})?")
# What is announced may be another's wait: "your limit resets in" is one, "requests of the last 60 seconds" is none.
_ASKED = re.compile(
    r"(?:try again|retry|resets?|available(?: again)?|wait(?:ing)?|back ?off)\b[^.;\d]{0,30}?"
    r"(?:\b(?:in|after|for|at least|about)\s{1,3}|[:=]\s{0,3})(?=\d)|\bwait(?:ing)?\s{1,3}(?=\d)",
    re.IGNORECASE,
)
_FIELDS = {
    **dict.fromkeys(("retryDelay", "retry_delay", "quotaResetDelay", "retry_after", "retryAfter", "retry-after"), 1.0),
    **dict.fromkeys(("retry_after_seconds", "retryAfterSeconds", "estimated_time", "resets_in_seconds"), 1.0),
    **dict.fromkeys(("retry_after_ms", "retryAfterMs", "retry-after-ms", "retryDelayMs"), 0.001),
}
"""Fields of errors that hold a wait, and what one is in seconds."""
_READ = 4_000
_DEPTH = 6


def retry_after(headers: Mapping[str, str], wall: Callable[[], float]) -> float | None:
    """Seconds that the provider asks to wait, from `retry-after-ms` or `retry-after`, made sane.

    That is a number, a duration such as "1m2s", or a date. `wall` gives epoch seconds.
    """
    for name, in_a_second in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        if (given := _number(headers.get(name))) is not None:
            return min(given / in_a_second, LONGEST_WAIT)
    value = headers.get("retry-after")
    if not value or len(value) > 100:
        return None
    if (given := duration(value)) is not None:
        return given
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return min(max(moment - wall(), 0.0), LONGEST_WAIT)


def duration(text: str) -> float | None:
    """The seconds of a text that is a duration and nothing else, "1m2.5s" or "200ms" or "2 minutes"; None else."""
    found = _steps(text.strip(), 0)
    return None if found is None or found[1] != len(text.strip()) else found[0]


def asked_wait(decoded: Any, message: str) -> float | None:
    """Seconds that an error's body asks to wait: the longest of its fields, or what its words say; None without any."""
    waits = list(_waits(decoded, _DEPTH))
    return max(waits) if waits else _said(message[:_READ])


def _said(message: str) -> float | None:
    for asked in _ASKED.finditer(message):
        found = _steps(message, asked.end())
        if found is not None:
            return found[0]
    return None


def _steps(text: str, start: int) -> tuple[float, int] | None:
    """(seconds, where it ends) of the duration that begins at a place."""
    total, end = 0.0, start
    while (step := _STEP.match(text, _BETWEEN.match(text, end).end() if end > start else end)) is not None:  # type: ignore[union-attr]
        unit = step["unit"].lower()
        short = unit if unit in _UNITS else "ms" if unit.startswith(("milli", "msec")) else unit[0]
        total += float(step["number"]) * _UNITS[short]
        end = step.end()
    return (min(total, LONGEST_WAIT), end) if end > start else None


def _waits(node: Any, depth: int) -> list[float]:
    if isinstance(node, list):
        return [wait for item in node[:20] for wait in _waits(item, depth - 1)] if depth else []
    if not isinstance(node, dict) or not depth:
        return []
    found: list[float] = []
    for name, value in list(node.items())[:50]:
        unit = _FIELDS.get(name) or _FIELDS.get(str(name).lower())
        if unit is not None:
            wait = _wait(value, unit)
            found += [] if wait is None else [wait]
        elif isinstance(value, dict | list):
            found += _waits(value, depth - 1)
    return found


def _wait(value: Any, unit: float) -> float | None:
    if isinstance(value, dict):  # a Duration of protobuf
        parts = [_number(str(value.get(name, 0))) for name in ("seconds", "nanos")]
        return None if None in parts else min(parts[0] + parts[1] / 1e9, LONGEST_WAIT)  # type: ignore[operator]
    if isinstance(value, str) and (found := duration(value)) is not None:
        return found
    given = _number(str(value)) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    return None if given is None else min(given * unit, LONGEST_WAIT)


def _number(text: str | None) -> float | None:
    if not text or len(text) > 400:
        return None
    number = None
    with suppress(ValueError):
        number = float(text)
    return number if number is not None and number >= 0 else None  # which NaN is not
