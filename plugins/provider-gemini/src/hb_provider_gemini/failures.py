"""What only Google says when it refuses: an invalid key with status 400, when a limit is free again. Pure.

{"error": {"code": 429, "message": "...", "status": "RESOURCE_EXHAUSTED", "details": [
    {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "...PerDay..."}]},
    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}]}}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import AuthError, HBError, QuotaExhausted, RateLimitError, StatusError
from heavenbase.http import json_or_none, status_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.call import Call
    from heavenbase.http import Headers

_KEY_REASONS = ("API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED", "ACCESS_TOKEN_EXPIRED")


def google_error(
    call: Call, status: int, headers: Headers, body: bytes, *, wall: Callable[[], float], decoded: Any = None
) -> HBError:
    """The error for an answer with this status; `decoded` is its body as data where that is known."""
    if decoded is None:
        decoded = json_or_none(body)
    error = _error_of(decoded)
    shape = {"error": {**error, "code": error.get("status") or error.get("code")}} if error else decoded
    found = status_error(call, status, headers, body, wall=wall, decoded=shape)
    if not isinstance(found, StatusError) or not error:
        return found
    details = [item for item in error.get("details") or () if isinstance(item, dict)]
    if any(item.get("reason") in _KEY_REASONS for item in details):
        return AuthError.of(found)
    if status == 429 and _is_daily(details):
        return QuotaExhausted.of(found)
    # "You exceeded your current quota" is what every limit says, those of one minute too.
    if isinstance(found, QuotaExhausted) and found.retry_after is not None:
        return RateLimitError.of(found)
    return found


def error_status(error: Any) -> int:
    """The status that an error object inside an answer stands for; 500 when it does not say."""
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600 else 500


def _error_of(decoded: Any) -> dict[str, Any]:
    if isinstance(decoded, list) and decoded:
        decoded = decoded[0]
    error = decoded.get("error") if isinstance(decoded, dict) else None
    return error if isinstance(error, dict) else {}


def _is_daily(details: list[dict[str, Any]]) -> bool:
    violations = [v for item in details for v in item.get("violations") or () if isinstance(v, dict)]
    return any("PerDay" in str(violation.get("quotaId", "")) for violation in violations)
