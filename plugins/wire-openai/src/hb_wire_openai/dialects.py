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

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.spec import LLMSpec
    from heavenbase.types import ParameterReport

REMOVED = "removed from the answer"
BY_DEFAULT = "the model thinks as its provider has set it"
_REPLAY = {
    "extra_body_reasoning": ("reasoning_details", "reasoning"),
    "extra_body_thinking_type": ("reasoning_content",),
}


def control_of(spec: LLMSpec) -> str | None:
    """The dialect of this model: its own, else its provider's."""
    own = spec.model_record.get("thinking_control")
    if isinstance(own, dict):
        own = own.get(spec.gateway, own.get("default"))
    found = own if own is not None else spec.provider_value("thinking_control")
    return str(found) if found else None


def replay_fields(spec: LLMSpec) -> tuple[str, ...]:
    """The message fields in which this provider takes its own thoughts back."""
    said = spec.provider_record.get("options", {}).get("reasoning_replay")
    if said is not None:
        return (str(said),) if said else ()
    return _REPLAY.get(control_of(spec) or "", ())


def thinking_off(args: Mapping[str, Any], explicit: frozenset[str]) -> bool:
    """Whether this call is not to think: a step that the caller gives beats a `think=False` that he inherited."""
    if args.get("think") is not False:
        return False
    steps = ("reasoning_effort", "reasoning_max_tokens")
    return "think" in explicit or not any(args.get(name) is not None and name in explicit for name in steps)


def translate(
    spec: LLMSpec, args: Mapping[str, Any], explicit: frozenset[str], report: ParameterReport
) -> dict[str, Any]:
    """The wire's fields for `think`, `reasoning_effort`, `reasoning_max_tokens` and `reasoning_exclude`."""
    given = {name: args[name] for name in _NAMES if args.get(name) is not None}
    if not given:
        return {}
    off = thinking_off(args, explicit)
    if off:
        for name in ("reasoning_effort", "reasoning_max_tokens", "reasoning_exclude"):
            if given.pop(name, None) is not None:
                report.dropped(name, "think=False switches thinking off")
    return _TRANSLATIONS.get(control_of(spec) or "", _by_request)(given, off, explicit, report)


_NAMES = ("think", "reasoning_effort", "reasoning_max_tokens", "reasoning_exclude")


def _by_effort(given: dict[str, Any], off: bool, explicit: frozenset[str], report: ParameterReport) -> dict[str, Any]:
    wire: dict[str, Any] = {}
    if off:
        report.renamed("think", "reasoning_effort")
        wire["reasoning_effort"] = "none"
    elif "think" in given:
        report.emulated("think", BY_DEFAULT)
    if "reasoning_effort" in given:
        report.sent("reasoning_effort")
        wire["reasoning_effort"] = given["reasoning_effort"]
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
            report.sent("reasoning_effort")
            wire["reasoning_effort"] = given["reasoning_effort"]
        else:
            report.dropped("reasoning_effort", "the provider does not say that it has steps of thinking")
    _drop_budget(given, report)
    _hide(given, report)
    return wire


def _by_reasoning(
    given: dict[str, Any], off: bool, explicit: frozenset[str], report: ParameterReport
) -> dict[str, Any]:
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


def _by_thinking_type(
    given: dict[str, Any], off: bool, explicit: frozenset[str], report: ParameterReport
) -> dict[str, Any]:
    thinking: dict[str, Any] = {"type": "disabled" if off else "enabled"}
    wire: dict[str, Any] = {"thinking": thinking}
    if "think" in given:
        report.renamed("think", "thinking.type")
    if "reasoning_effort" in given:
        report.sent("reasoning_effort")
        wire["reasoning_effort"] = given["reasoning_effort"]
    if "reasoning_max_tokens" in given:
        report.renamed("reasoning_max_tokens", "thinking.budget_tokens")
        thinking["budget_tokens"] = given["reasoning_max_tokens"]
    _hide(given, report)
    return wire


def _by_enable_thinking(
    given: dict[str, Any], off: bool, explicit: frozenset[str], report: ParameterReport
) -> dict[str, Any]:
    wire: dict[str, Any] = {"enable_thinking": not off}
    if "think" in given:
        report.renamed("think", "enable_thinking")
    if "reasoning_effort" in given:
        report.sent("reasoning_effort")
        wire["reasoning_effort"] = given["reasoning_effort"]
    if "reasoning_max_tokens" in given:
        report.renamed("reasoning_max_tokens", "thinking_budget")
        wire["thinking_budget"] = given["reasoning_max_tokens"]
    _hide(given, report)
    return wire


def _by_chat_template(
    given: dict[str, Any], off: bool, explicit: frozenset[str], report: ParameterReport
) -> dict[str, Any]:
    # The name that the templates of most open models know; the others take no notice of it.
    wire: dict[str, Any] = {"chat_template_kwargs": {"enable_thinking": not off}}
    if "think" in given:
        report.renamed("think", "chat_template_kwargs.enable_thinking")
    if "reasoning_effort" in given:
        report.sent("reasoning_effort")
        wire["reasoning_effort"] = given["reasoning_effort"]
    _drop_budget(given, report)
    _hide(given, report)
    return wire


def _drop_budget(given: dict[str, Any], report: ParameterReport) -> None:
    if "reasoning_max_tokens" in given:
        report.dropped("reasoning_max_tokens", "the wire has no limit for thinking alone; use reasoning_effort")


def _hide(given: dict[str, Any], report: ParameterReport) -> None:
    if "reasoning_exclude" in given:
        report.emulated("reasoning_exclude", REMOVED)


_TRANSLATIONS = {
    "reasoning_effort": _by_effort,
    "extra_body_reasoning": _by_reasoning,
    "extra_body_thinking_type": _by_thinking_type,
    "extra_body_enable_thinking": _by_enable_thinking,
    "extra_body_chat_template": _by_chat_template,
}
