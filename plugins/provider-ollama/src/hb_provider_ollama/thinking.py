"""`think`, `reasoning_effort`, `reasoning_max_tokens` and `reasoning_exclude` as Ollama's field `think`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.wires import OPTIONS, REMOVED, nearest_step, thinking_off, thoughts_hidden
from heavenbase.wires import STEPS as KNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.spec import LLMSpec
    from heavenbase.types import ParameterReport

STEPS = ("low", "medium", "high", "max")
"""What the wire takes where nothing is known of the model."""
_AMOUNTS = ("reasoning_effort",)


def is_hidden(args: Mapping[str, Any], explicit: frozenset[str]) -> bool:
    """Whether thoughts are left out of the answer."""
    return thoughts_hidden(args, explicit, _AMOUNTS)


def think_field(
    spec: LLMSpec, args: Mapping[str, Any], explicit: frozenset[str], report: ParameterReport
) -> bool | str | None:
    """The value of `think`; None when nothing is to be said."""
    given = {name: args[name] for name in OPTIONS if args.get(name) is not None}
    if given.pop("reasoning_max_tokens", None) is not None:
        report.dropped("reasoning_max_tokens", "the wire has no limit for thinking alone; use reasoning_effort")
    if given.pop("reasoning_exclude", None) is not None:
        report.emulated("reasoning_exclude", REMOVED)
    if thinking_off(args, explicit, _AMOUNTS):
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


def _step(spec: LLMSpec, step: Any, report: ParameterReport) -> bool | str:
    report.renamed("reasoning_effort", "think")
    if step == "none":
        return False
    allowed = spec.capability("reasoning_efforts")
    steps = tuple(allowed) if isinstance(allowed, list) and allowed else STEPS
    if step in steps:
        return str(step)
    # "max" is for those who ask for it: a word that hb does not know is no such wish.
    nearest = "high" if steps is STEPS and step not in KNOWN else nearest_step(step, steps)
    report.clamped("reasoning_effort", f"the model has {', '.join(steps)}; {nearest} is sent")
    return nearest
