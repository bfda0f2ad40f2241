"""`think`, `reasoning_effort`, `reasoning_max_tokens` and `reasoning_exclude` as the field `thinking`. Pure.

asked                     sent
think=True, False         {type: enabled}, {type: disabled}
reasoning_effort          {type: enabled, token_budget: 512 ... 8192}; high and above: no budget; none: disabled
reasoning_max_tokens      {type: enabled, token_budget}
reasoning_exclude         thoughts are removed from the answer
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.wires import asked_thoughts, whole_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_cohere.models import Traits
    from heavenbase.types import ParameterReport

BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192}
"""Tokens to think in by step; the steps above have no bound."""
_UNBOUND = ("high", "xhigh", "max")


def thinking_field(
    traits: Traits, args: Mapping[str, Any], explicit: frozenset[str], report: ParameterReport
) -> dict[str, Any]:
    """The field `thinking`; empty when nothing is to be said."""
    given, off = asked_thoughts(args, explicit, report, thinks=traits.thinks)
    if not given:
        return {}
    if off:
        report.renamed("think", "thinking.type")
        return {"type": "disabled"}
    field: dict[str, Any] = {"type": "enabled"} if given.keys() != {"reasoning_exclude"} else {}
    if "think" in given:
        report.renamed("think", "thinking.type")
    if "reasoning_exclude" in given:
        report.emulated("reasoning_exclude", "thoughts are removed from the answer")
    if "reasoning_max_tokens" in given:
        field["token_budget"] = max(whole_tokens("reasoning_max_tokens", given["reasoning_max_tokens"]), 1)
        report.renamed("reasoning_max_tokens", "thinking.token_budget")
        if "reasoning_effort" in given:
            report.dropped("reasoning_effort", "reasoning_max_tokens takes its place")
    elif "reasoning_effort" in given:
        field.update(_effort(given["reasoning_effort"], report))
    return field


def _effort(step: Any, report: ParameterReport) -> dict[str, Any]:
    if step == "none":
        report.renamed("reasoning_effort", "thinking.type")
        return {"type": "disabled"}
    if step in BUDGETS:
        report.renamed("reasoning_effort", "thinking.token_budget")
        return {"token_budget": BUDGETS[step]}
    if step in _UNBOUND:
        report.emulated("reasoning_effort", "the wire has no steps; the model thinks without a bound")
    else:
        report.clamped("reasoning_effort", f"hb knows no step {step!r}; the model thinks without a bound")
    return {}
