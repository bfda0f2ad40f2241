"""What a caller adds to a request past all parameters: extra_headers, extra_query, extra_body. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, InputTypeError
from heavenbase.options import EXTRAS as EXTRAS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.call import Call
    from heavenbase.types import ParameterReport

_ADDED = ("default_headers", "extra_headers", "extra_query")
_FRAMING = frozenset({"content-length", "transfer-encoding"})


def mapping(args: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The argument of this name, an empty mapping without one; InputTypeError for anything but a mapping."""
    found = args.get(name)
    if found is None:
        return {}
    if not hasattr(found, "items"):
        raise InputTypeError(f"{name} must be a mapping, not {type(found).__name__}")
    return found  # type: ignore[no-any-return]


def added_parts(call: Call) -> tuple[dict[str, str], Mapping[str, Any]]:
    """(headers, query) that the caller adds to this request, reported; InputTypeError when they are no mappings.

    InputError for a header that says where the body ends: a wrong one would break the connection.
    """
    if call.args.keys().isdisjoint(_ADDED):
        return {}, {}
    given = {name: mapping(call.args, name) for name in _ADDED}
    call.context.report.sent(*(name for name, found in given.items() if found))
    *lists, query = given.values()
    headers = {str(name): value for found in lists for name, value in found.items()}
    if headers:
        framing = [name for name in headers if name.lower() in _FRAMING]
        if framing:
            raise InputError(f"extra_headers holds {framing[0]}, which follows from the body; leave it out")
    return {name: str(value) for name, value in headers.items()}, query


extras = added_parts
"""Its name in the first release."""


def merge_extra(body: dict[str, Any], args: Mapping[str, Any], report: ParameterReport) -> None:
    """Lay `extra_body` over a body, and report it. One key can be added to a field that is an object."""
    extra = mapping(args, "extra_body") if "extra_body" in args else None
    if not extra:
        return
    report.sent("extra_body")
    for name, value in extra.items():
        before = body.get(name)
        body[name] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
