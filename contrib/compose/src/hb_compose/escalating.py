"""Which errors of a tier lead to the next one. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from heavenbase.errors import HBError, check_kinds, is_among

On: TypeAlias = Iterable[str | type[BaseException] | Callable[[BaseException], bool]]

PASSING = (
    *("rate_limit", "overloaded", "server", "timeout", "connect", "transport", "response", "quota"),
    *("context_overflow", "stream_truncated"),
)
"""What is not the request's fault, nor the key's."""
_STATUSES = {400: "rejected", 401: "auth", 402: "quota", 403: "auth", 404: "not_found", 422: "rejected"}
_SLIPS = (TypeError, AttributeError, NameError, LookupError, AssertionError, ArithmeticError)
"""What a program gets wrong, which no other model puts right."""


def check_on(on: Any) -> tuple[Any, ...]:
    """What errors lead on, checked: None for `PASSING`; UnknownNameError for a word that is none."""
    if on is None:
        return PASSING
    return check_kinds("escalate_on", (on,) if callable(on) and not isinstance(on, type) else on)


def leads_on(on: tuple[Any, ...], error: BaseException) -> bool:
    """Whether a checked `on` names this error; that of somebody else's provider by its status, where it has one."""
    if isinstance(error, HBError) or is_among(error, [item for item in on if not isinstance(item, str)]):
        return is_among(error, on)
    status = next((it for name in ("status", "status_code") if isinstance(it := getattr(error, name, None), int)), 0)
    if status in _STATUSES:
        return _STATUSES[status] in on
    if isinstance(error, OSError):
        return ("timeout" if isinstance(error, TimeoutError) else "transport") in on
    return "server" in on and not isinstance(error, _SLIPS)
