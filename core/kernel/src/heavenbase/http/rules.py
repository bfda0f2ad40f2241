"""What stands in a request beside the wire's own: what a provider drops, renames and clamps, what a caller adds. Pure.

The provider's rules are `[[provider.parameters]]`; a caller adds extra_headers, extra_query and extra_body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, InputTypeError
from heavenbase.options import EXTRAS as EXTRAS
from heavenbase.resolution.endpoint import check_plain_headers, header_text, owner_of
from heavenbase.secrets import Hidden, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from heavenbase.call import Call
    from heavenbase.spec import LLMSpec
    from heavenbase.types import ParameterEntry, ParameterReport

_ADDED = ("default_headers", "extra_headers", "extra_query")
_FRAMING = frozenset({"content-length", "transfer-encoding"})


def apply_rules(
    spec: LLMSpec,
    fields: dict[str, Any],
    report: ParameterReport,
    names: Callable[[str], Iterable[str]] = lambda field: (field,),
) -> None:
    """Change the fields by the rules for this model, in their order, and report what changed.

    The fields are arguments under hb's names of them, or those of the wire: then `names` gives the arguments that stand
    in a field, of which the report tells; none for a field that no argument of the caller's made.
    """
    for rule in spec.parameter_rules(fields):
        if "drop" in rule and not fields.keys().isdisjoint(rule["drop"]):
            for field, reason in rule["drop"].items():
                if field in fields:
                    del fields[field]
                    for name in names(field):
                        report.dropped(name, reason)
        if "rename" in rule and not fields.keys().isdisjoint(rule["rename"]):
            for field, other in rule["rename"].items():
                if field in fields:
                    _rename(fields, field, other, tuple(names(field)), report)
        if "clamp" in rule:
            for field, limits in rule["clamp"].items():
                if field in fields and (new := _clamped(fields[field], limits)) != fields[field]:
                    for name in names(field):
                        report.clamped(name, f"{fields[field]!r} is not taken there; {new!r} is sent")
                    fields[field] = new


def keep_ruled(ruled: Mapping[str, ParameterEntry], report: ParameterReport) -> None:
    """Tell what the rules did to arguments, where the wire has lost no more of them than that.

    `ruled` are the entries that `apply_rules` made before the wire's own began.
    """
    for name, entry in ruled.items():
        known = report.entries.get(name)
        if known is None or known.outcome in ("sent", "renamed"):
            report.entries[name] = entry


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

    InputError for a header that HTTP does not carry, or that says where the body ends: a wrong one would break the
    connection. ConfigError for one that may hold a credential, where it would travel in clear text.
    """
    if call.args.keys().isdisjoint(_ADDED):
        return {}, {}
    given = {name: mapping(call.args, name) for name in _ADDED}
    call.context.report.sent(*(name for name, found in given.items() if found))
    *lists, query = given.values()
    headers = {str(name): header_text(str(name), value) for found in lists for name, value in found.items()}
    if headers:
        framing = [name for name in headers if name.lower() in _FRAMING]
        if framing:
            raise InputError(f"extra_headers holds {framing[0]}, which follows from the body; leave it out")
        spec = call.spec
        owner = owner_of(spec.provider, spec.provider_record, spec.gateway, spec.gateway_record)
        check_plain_headers(spec.base_url, headers, owner)
    return headers, {name: _query_value(name, value) for name, value in query.items()}


def _query_value(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_query_value(name, item) for item in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Secret):
        return Hidden(value.reveal())
    if isinstance(value, str | int | float):
        return value
    raise InputTypeError(
        f"{name!r} in extra_query must be text, a number or a list of them, not {type(value).__name__}"
    )


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


def _rename(fields: dict[str, Any], field: str, other: str, names: Iterable[str], report: ParameterReport) -> None:
    value = fields.pop(field)
    is_free = other not in fields
    if is_free:
        fields[other] = value
    for name in names:
        if is_free:
            report.renamed(name, other)
        else:
            report.dropped(name, f"{other} is given too")


def _clamped(value: Any, limits: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return limits.get("map", {}).get(value, value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = max(value, limits.get("min", value))
        value = min(value, limits.get("max", value))
    return value
