"""Rate limits of a provider, read from the headers of its answers when somebody asks for them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from heavenbase.details import RateLimit, RateLimits

_NAME = re.compile(rb"rate-?limit|token-?limit|-(?:tokens|requests|call)-(?:limit|remaining|reset)", re.IGNORECASE)
_FIELD = re.compile(r"\b(limit|remaining|reset|[qrt])=(\d+)")
_FIELDS = {"q": "limit", "r": "remaining", "t": "reset"}
_STEP = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|[smhd])")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WORDS = {
    "req": "requests",
    "request": "requests",
    "call": "requests",
    "token": "tokens",
    "monthly": "month",
    "prompt": "input",
    "generated": "output",
    "completion": "output",
}
_TOKENS = ("tokenlimit", "ratelimitbysize")
"""How names begin that speak of tokens without the word."""
_PLACES = ("trial", "endpoint")
_BUCKETS = ("requests", "tokens", "input_tokens", "output_tokens")
_WINDOWS = ("minute", "second", "hour", "day", "month")
_MOMENT = 1e9
"""From here on a number of seconds is a moment, not a span of time; a thousand times as much are milliseconds."""


def rate_limits(headers: Iterable[tuple[bytes, bytes]], received: float) -> RateLimits | None:
    """The limits that headers tell of, None where they tell of none.

    Read is every name with `ratelimit` in it or what some providers say for it, and limit, remaining or reset; requests
    are meant where it does not say tokens. A provider that says limits for several windows alone has the shortest usual
    one under the plain name too.

    Args:
        headers: Names and values as they came.
        received: When they came, in epoch seconds.
    """
    found: dict[str, RateLimit] = {}
    for name, value in headers:
        if _NAME.search(name) is not None:
            _read(found, name.decode("latin-1").lower(), value.decode("latin-1").strip(), received)
    found = {name: limit for name, limit in found.items() if limit != RateLimit()}
    if not found:
        return None
    own = {name: found.pop(name) for name in _BUCKETS if name in found}
    for bucket in _BUCKETS:
        named = (f"{bucket}_{window}" for window in _WINDOWS)
        known = next((name for name in named if name in found), None)
        if bucket not in own and known is not None:
            own[bucket] = found[known]
    return RateLimits(**own, others=found)


def _read(found: dict[str, RateLimit], name: str, value: str, received: float) -> None:
    words = re.split(r"[-_]+", re.sub("(rate|token)-limit", r"\1limit", name))
    first = next((place for place, word in enumerate(words) if word.startswith(("ratelimit", "tokenlimit"))), None)
    if first is not None:  # whose limits they are stands before
        kind = ["tokens"] if words[first] in _TOKENS else []
        words = kind + words[first + 1 :]
    else:
        words = [word for word in words[1:] if word not in _PLACES]
    if words in ([], ["policy"]):  # the form of the IETF's drafts: all in one value
        limit = found.setdefault("requests", RateLimit())
        for letter, number in _FIELD.findall(value):
            _put(limit, _FIELDS.get(letter, letter), number, received)
        return
    what = next((word for word in ("remaining", "reset", "limit") if word in words), None)
    if what is not None:
        bucket = _bucket([word for word in words if word not in (what, "after", "at")])
        _put(found.setdefault(bucket, RateLimit()), what, value, received)


def _bucket(words: list[str]) -> str:
    words = [_WORDS.get(word, word) for word in words]
    kind = "tokens" if "tokens" in words else "requests"
    side = next((word for word in words if word in ("input", "output")), None)
    if side is not None and kind == "tokens":
        kind = f"{side}_tokens"
    return "_".join([kind, *(word for word in words if word not in ("requests", "tokens", "input", "output"))])


def _put(limit: RateLimit, what: str, value: str, received: float) -> None:
    if what == "reset":
        limit.reset_at = _moment(value, received)
        limit.reset = None if limit.reset_at is None else max(round(limit.reset_at - received, 3), 0.0)
    elif (number := re.match(r"\d{1,15}", value.replace(",", "", 4))) is not None:
        setattr(limit, what, int(number.group()))


def _moment(value: str, received: float) -> float | None:
    """When a limit is whole again, from a span of time, an epoch or a date in any of the usual forms."""
    try:
        number = float(value)
    except ValueError:
        steps = _STEP.findall(value)
        if steps and "".join(map("".join, steps)) == value:
            span = sum(float(size) * _SECONDS[unit] for size, unit in steps)
            return received + span if span < _MOMENT else None
        return _date(value)
    if not 0 <= number < _MOMENT * 10_000:
        return None
    if number >= _MOMENT * 1000:
        return number / 1000
    return number if number >= _MOMENT else received + number


def _date(value: str) -> float | None:
    from email.utils import parsedate_to_datetime

    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(value)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None
