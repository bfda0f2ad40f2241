"""How hb's options about thinking look on this wire: `thinking` and `output_config.effort`. Pure.

think, reasoning_effort    budget: {type: enabled, budget_tokens}    adaptive: {type: adaptive} and effort
reasoning_max_tokens       budget_tokens where the model takes them
think=False                nothing, {type: disabled} or {type: between_tools}, as the model has it
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from heavenbase.errors import InputError, InputTypeError
from heavenbase.wires import BUDGETS, OPTIONS, REMOVED, STEPS, nearest_step, thinking_off

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_gateway_anthropic.models import Traits
    from heavenbase.types import ParameterReport

LEAST_BUDGET = 1024
BY_DEFAULT = "medium"
"""The step whose budget thoughts get where nobody names one, and the room where the model decides for itself."""


class Thoughts(NamedTuple):
    """What a request says about thinking.

    `thinking` and `effort` are the wire's fields or None; `room` the tokens that thoughts may take beside the answer;
    `is_fixed` whether the caller himself set the budget.
    """

    thinking: dict[str, Any] | None = None
    effort: str | None = None
    room: int = 0
    is_fixed: bool = False

    @property
    def budget(self) -> int | None:
        """Tokens of a fixed budget."""
        found = (self.thinking or {}).get("budget_tokens")
        return found if isinstance(found, int) else None

    @property
    def is_on(self) -> bool:
        """Whether the request asks the model to think."""
        return (self.thinking or {}).get("type") in ("enabled", "adaptive")


def translate(
    traits: Traits, args: Mapping[str, Any], explicit: frozenset[str], may_begin: bool, report: ParameterReport
) -> Thoughts:
    """The wire's fields for hb's options, or for the wire's own `thinking`, which a caller may give as it is.

    `may_begin` is False in the middle of a round of tools that began without thoughts, where a model that thinks by
    budget cannot begin to.
    """
    given = {name: args[name] for name in OPTIONS if args.get(name) is not None}
    native = args.get("thinking")
    if native is not None:
        return _as_given(native, given, report)
    if given.get("reasoning_exclude") is not None:
        hides = "thoughts are shown" if not given["reasoning_exclude"] else REMOVED
        report.emulated("reasoning_exclude", hides)
    if thinking_off(args, explicit, by_step=True):
        return _off(traits, given, report)
    if given.get("think") or "reasoning_effort" in given or "reasoning_max_tokens" in given:
        if traits.thinking == "none":
            return _without(given, "the model does not think", report)
        if traits.thinking == "budget" or (traits.thinking == "either" and "reasoning_max_tokens" in given):
            if not may_begin:
                return _without(given, "the tool calls that are answered here were made without thoughts", report)
            return _by_budget(traits, given, report)
        return _adaptive(traits, given, report)
    return Thoughts(room=BUDGETS[BY_DEFAULT] if traits.off == "never" and traits.thinking != "none" else 0)


def _without(given: Mapping[str, Any], reason: str, report: ParameterReport) -> Thoughts:
    for name in OPTIONS[:3]:
        if name in given:
            report.dropped(name, reason)
    return Thoughts()


def _as_given(native: Any, given: Mapping[str, Any], report: ParameterReport) -> Thoughts:
    if not isinstance(native, dict):
        raise InputTypeError(f"thinking must be a mapping, not {type(native).__name__}; think=True asks for it simply")
    report.sent("thinking")
    for name in given:
        if name == "reasoning_exclude":
            report.emulated(name, REMOVED)
        else:
            report.dropped(name, "`thinking` is given")
    found = Thoughts(native, is_fixed=True)
    return found._replace(room=found.budget or (BUDGETS[BY_DEFAULT] if found.is_on else 0))


def _off(traits: Traits, given: dict[str, Any], report: ParameterReport) -> Thoughts:
    named = "think" if "think" in given else "reasoning_effort"
    for name in ("reasoning_effort", "reasoning_max_tokens"):
        if name in given and name != named:
            report.dropped(name, "thinking is switched off")
    if traits.thinking == "none":
        report.emulated(named, "the model does not think")
    elif traits.off == "omit":
        report.emulated(named, "the model thinks only when it is asked to")
    elif traits.off == "never":
        report.emulated(named, f"the model always thinks; its thoughts are {REMOVED}")
        return Thoughts(room=BUDGETS[BY_DEFAULT])
    else:
        report.renamed(named, "thinking.type")
        return Thoughts({"type": traits.off})
    return Thoughts()


def _by_budget(traits: Traits, given: dict[str, Any], report: ParameterReport) -> Thoughts:
    step, asked = given.get("reasoning_effort"), given.get("reasoning_max_tokens")
    if step is not None:
        _check_step(step)
    effort = nearest_step(step, traits.efforts) if step is not None and traits.efforts else None
    if "think" in given:
        report.renamed("think", "thinking.type")
    if asked is not None:
        if isinstance(asked, bool) or not isinstance(asked, int):
            raise InputTypeError(f"reasoning_max_tokens must be a number of tokens, not {type(asked).__name__}")
        report.renamed("reasoning_max_tokens", "thinking.budget_tokens")
        if asked < LEAST_BUDGET:
            report.clamped("reasoning_max_tokens", f"{LEAST_BUDGET} is the least that the wire takes")
    if step is not None:
        if effort is not None:
            _report_effort(step, effort, traits.efforts, report)
        elif asked is None:
            report.renamed("reasoning_effort", "thinking.budget_tokens")
        else:
            report.dropped("reasoning_effort", "reasoning_max_tokens takes its place")
    budget = max(asked, LEAST_BUDGET) if asked is not None else BUDGETS[step or BY_DEFAULT]
    return Thoughts({"type": "enabled", "budget_tokens": budget}, effort, budget, asked is not None)


def _adaptive(traits: Traits, given: dict[str, Any], report: ParameterReport) -> Thoughts:
    thinking: dict[str, Any] = {"type": "adaptive"}
    if traits.hides_thoughts:
        thinking["display"] = "omitted" if given.get("reasoning_exclude") else "summarized"
        if given.get("reasoning_exclude"):
            report.renamed("reasoning_exclude", "thinking.display")
    if "think" in given:
        report.renamed("think", "thinking.type")
    if "reasoning_max_tokens" in given:
        report.dropped("reasoning_max_tokens", "the model takes no budget for its thoughts; use reasoning_effort")
    step = given.get("reasoning_effort")
    effort = None
    if step is not None:
        _check_step(step)
        if traits.efforts:
            effort = nearest_step(step, traits.efforts)
            _report_effort(step, effort, traits.efforts, report)
        else:
            report.dropped("reasoning_effort", "the model has no steps of thinking")
    return Thoughts(thinking, effort, BUDGETS[step if step is not None else BY_DEFAULT])


def _check_step(step: Any) -> None:
    if not isinstance(step, str) or step not in BUDGETS:
        raise InputError(f"unknown reasoning_effort {step!r}; steps: {', '.join(STEPS)}")


def _report_effort(step: str, effort: str, efforts: tuple[str, ...], report: ParameterReport) -> None:
    if effort == step:
        report.renamed("reasoning_effort", "output_config.effort")
    else:
        report.clamped("reasoning_effort", f"the model has {', '.join(efforts)}; {effort} is sent")
