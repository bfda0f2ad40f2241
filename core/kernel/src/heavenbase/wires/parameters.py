"""Arguments of a call that all wires read alike: which count, the limit of tokens, how much to think. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputTypeError
from heavenbase.http.rules import EXTRAS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heavenbase.call import Call
    from heavenbase.types import ParameterReport

LIMITS = ("max_tokens", "max_completion_tokens")
"""The two names of one limit."""
OPTIONS = ("think", "reasoning_effort", "reasoning_max_tokens", "reasoning_exclude")
AMOUNTS = ("reasoning_effort", "reasoning_max_tokens")
"""The options that say how much."""
STEPS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Steps of thinking, weakest first."""
BUDGETS: Mapping[str, int] = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 24576,
    "max": 24576,
}
"""Tokens for thoughts by step, for models that think by budget and whose provider names no figures of its own."""
REMOVED = "removed from the answer"


def named_arguments(call: Call) -> dict[str, Any]:
    """The arguments of a call that are parameters; our default of `max_tokens` yields to its other name."""
    named = {name: value for name, value in call.args.items() if name not in EXTRAS and value is not None}
    if named.get("max_completion_tokens") is not None and "max_tokens" not in call.explicit:
        named.pop("max_tokens", None)
    return named


def token_limit(named: Mapping[str, Any], wire: str, report: ParameterReport) -> int | None:
    """The limit of tokens in an answer, which stands in the field `wire`; None when there is none."""
    given = {name: whole_tokens(name, named[name]) for name in LIMITS if named.get(name) is not None}
    for place, name in enumerate(given):
        if place:
            report.dropped(name, f"{LIMITS[0]} is given too")
        elif name == wire:
            report.sent(name)
        else:
            report.renamed(name, wire)
    return next(iter(given.values()), None)


def whole_tokens(name: str, value: Any) -> int:
    """A number of tokens; InputTypeError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputTypeError(f"{name} must be a whole number of tokens, not {type(value).__name__}")
    return value


def thinking_off(
    args: Mapping[str, Any], explicit: frozenset[str], amounts: Sequence[str] = AMOUNTS, *, by_step: bool = False
) -> bool:
    """Whether this call is not to think: an amount that the caller gives beats a `think=False` that he inherited.

    `amounts` are those that the wire has; with `by_step` the step "none" switches thinking off too.
    """
    if by_step and args.get("reasoning_effort") == "none":
        return True
    if args.get("think") is not False:
        return False
    return "think" in explicit or not any(args.get(name) is not None and name in explicit for name in amounts)


def thoughts_hidden(
    args: Mapping[str, Any], explicit: frozenset[str], amounts: Sequence[str] = AMOUNTS, *, by_step: bool = False
) -> bool:
    """Whether thoughts are left out of the answer; the arguments are those of `thinking_off`."""
    return bool(args.get("reasoning_exclude")) or thinking_off(args, explicit, amounts, by_step=by_step)


def asked_thoughts(
    args: Mapping[str, Any],
    explicit: frozenset[str],
    report: ParameterReport,
    amounts: Sequence[str] = AMOUNTS,
    *,
    thinks: bool = True,
) -> tuple[dict[str, Any], bool]:
    """(the options that count, whether thinking is switched off); those that the switch makes void are reported.

    For a model that does not think (`thinks` is False) none counts, and all are reported.
    """
    given = {name: args[name] for name in OPTIONS if args.get(name) is not None}
    off = thinking_off(args, explicit, amounts)
    if off:
        for name in OPTIONS[1:]:
            if given.pop(name, None) is not None:
                report.dropped(name, "think=False switches thinking off")
    if thinks:
        return given, off
    for name in given:
        if name == "think":
            report.emulated(name, "the model does not think")
        else:
            report.dropped(name, "the model does not think")
    return {}, off


def nearest_step(step: Any, steps: Sequence[str]) -> str:
    """The step itself where a model has it, else the nearest of its steps.

    Of two that are equally near it is the weaker, in whatever order they are listed: it costs less. Where hb does not
    know the step, or none of the model's, it is the last of the list.
    """
    if step in steps:
        return str(step)
    known = sorted((name for name in steps if name in STEPS), key=STEPS.index)
    if step not in STEPS or not known:
        return steps[-1]
    return min(known, key=lambda name: abs(STEPS.index(name) - STEPS.index(step)))
