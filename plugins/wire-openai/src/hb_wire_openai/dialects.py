"""How providers on the OpenAI wire are told to think, and how they want their thoughts back. Pure.

    thinking_control            switch                       steps                    thoughts come back as
    reasoning_effort            reasoning_effort = "none"    reasoning_effort         -
    extra_body_reasoning        reasoning.enabled            reasoning.effort         reasoning_details, reasoning
    extra_body_thinking_type    thinking.type                reasoning_effort         reasoning_content
    extra_body_enable_thinking  enable_thinking              reasoning_effort         -
    extra_body_chat_template    chat_template_kwargs         reasoning_effort         -
    (none)                      -                            reasoning_effort, asked  -

A provider's table `options` may say otherwise with `reasoning_replay`: a field name, or false.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from heavenbase.wires import REMOVED, asked_thoughts
from heavenbase.wires import thinking_off as thinking_off  # where the first release had it

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.spec import LLMSpec
    from heavenbase.types import ParameterReport

BY_DEFAULT = "the model thinks as its provider has set it"
_REPLAY = {
    "extra_body_reasoning": ("reasoning_details", "reasoning"),
    "extra_body_thinking_type": ("reasoning_content",),
}


def control_of(spec: LLMSpec) -> str | None:
    """The dialect of this model: its own, else its provider's."""
    return spec.thinking_control()


def replay_fields(spec: LLMSpec) -> tuple[str, ...]:
    """The message fields in which this provider takes its own thoughts back."""
    said = spec.provider_record.get("options", {}).get("reasoning_replay")
    if said is not None:
        return (str(said),) if said else ()
    return _REPLAY.get(control_of(spec) or "", ())


def translate(
    spec: LLMSpec, args: Mapping[str, Any], explicit: frozenset[str], report: ParameterReport
) -> dict[str, Any]:
    """The wire's fields for `think`, `reasoning_effort`, `reasoning_max_tokens` and `reasoning_exclude`."""
    given, off = asked_thoughts(args, explicit, report)
    if not given:
        return {}
    control = control_of(spec)
    if control in _SWITCHES:
        return _by_switch(_SWITCHES[control], given, off, report)
    if control == "reasoning_effort":
        return _by_effort(given, off, report)
    if control == "extra_body_reasoning":
        return _by_reasoning(given, off, report)
    return _by_request(given, off, explicit, report)


class _Switch(NamedTuple):
    """A field that says whether to think, its values, and the field for the limit of thoughts where there is one."""

    field: str
    on: Any
    off: Any
    budget: str = ""


_SWITCHES: Mapping[str | None, _Switch] = {
    "extra_body_thinking_type": _Switch("thinking.type", "enabled", "disabled", "thinking.budget_tokens"),
    "extra_body_enable_thinking": _Switch("enable_thinking", True, False, "thinking_budget"),
    # The name that the templates of most open models know; the others take no notice of it.
    "extra_body_chat_template": _Switch("chat_template_kwargs.enable_thinking", True, False),
}


def _by_switch(switch: _Switch, given: dict[str, Any], off: bool, report: ParameterReport) -> dict[str, Any]:
    wire: dict[str, Any] = {}
    _put(wire, switch.field, switch.off if off else switch.on)
    if "think" in given:
        report.renamed("think", switch.field)
    _send_effort(given, wire, report)
    if not switch.budget:
        _drop_budget(given, report)
    elif "reasoning_max_tokens" in given:
        report.renamed("reasoning_max_tokens", switch.budget)
        _put(wire, switch.budget, given["reasoning_max_tokens"])
    _hide(given, report)
    return wire


def _by_effort(given: dict[str, Any], off: bool, report: ParameterReport) -> dict[str, Any]:
    wire: dict[str, Any] = {}
    if off:
        report.renamed("think", "reasoning_effort")
        wire["reasoning_effort"] = "none"
    elif "think" in given:
        report.emulated("think", BY_DEFAULT)
    _send_effort(given, wire, report)
    _drop_budget(given, report)
    _hide(given, report)
    return wire


def _by_request(given: dict[str, Any], off: bool, explicit: frozenset[str], report: ParameterReport) -> dict[str, Any]:
    # Nothing is known of this endpoint: what the caller himself asks for is sent, our own defaults are not.
    wire: dict[str, Any] = {}
    if "think" in given:
        report.emulated("think", REMOVED if off else BY_DEFAULT)
    if "reasoning_effort" in given:
        if "reasoning_effort" in explicit:
            _send_effort(given, wire, report)
        else:
            report.dropped("reasoning_effort", "the provider does not say that it has steps of thinking")
    _drop_budget(given, report)
    _hide(given, report)
    return wire


def _by_reasoning(given: dict[str, Any], off: bool, report: ParameterReport) -> dict[str, Any]:
    reasoning: dict[str, Any] = {"enabled": not off}
    if "think" in given:
        report.renamed("think", "reasoning.enabled")
    if "reasoning_max_tokens" in given:
        reasoning["max_tokens"] = given["reasoning_max_tokens"]
        report.renamed("reasoning_max_tokens", "reasoning.max_tokens")
        if "reasoning_effort" in given:
            report.dropped("reasoning_effort", "reasoning_max_tokens takes its place")
    elif "reasoning_effort" in given:
        reasoning["effort"] = given["reasoning_effort"]
        report.renamed("reasoning_effort", "reasoning.effort")
    if "reasoning_exclude" in given:
        reasoning["exclude"] = given["reasoning_exclude"]
        report.renamed("reasoning_exclude", "reasoning.exclude")
    return {"reasoning": reasoning}


def _put(wire: dict[str, Any], field: str, value: Any) -> None:
    """Set a field, or one in an object of the body: `thinking.type`."""
    head, _, name = field.rpartition(".")
    (wire.setdefault(head, {}) if head else wire)[name] = value


def _send_effort(given: dict[str, Any], wire: dict[str, Any], report: ParameterReport) -> None:
    if "reasoning_effort" in given:
        report.sent("reasoning_effort")
        wire["reasoning_effort"] = given["reasoning_effort"]


def _drop_budget(given: dict[str, Any], report: ParameterReport) -> None:
    if "reasoning_max_tokens" in given:
        report.dropped("reasoning_max_tokens", "the wire has no limit for thinking alone; use reasoning_effort")


def _hide(given: dict[str, Any], report: ParameterReport) -> None:
    if "reasoning_exclude" in given:
        report.emulated("reasoning_exclude", REMOVED)
