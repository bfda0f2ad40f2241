"""The provider's rules about parameters (`[[provider.parameters]]`), applied to hb's names of them. Pure."""

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
            if name not in fields:
                continue
            value = fields.pop(name)
            if other in fields:
                report.dropped(name, f"{other} is given too")
            else:
                fields[other] = value
                report.renamed(name, other)
        for name, limits in rule.get("clamp", {}).items():
            if name in fields:
                new = _clamped(fields[name], limits)
                if new != fields[name]:
                    report.clamped(name, f"{fields[name]!r} is not taken there; {new!r} is sent")
                    fields[name] = new


def _clamped(value: Any, limits: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return limits.get("map", {}).get(value, value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return min(max(value, limits.get("min", value)), limits.get("max", value))
    return value
