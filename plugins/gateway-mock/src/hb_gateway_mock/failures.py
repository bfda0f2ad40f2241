"""The failures that a mock can be asked for: a kind of provider error, its fields, or an exception of the caller's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from heavenbase.errors import FallbackExhausted, HBError, InputTypeError, ProviderError, UnknownNameError

if TYPE_CHECKING:
    from heavenbase.call import Call

STATUS = {
    "request_rejected": 400,
    "context_overflow": 400,
    "content_filtered": 400,
    "auth": 401,
    "quota_exhausted": 402,
    "model_not_found": 404,
    "rate_limit": 429,
    "server": 500,
    "overloaded": 503,
}
FIELDS = ("message", "status", "code", "request_id", "retry_after", "retryable", "maybe_billed", "body")


def kinds() -> dict[str, type[ProviderError]]:
    """The provider errors by kind, as `mock={"error": kind}` names them."""
    found: dict[str, type[ProviderError]] = {}
    waiting: list[type[ProviderError]] = [ProviderError]
    while waiting:
        error = waiting.pop()
        if error is not FallbackExhausted:
            found.setdefault(error.kind, error)
        waiting.extend(error.__subclasses__())
    return found


def failure(wanted: Any, call: Call) -> BaseException:
    """The exception to raise, a new one for each call where that is possible.

    `wanted` is a kind such as "rate_limit", a mapping {kind, message, status, retry_after …}, or an exception (or its
    class). UnknownNameError for an unknown kind or field.
    """
    if isinstance(wanted, BaseException):
        if isinstance(wanted, HBError):
            from copy import copy

            # The kernel notes the call's attempts on the error that it raises.
            return copy(wanted)
        return wanted
    if isinstance(wanted, type) and issubclass(wanted, BaseException):
        try:
            return wanted("asked for by the mock")
        except TypeError as error:
            raise InputTypeError(f"mock error {wanted.__name__} needs more than a message; pass an instance") from error
    if isinstance(wanted, str):
        wanted = {"kind": wanted}
    if not isinstance(wanted, Mapping):
        raise InputTypeError(f"mock error must be a kind, a mapping or an exception, not {type(wanted).__name__}")
    return _of_kind(wanted, call)


def _of_kind(wanted: Mapping[str, Any], call: Call) -> ProviderError:
    for name in wanted:
        if name != "kind" and name not in FIELDS:
            raise UnknownNameError("field of a mock error", name, ("kind", *FIELDS))
    known = kinds()
    kind = wanted.get("kind", "provider")
    if kind not in known:
        raise UnknownNameError("mock error", kind, known)
    details = {name: value for name, value in wanted.items() if name not in ("kind", "message")}
    details.setdefault("status", STATUS.get(kind))
    message = wanted.get("message", f"{kind.replace('_', ' ')}, asked for by the mock")
    return known[kind](message, provider=call.spec.provider, model=call.spec.model_id, **details)
