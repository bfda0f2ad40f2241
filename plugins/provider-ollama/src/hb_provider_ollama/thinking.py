"""`think`, `reasoning_effort`, `reasoning_max_tokens` and `reasoning_exclude` as Ollama's field `think`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.spec import LLMSpec
    from heavenbase.types import ParameterReport

REMOVED = "removed from the answer"
STEPS = ("low", "medium", "high", "max")
_NEAREST = {"minimal": "low", "xhigh": "high"}
_ORDER = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def is_hidden(args: Mapping[str, Any], explicit: frozenset[str]) -> bool:
    """Whether thoughts are left out of the answer."""
    return _is_off(args, explicit) or bool(args.get("reasoning_exclude"))


def think_field(
    spec: LLMSpec, args: Mapping[str, Any], explicit: frozenset[str], report: ParameterReport
) -> bool | str | None:
    """The value of `think`; None when nothing is to be said."""
    given = {name: args[name] for name in _NAMES if args.get(name) is not None}
    if given.pop("reasoning_max_tokens", None) is not None:
        report.dropped("reasoning_max_tokens", "the wire has no limit for thinking alone; use reasoning_effort")
    if given.pop("reasoning_exclude", None) is not None:
        report.emulated("reasoning_exclude", REMOVED)
    if _is_off(args, explicit):
        if "reasoning_effort" in given:
            report.dropped("reasoning_effort", "think=False switches thinking off")
        report.renamed("think", "think")
        return False
    if "reasoning_effort" in given and spec.capability("reasoning_efforts") is not False:
        if "think" in given:
            report.renamed("think", "think")
        return _step(spec, given["reasoning_effort"], report)
    if "reasoning_effort" in given:
        report.dropped("reasoning_effort", "the model has no steps of thinking")
        if "think" in given and "think" not in explicit:
            report.emulated("think", "the model thinks as it is made")
            return None
    if "think" in given:
        report.renamed("think", "think")
        return True
    return None


_NAMES = ("think", "reasoning_effort", "reasoning_max_tokens", "reasoning_exclude")


def _is_off(args: Mapping[str, Any], explicit: frozenset[str]) -> bool:
    """Whether this call is not to think: a step that the caller gives beats a `think=False` that he inherited."""
    if args.get("think") is not False:
        return False
    return "think" in explicit or not (args.get("reasoning_effort") is not None and "reasoning_effort" in explicit)


def _step(spec: LLMSpec, step: Any, report: ParameterReport) -> bool | str:
    report.renamed("reasoning_effort", "think")
    if step == "none":
        return False
    allowed = spec.capability("reasoning_efforts")
    steps = tuple(allowed) if isinstance(allowed, list) and allowed else STEPS
    if step in steps:
        return str(step)
    known = [name for name in steps if name in _ORDER]
    if not isinstance(allowed, list):
        nearest = _NEAREST.get(step, "high")
    elif step in _ORDER and known:
        nearest = min(known, key=lambda name: abs(_ORDER.index(name) - _ORDER.index(step)))
    else:
        nearest = steps[-1]
    report.clamped("reasoning_effort", f"the model has {', '.join(steps)}; {nearest} is sent")
    return nearest
