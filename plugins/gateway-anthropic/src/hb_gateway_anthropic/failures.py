"""What only this wire says when it refuses: when a limit is free again. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase.errors import RateLimitError
from heavenbase.http import LONGEST_WAIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.errors import HBError
    from heavenbase.http import Headers

_LIMITS = ("requests", "tokens", "input-tokens", "output-tokens")


def with_reset(error: HBError, headers: Headers, wall: Callable[[], float]) -> HBError:
    """The error; a limit without `retry-after` gets the time at which the used-up ones are reset."""
    if isinstance(error, RateLimitError) and error.retry_after is None:
        error.retry_after = reset_after(headers, wall)
    return error


def reset_after(headers: Headers, wall: Callable[[], float]) -> float | None:
    """Seconds until every used-up limit is reset, from the `anthropic-ratelimit-*` headers; None when none is."""
    from datetime import datetime

    named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
    waits = []
    for limit in _LIMITS:
        if named.get(f"anthropic-ratelimit-{limit}-remaining") != "0":
            continue
        try:
            moment = datetime.fromisoformat(named.get(f"anthropic-ratelimit-{limit}-reset", "")[:40])
            waits.append(min(max(moment.timestamp() - wall(), 0.0), LONGEST_WAIT))
        except (ValueError, OverflowError):
            continue
    return max(waits, default=None)
