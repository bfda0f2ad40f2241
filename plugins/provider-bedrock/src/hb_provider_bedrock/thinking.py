"""How hb's options about thinking look on this wire, below additionalModelRequestFields. Pure.

Claude      thinking: {type: enabled, budget_tokens} or {type: adaptive}, output_config: {effort}
Nova 2      reasoningConfig: {type: enabled, maxReasoningEffort}
gpt-oss     reasoning_effort
others      think by themselves or not at all; nothing can be asked for
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from heavenbase.errors import InputError, InputTypeError
from heavenbase.wires import BUDGETS, OPTIONS, REMOVED, STEPS, nearest_step, thinking_off

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hb_provider_bedrock.claude import Claude
    from hb_provider_bedrock.models import Traits
    from heavenbase.types import ParameterReport

LEAST_BUDGET = 1024
BY_DEFAULT = "medium"
_FIELDS = "additionalModelRequestFields"
_LOW_TO_HIGH = ("low", "medium", "high")


class Thoughts(NamedTuple):
    """What a request says about thinking: its fields, whether the model is asked to think, and the tokens for it."""

    fields: dict[str, Any]
    is_on: bool = False
    budget: int | None = None
    is_fixed: bool = False


def translate(
    traits: Traits, args: Mapping[str, Any], explicit: frozenset[str], may_begin: bool, report: ParameterReport
) -> Thoughts:
    """The fields for hb's options.

    `may_begin` is False in the middle of a round of tools that began without thoughts, where Claude cannot begin to.
    """
    given = {name: args[name] for name in OPTIONS if args.get(name) is not None}
    if given.get("reasoning_exclude") is not None:
        report.emulated("reasoning_exclude", REMOVED if given["reasoning_exclude"] else "thoughts are shown")
    asked = {name: value for name, value in given.items() if name != "reasoning_exclude"}
    if asked.get("reasoning_effort") is not None:
        _check_step(asked["reasoning_effort"])
    budget = asked.get("reasoning_max_tokens")
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int)):
        raise InputTypeError(f"reasoning_max_tokens must be a number of tokens, not {type(budget).__name__}")
    if thinking_off(args, explicit, by_step=True):
        return _off(traits, asked, report)
    if not asked or asked == {"think": False}:
        return _off(traits, asked, report) if asked else Thoughts({})
    if traits.claude is not None and traits.thinking == "claude":
        return _claude(traits.claude, asked, may_begin, report)
    if traits.thinking == "nova":
        return _by_step(asked, "reasoningConfig.maxReasoningEffort", report)
    if traits.thinking == "effort":
        return _by_step(asked, "reasoning_effort", report)
    if traits.thinking == "always":
        return _always(asked, report)
    reason = (
        "the model does not think"
        if traits.thinking == "none"
        else f"hb does not know how this model is told to think; pass {_FIELDS} in extra_body"
    )
    return _without(asked, reason, report)


def _without(asked: Mapping[str, Any], reason: str, report: ParameterReport) -> Thoughts:
    for name in asked:
        report.dropped(name, reason)
    return Thoughts({})


def _always(asked: Mapping[str, Any], report: ParameterReport) -> Thoughts:
    for name in asked:
        if name == "think":
            report.emulated(name, "the model always thinks")
        else:
            report.dropped(name, "the model thinks as much as it sees fit")
    return Thoughts({})


def _off(traits: Traits, asked: dict[str, Any], report: ParameterReport) -> Thoughts:
    named = "think" if "think" in asked else "reasoning_effort"
    for name in ("reasoning_effort", "reasoning_max_tokens"):
        if name in asked and name != named:
            report.dropped(name, "thinking is switched off")
    claude = traits.claude
    if claude is not None and claude.off == "disabled":
        report.renamed(named, f"{_FIELDS}.thinking.type")
        return Thoughts({"thinking": {"type": "disabled"}})
    if traits.thinking in ("always", "effort") or (claude is not None and claude.off == "never"):
        report.emulated(named, f"the model always thinks; its thoughts are {REMOVED}")
    else:
        report.emulated(named, "the model thinks only when it is asked to")
    return Thoughts({})


def _by_step(asked: Mapping[str, Any], path: str, report: ParameterReport) -> Thoughts:
    step = asked.get("reasoning_effort", BY_DEFAULT)
    fitted = nearest_step(step, _LOW_TO_HIGH)
    if "think" in asked:
        report.renamed("think", f"{_FIELDS}.{path}")
    if "reasoning_effort" in asked:
        _report_step(step, fitted, _LOW_TO_HIGH, f"{_FIELDS}.{path}", report)
    if "reasoning_max_tokens" in asked:
        if asked.keys() == {"reasoning_max_tokens"}:
            report.clamped("reasoning_max_tokens", f"the model thinks by steps, not by budget; {fitted} is sent")
        else:
            report.dropped("reasoning_max_tokens", "the model thinks by steps, not by budget")
    outer, dot, inner = path.partition(".")
    fields = {outer: {"type": "enabled", inner: fitted}} if dot else {outer: fitted}
    return Thoughts(fields, is_on=outer == "reasoningConfig")


def _claude(claude: Claude, asked: Mapping[str, Any], may_begin: bool, report: ParameterReport) -> Thoughts:
    by_budget = claude.thinking == "budget" or (claude.thinking == "either" and "reasoning_max_tokens" in asked)
    if by_budget and not may_begin:
        return _without(asked, "the tool calls that are answered here were made without thoughts", report)
    if "think" in asked:
        report.renamed("think", f"{_FIELDS}.thinking.type")
    step, budget = asked.get("reasoning_effort"), asked.get("reasoning_max_tokens")
    fields: dict[str, Any] = {}
    if step is not None and claude.efforts:
        fitted = nearest_step(step, claude.efforts)
        fields["output_config"] = {"effort": fitted}
        _report_step(step, fitted, claude.efforts, f"{_FIELDS}.output_config.effort", report)
    if not by_budget:
        if budget is not None:
            report.dropped("reasoning_max_tokens", "the model takes no budget for its thoughts; use reasoning_effort")
        return Thoughts({"thinking": {"type": "adaptive"}, **fields}, is_on=True)
    if step is not None and not claude.efforts:
        if budget is None:
            report.renamed("reasoning_effort", f"{_FIELDS}.thinking.budget_tokens")
        else:
            report.dropped("reasoning_effort", "reasoning_max_tokens takes its place")
    if budget is not None:
        report.renamed("reasoning_max_tokens", f"{_FIELDS}.thinking.budget_tokens")
        if budget < LEAST_BUDGET:
            report.clamped("reasoning_max_tokens", f"{LEAST_BUDGET} is the least that the wire takes")
    tokens = max(budget, LEAST_BUDGET) if budget is not None else BUDGETS[step or BY_DEFAULT]
    thinking = {"type": "enabled", "budget_tokens": tokens}
    return Thoughts({"thinking": thinking, **fields}, True, tokens, budget is not None)


def _check_step(step: Any) -> None:
    if step not in STEPS:
        raise InputError(f"unknown reasoning_effort {step!r}; steps: {', '.join(STEPS)}")


def _report_step(step: str, fitted: str, efforts: Sequence[str], wire: str, report: ParameterReport) -> None:
    if fitted == step:
        report.renamed("reasoning_effort", wire)
    else:
        report.clamped("reasoning_effort", f"the model has {', '.join(efforts)}; {fitted} is sent")
