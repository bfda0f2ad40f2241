"""The provider's rules about parameters (`[[provider.parameters]]`): drop, rename, clamp. Pure.

They are applied twice, to hb's names of parameters and to the wire's, so that a manifest may use either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.spec import LLMSpec
    from heavenbase.types import ParameterReport


def apply_rules(spec: LLMSpec, fields: dict[str, Any], report: ParameterReport) -> None:
    """Change the fields by the rules for this model, in their order, and report what changed."""
    if not spec.provider_record.get("parameters"):
        return
    for rule in spec.parameter_rules(fields):
        for field, reason in rule.get("drop", {}).items():
            if fields.pop(field, None) is not None:
                for name in _names(field, report):
                    report.dropped(name, reason)
        for field, other in rule.get("rename", {}).items():
            if field not in fields:
                continue
            value, names = fields.pop(field), _names(field, report)
            if other not in fields:
                fields[other] = value
            for name in names:
                if fields[other] is value:
                    report.renamed(name, other)
                else:
                    report.dropped(name, f"{other} is given too")
        for field, limits in rule.get("clamp", {}).items():
            if field in fields:
                before, fields[field] = fields[field], _clamped(fields[field], limits)
                if fields[field] != before:
                    for name in _names(field, report):
                        report.clamped(name, f"{before!r} is not taken there; {fields[field]!r} is sent")


def _names(field: str, report: ParameterReport) -> list[str]:
    """The parameters that stand in a field of the wire; without a report of them it is the field's own name."""
    found = [e.name for e in report.entries.values() if e.wire is not None and e.wire.partition(".")[0] == field]
    return found or [field]


def _clamped(value: Any, limits: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return limits.get("map", {}).get(value, value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = max(value, limits.get("min", value))
        value = min(value, limits.get("max", value))
    return value
