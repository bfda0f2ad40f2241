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

from heavenbase.errors import InputTypeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_gemini.models import Traits
    from heavenbase.types import ParameterReport

STEPS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Steps of thinking, weakest first."""
BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 32_768, "max": 32_768}
REMOVED = "removed from the answer"


def is_hidden(args: Mapping[str, Any], explicit: frozenset[str]) -> bool:
    """Whether thoughts are left out of the answer."""
    return _is_off(args, explicit) or bool(args.get("reasoning_exclude"))


def thinking_config(
    traits: Traits, args: Mapping[str, Any], explicit: frozenset[str], report: ParameterReport
) -> dict[str, Any]:
    """The fields of thinkingConfig; empty when nothing is to be said."""
    given = {name: args[name] for name in _NAMES if args.get(name) is not None}
    if not given:
        return {}
    off = _is_off(args, explicit)
    if off:
        for name in ("reasoning_effort", "reasoning_max_tokens", "reasoning_exclude"):
            if given.pop(name, None) is not None:
                report.dropped(name, "think=False switches thinking off")
    if not traits.thinks:
        _report_thoughtless(given, report)
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


_NAMES = ("think", "reasoning_effort", "reasoning_max_tokens", "reasoning_exclude")


def _is_off(args: Mapping[str, Any], explicit: frozenset[str]) -> bool:
    """Whether this call is not to think: a step that the caller gives beats a `think=False` that he inherited."""
    if args.get("think") is not False:
        return False
    steps = ("reasoning_effort", "reasoning_max_tokens")
    return "think" in explicit or not any(args.get(name) is not None and name in explicit for name in steps)


def _report_thoughtless(given: Mapping[str, Any], report: ParameterReport) -> None:
    for name in given:
        if name == "think":
            report.emulated(name, "the model does not think")
        else:
            report.dropped(name, "the model does not think")


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
    if isinstance(tokens, bool) or not isinstance(tokens, int):
        raise InputTypeError(f"reasoning_max_tokens must be a whole number of tokens, not {type(tokens).__name__}")
    least, greatest = traits.budget or (0, 32_768)
    fitted = tokens if tokens in (-1, 0) and traits.can_stop else min(max(tokens, least), greatest)
    report.renamed("reasoning_max_tokens", "thinkingConfig.thinkingBudget")
    if fitted != tokens:
        report.clamped("reasoning_max_tokens", f"the model takes {least} to {greatest} tokens; {fitted} is sent")
    return fitted


def _effort(traits: Traits, step: Any, report: ParameterReport) -> dict[str, Any]:
    if traits.budget is None:
        level = step if step in traits.levels else _nearest(step, traits.levels)
        report.renamed("reasoning_effort", "thinkingConfig.thinkingLevel")
        if level != step:
            report.clamped("reasoning_effort", f"the model has {', '.join(traits.levels)}; {level} is sent")
        return {"thinkingLevel": level}
    least, greatest = traits.budget
    if step == "none" and traits.can_stop:
        report.renamed("reasoning_effort", "thinkingConfig.thinkingBudget")
        return {"thinkingBudget": 0, "includeThoughts": False}
    named = step if step in BUDGETS else _nearest(step, tuple(BUDGETS))
    tokens = min(max(BUDGETS[named], least), greatest)
    report.renamed("reasoning_effort", "thinkingConfig.thinkingBudget")
    if named != step:
        report.clamped("reasoning_effort", f"the model has no step {step!r}; {tokens} tokens are sent")
    return {"thinkingBudget": tokens}


def _nearest(step: Any, steps: tuple[str, ...]) -> str:
    known = [name for name in steps if name in STEPS]
    if step not in STEPS or not known:
        return steps[-1]
    return min(known, key=lambda name: abs(STEPS.index(name) - STEPS.index(step)))
