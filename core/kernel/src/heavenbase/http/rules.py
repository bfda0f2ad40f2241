"""The provider's rules about parameters (`[[provider.parameters]]`): drop, rename, clamp. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from heavenbase.spec import LLMSpec
    from heavenbase.types import ParameterEntry, ParameterReport


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
    if not spec.provider_record.get("parameters"):
        return
    for rule in spec.parameter_rules(fields):
        if "drop" in rule:
            for field, reason in rule["drop"].items():
                if field in fields:
                    del fields[field]
                    for name in names(field):
                        report.dropped(name, reason)
        if "rename" in rule:
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
