"""Which failures are transient, by the names that `on_retry` is told: those of the page, and no others. Pure.

429 is `rate_limited`, 500, 502 and 503 are `server_error_NNN`, 529 is `overloaded`, and `network_error` is whatever
kept an answer from coming. A JSON answer without any choice stands for the 502 that a router should have sent.
"""

from __future__ import annotations

from heavenbase.errors import (
    CallTimeout,
    HBError,
    ResponseDecodeError,
    ResponseError,
    ResponseShapeError,
    StreamInterrupted,
    StreamTruncated,
    TransportError,
)

RATE_LIMITED, OVERLOADED, NETWORK_ERROR = "rate_limited", "overloaded", "network_error"
_STATUSES = {429: RATE_LIMITED, 529: OVERLOADED, **{status: f"server_error_{status}" for status in (500, 502, 503)}}
KINDS = (*_STATUSES.values(), NETWORK_ERROR)


def kind_of(error: BaseException) -> str | None:
    """The kind of a transient failure; None for one that another attempt does not help."""
    if not isinstance(error, HBError):
        status = next(
            (it for name in ("status", "status_code") if isinstance(it := getattr(error, name, None), int)), 0
        )
        return _STATUSES.get(status) or (NETWORK_ERROR if not status and isinstance(error, OSError) else None)
    if not error.retryable and not isinstance(error, StreamTruncated):
        return None
    if isinstance(error, ResponseError):
        is_empty = isinstance(error, ResponseShapeError) and not isinstance(error, ResponseDecodeError)
        return _STATUSES[502] if is_empty else None
    if error.status is not None and error.status >= 400:
        return _STATUSES.get(error.status)
    if isinstance(error, TransportError | CallTimeout | StreamTruncated | StreamInterrupted):
        return NETWORK_ERROR
    return None


def is_transient(error: BaseException) -> bool:
    """Whether another attempt may help, as the page has it."""
    return kind_of(error) is not None
