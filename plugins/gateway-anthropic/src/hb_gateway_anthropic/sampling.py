"""temperature, top_p and top_k, as far as the model and its thinking let them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hb_gateway_anthropic.models import Traits
    from heavenbase.types import ParameterReport

NAMES = ("temperature", "top_p", "top_k")
_LEAST_TOP_P = 0.95


def fit_sampling(
    wire: dict[str, Any], traits: Traits, thinks: bool, explicit: frozenset[str], report: ParameterReport
) -> None:
    """Take out of the fields what this request may not have; the defaults of the wire are no loss."""
    for name in NAMES:
        if name not in wire:
            continue
        value = wire[name]
        if traits.sampling == "none":
            _drop(wire, name, "the model samples as it sees fit", report)
        elif thinks and not _goes_with_thoughts(name, value):
            _drop(wire, name, "a model that thinks samples as it sees fit", report)
        elif name == "temperature" and isinstance(value, int | float) and value > 1:
            wire[name] = 1
            report.clamped(name, f"{value} is above the wire's limit; 1 is sent")
    if traits.sampling == "one" and "temperature" in wire and "top_p" in wire:
        loser = "temperature" if "top_p" in explicit and "temperature" not in explicit else "top_p"
        _drop(wire, loser, "the model takes temperature or top_p, not both", report)


def _goes_with_thoughts(name: str, value: Any) -> bool:
    if name == "temperature":
        return bool(value == 1)
    return name == "top_p" and isinstance(value, int | float) and value >= _LEAST_TOP_P


def _drop(wire: dict[str, Any], name: str, reason: str, report: ParameterReport) -> None:
    value = wire.pop(name)
    if name != "top_k" and value == 1:
        report.emulated(name, "1 is what the model does anyhow")
    else:
        report.dropped(name, reason)
