"""`think`, `reasoning_effort`, `reasoning_max_tokens` and `reasoning_exclude` as a thinkingConfig. Pure.

asked                     models with levels            models with budgets
think=True                includeThoughts               includeThoughts
think=False               the lowest level              thinkingBudget 0, or the least
reasoning_effort          thinkingLevel                 thinkingBudget 1024, 8192, 24576
reasoning_max_tokens      thinkingBudget                thinkingBudget
reasoning_exclude         includeThoughts: false        includeThoughts: false
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.wires import REMOVED, asked_thoughts, nearest_step, whole_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_gemini.models import Traits
    from heavenbase.types import ParameterReport

BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 32_768, "max": 32_768}


def thinking_config(
    traits: Traits, args: Mapping[str, Any], explicit: frozenset[str], report: ParameterReport
) -> dict[str, Any]:
    """The fields of thinkingConfig; empty when nothing is to be said."""
    given, off = asked_thoughts(args, explicit, report, thinks=traits.thinks)
    if not given:
        return {}
    if off:
        return _off(traits, report)
    config: dict[str, Any] = {"includeThoughts": True}
    if "think" in given:
        report.renamed("think", "thinkingConfig.includeThoughts")
    if "reasoning_max_tokens" in given:
        config["thinkingBudget"] = _budget(traits, given["reasoning_max_tokens"], report)
        if "reasoning_effort" in given:
            report.dropped("reasoning_effort", "reasoning_max_tokens takes its place")
    elif "reasoning_effort" in given:
        config.update(_effort(traits, given["reasoning_effort"], report))
    if "reasoning_exclude" in given:
        config["includeThoughts"] = not given["reasoning_exclude"]
        report.renamed("reasoning_exclude", "thinkingConfig.includeThoughts")
    return config


def _off(traits: Traits, report: ParameterReport) -> dict[str, Any]:
    if traits.budget is not None:
        if traits.can_stop:
            report.renamed("think", "thinkingConfig.thinkingBudget")
            return {"thinkingBudget": 0}
        report.emulated("think", f"the model cannot be told not to think; thoughts are {REMOVED}")
        return {"thinkingBudget": traits.budget[0]}
    report.emulated("think", f"the model thinks at least at level {traits.levels[0]}; thoughts are {REMOVED}")
    return {"thinkingLevel": traits.levels[0]}


def _budget(traits: Traits, tokens: Any, report: ParameterReport) -> int:
    asked = whole_tokens("reasoning_max_tokens", tokens)
    least, greatest = traits.budget or (0, 32_768)
    fitted = asked if asked in (-1, 0) and traits.can_stop else min(max(asked, least), greatest)
    report.renamed("reasoning_max_tokens", "thinkingConfig.thinkingBudget")
    if fitted != asked:
        report.clamped("reasoning_max_tokens", f"the model takes {least} to {greatest} tokens; {fitted} is sent")
    return fitted


def _effort(traits: Traits, step: Any, report: ParameterReport) -> dict[str, Any]:
    if traits.budget is None:
        level = nearest_step(step, traits.levels)
        report.renamed("reasoning_effort", "thinkingConfig.thinkingLevel")
        if level != step:
            report.clamped("reasoning_effort", f"the model has {', '.join(traits.levels)}; {level} is sent")
        return {"thinkingLevel": level}
    least, greatest = traits.budget
    if step == "none" and traits.can_stop:
        report.renamed("reasoning_effort", "thinkingConfig.thinkingBudget")
        return {"thinkingBudget": 0, "includeThoughts": False}
    named = nearest_step(step, tuple(BUDGETS))
    tokens = min(max(BUDGETS[named], least), greatest)
    report.renamed("reasoning_effort", "thinkingConfig.thinkingBudget")
    if named != step:
        report.clamped("reasoning_effort", f"the model has no step {step!r}; {tokens} tokens are sent")
    return {"thinkingBudget": tokens}
