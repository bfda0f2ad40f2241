"""`think`, `reasoning_effort`, `reasoning_max_tokens` and `reasoning_exclude` as `reasoning_effort`. Pure.

asked                     models by effort            Magistral              others
think=True                reasoning_effort high       it always thinks       -
think=False               reasoning_effort none       thoughts are removed   -
reasoning_effort          reasoning_effort            lost                   lost
reasoning_exclude         thoughts are removed from the answer
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.wires import asked_thoughts, thinking_off

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_mistral.models import Traits
    from heavenbase.types import ParameterReport

REMOVED = "thoughts are removed from the answer"
_AMOUNTS = ("reasoning_effort",)
_STEPLESS = {"never": "the model does not think", "always": "the model has no steps of thinking"}


def effort_of(traits: Traits, args: Mapping[str, Any], explicit: frozenset[str], report: ParameterReport) -> str | None:
    """The field `reasoning_effort`; None when nothing is to be said."""
    given, off = asked_thoughts(args, explicit, report, _AMOUNTS)
    if not given:
        return None
    if given.pop("reasoning_max_tokens", None) is not None:
        report.dropped("reasoning_max_tokens", "the wire has no limit for thinking alone; use reasoning_effort")
    if given.pop("reasoning_exclude", None) is not None:
        report.emulated("reasoning_exclude", REMOVED)
    if traits.thinks != "by_effort":
        _report(traits, given, off, report)
        return None
    if off:
        report.renamed("think", "reasoning_effort")
        return "none"
    step = given.get("reasoning_effort")
    if step is not None:
        report.sent("reasoning_effort")
        if "think" in given:
            report.emulated("think", "a step of thinking says it")
    elif "think" in given:
        step = "high"
        report.renamed("think", "reasoning_effort")
    return step


def is_off(args: Mapping[str, Any], explicit: frozenset[str]) -> bool:
    """Whether this call is not to think; a step is all that the wire has beside the switch."""
    return thinking_off(args, explicit, _AMOUNTS)


def _report(traits: Traits, given: Mapping[str, Any], off: bool, report: ParameterReport) -> None:
    if "reasoning_effort" in given:
        report.dropped("reasoning_effort", _STEPLESS[traits.thinks])
    if "think" in given:
        if traits.thinks == "never":
            report.emulated("think", "the model does not think")
        else:
            report.emulated("think", f"the model cannot be told not to think; {REMOVED}" if off else "it always thinks")
