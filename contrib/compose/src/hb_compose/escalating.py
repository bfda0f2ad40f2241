"""Which errors of a tier lead to the next one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from heavenbase.errors import HBError, InputTypeError, UnknownNameError

On: TypeAlias = Iterable[str | type[BaseException]] | Callable[[BaseException], bool]

_KINDS = {
    "rate_limit": "rate_limit",
    "overloaded": "overloaded",
    "server": "server",
    "timeout": "timeout",
    "connect": "connect",
    "transport": "transport",
    "response": "response",
    "stream": "stream",
    "quota": "quota_exhausted",
    "context_overflow": "context_overflow",
    "auth": "auth",
    "not_found": "model_not_found",
    "content_filter": "content_filtered",
    "rejected": "request_rejected",
}
WORDS = tuple(_KINDS)
PASSING = (
    *("rate_limit", "overloaded", "server", "timeout", "connect", "transport", "response", "stream", "quota"),
    "context_overflow",
)
"""What is not the request's fault, nor the key's."""
_STATUSES = {400: "rejected", 401: "auth", 402: "quota", 403: "auth", 404: "not_found", 422: "rejected"}
_SLIPS = (TypeError, AttributeError, NameError, LookupError, AssertionError, ArithmeticError)
"""What a program gets wrong, which no other model puts right."""


def check_on(on: Any) -> Any:
    """What errors lead on, checked: None for `PASSING`; UnknownNameError for a word that is none."""
    if on is None:
        return PASSING
    if callable(on) and not isinstance(on, type):
        return on
    if isinstance(on, str) or not isinstance(on, Iterable):
        raise InputTypeError(f"escalate_on must be a list of words and errors, or a function, not {on!r}")
    found = tuple(on)
    for item in found:
        if isinstance(item, type) and issubclass(item, BaseException):
            continue
        if item not in WORDS:
            raise UnknownNameError("kind of error in escalate_on", item, WORDS)
    return found


def leads_on(on: Any, error: BaseException) -> bool:
    """Whether a checked `on` names this error."""
    if callable(on):
        return bool(on(error))
    if any(isinstance(item, type) and isinstance(error, item) for item in on):
        return True
    words = {item for item in on if isinstance(item, str)}
    if isinstance(error, HBError):
        kinds = {kind.kind for kind in type(error).__mro__ if issubclass(kind, HBError)}
        return any(_KINDS[word] in kinds for word in words)
    status = next((it for name in ("status", "status_code") if isinstance(it := getattr(error, name, None), int)), 0)
    if status in _STATUSES:
        return _STATUSES[status] in words
    if isinstance(error, TimeoutError):
        return "timeout" in words
    if isinstance(error, OSError):
        return "transport" in words
    return "server" in words and not isinstance(error, _SLIPS)
