"""The provider's rules about parameters (`[[provider.parameters]]`), on hb's names: drop, rename, clamp. Pure."""

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
        for name, reason in rule.get("drop", {}).items():
            if fields.pop(name, None) is not None:
                report.dropped(name, reason)
        for name, other in rule.get("rename", {}).items():
            if name in fields:
                _rename(fields, name, other, report)
        for name, limits in rule.get("clamp", {}).items():
            if name in fields and (new := _clamped(fields[name], limits)) != fields[name]:
                report.clamped(name, f"{fields[name]!r} is not taken there; {new!r} is sent")
                fields[name] = new


def _rename(fields: dict[str, Any], name: str, other: str, report: ParameterReport) -> None:
    value = fields.pop(name)
    if other in fields:
        report.dropped(name, f"{other} is given too")
    else:
        fields[other] = value
        report.renamed(name, other)


def _clamped(value: Any, limits: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return limits.get("map", {}).get(value, value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return min(max(value, limits.get("min", value)), limits.get("max", value))
    return value
