"""What only Cohere says when it refuses: a limit of the month, and generations that failed inside an answer. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from heavenbase.errors import HBError, QuotaExhausted, RateLimitError
from heavenbase.http import embedded_error, status_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.call import Call
    from heavenbase.http import Headers

_MONTHLY = re.compile(r"(?:/|per|a|this) month|monthly", re.IGNORECASE)
_FAILED = {"ERROR": 500, "TIMEOUT": 504}
"""Finish reasons that tell of a generation that failed, and the status that each stands for."""


def cohere_error(
    call: Call, status: int, headers: Headers, body: bytes, *, wall: Callable[[], float], decoded: Any = None
) -> HBError:
    """The error for an answer with this status; a limit of the month is no matter of waiting."""
    found = status_error(call, status, headers, body, wall=wall, decoded=decoded)
    if isinstance(found, RateLimitError) and not isinstance(found, QuotaExhausted) and _MONTHLY.search(str(found)):
        return QuotaExhausted.of(found)
    return found


def held_error(call: Call, decoded: Any, headers: Headers, *, wall: Callable[[], float]) -> HBError | None:
    """The error in an answer or event that came with the status of a success."""
    if not isinstance(decoded, dict):
        return None
    if decoded.get("error"):
        return embedded_error(call, decoded["error"], headers, wall=wall)
    said = decoded.get("message")
    if isinstance(said, str):
        return embedded_error(call, {**decoded, "message": said}, headers, wall=wall)
    delta = decoded.get("delta") if decoded.get("type") == "message-end" else decoded
    reason = delta.get("finish_reason") if isinstance(delta, dict) else None
    status = _FAILED.get(reason) if isinstance(reason, str) else None
    if status is None or not isinstance(delta, dict):
        return None
    told = delta.get("error")
    message = told if isinstance(told, str) and told else "the provider could not finish the generation"
    return embedded_error(call, {"message": message, "code": status, "type": reason}, headers, wall=wall)
