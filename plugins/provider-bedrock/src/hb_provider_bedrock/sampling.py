"""temperature, top_p and top_k of Claude, as far as the generation and its thinking let them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hb_provider_bedrock.models import Traits
    from heavenbase.types import ParameterReport

_FIELDS = "additionalModelRequestFields"
_PLACES = {
    "temperature": ("inferenceConfig", "temperature"),
    "top_p": ("inferenceConfig", "topP"),
    "top_k": (_FIELDS, "top_k"),
}
_LEAST_TOP_P = 0.95


def fit_sampling(
    wire: dict[str, Any], traits: Traits, thinks: bool, explicit: frozenset[str], report: ParameterReport
) -> None:
    """Take out of the fields what this request may not have; the defaults of the wire are no loss."""
    claude = traits.claude
    if claude is None:
        return
    for name, (table, field) in _PLACES.items():
        value = (wire.get(table) or {}).get(field)
        if value is None:
            continue
        if claude.sampling == "none":
            _drop(wire, name, "the model samples as it sees fit", report)
        elif thinks and not _goes_with_thoughts(name, value):
            _drop(wire, name, "a model that thinks samples as it sees fit", report)
    inference = wire.get("inferenceConfig") or {}
    if claude.sampling == "one" and inference.keys() >= {"temperature", "topP"}:
        loser = "temperature" if "top_p" in explicit and "temperature" not in explicit else "top_p"
        _drop(wire, loser, "the model takes temperature or top_p, not both", report)


def _goes_with_thoughts(name: str, value: Any) -> bool:
    if name == "temperature":
        return bool(value == 1)
    return name == "top_p" and isinstance(value, int | float) and value >= _LEAST_TOP_P


def _drop(wire: dict[str, Any], name: str, reason: str, report: ParameterReport) -> None:
    table, field = _PLACES[name]
    kept = dict(wire[table])
    value = kept.pop(field)
    if kept:
        wire[table] = kept
    else:
        del wire[table]
    if name not in report.entries:
        return  # given in the wire's own shape
    if name != "top_k" and value == 1:
        report.emulated(name, "1 is what the model does anyhow")
    else:
        report.dropped(name, reason)
