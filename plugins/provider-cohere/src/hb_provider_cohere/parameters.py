"""Arguments of a call as the fields of a chat request, and the report of what became of each. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hb_provider_cohere.thinking import thinking_field
from hb_provider_cohere.tools import tool_fields
from heavenbase.call import REASONING
from heavenbase.http import EXTRAS, apply_rules, keep_ruled, mapping
from heavenbase.structured import fit_schema, plan_format
from heavenbase.wires import LIMITS, named_arguments, token_limit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_cohere.models import Traits
    from heavenbase.call import Call
    from heavenbase.types import ParameterReport

STOPS = 5
"""Stop sequences that a request may have."""
_ELSEWHERE = REASONING | EXTRAS | {"tools", "tool_choice", "parallel_tool_calls", *LIMITS, "response_format"}
NAMES: Mapping[str, str] = {"top_p": "p", "top_k": "k"}
"""Arguments that are called otherwise on the wire; names that hb does not know go there as they are."""
_RANGES: Mapping[str, tuple[float, float]] = {
    "top_p": (0.01, 0.99),
    "p": (0.01, 0.99),
    "top_k": (0, 500),
    "k": (0, 500),
    "presence_penalty": (0, 1),
    "frequency_penalty": (0, 1),
}
# Keywords that the endpoint refuses in a schema.
_UNKNOWN_KEYWORDS = frozenset(
    {
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
        *("minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties", "not", "if", "then", "else"),
    }
)
_NO_COUNTERPART = "the wire has no such parameter"
# Of other wires; this one answers what it does not know with status 400 or 422.
FOREIGN: Mapping[str, str] = {
    "verbosity": "the wire has no such parameter; say it in the prompt",
    "top_logprobs": "logprobs gives those of the chosen tokens",
    **dict.fromkeys(("user", "safety_identifier", "metadata"), "the wire does not tell users apart"),
    **dict.fromkeys(
        ("prompt_cache_key", "prompt_cache_retention", "prompt_caching"), "the provider caches prompts by itself"
    ),
    **dict.fromkeys(
        (
            *("repetition_penalty", "logit_bias", "min_p", "top_a", "service_tier", "store", "modalities", "audio"),
            *("prediction", "stream_options", "web_search_options", "functions", "function_call", "reasoning"),
            *("include_reasoning", "media_resolution"),
        ),
        _NO_COUNTERPART,
    ),
}


class Fields(NamedTuple):
    """The fields of a request beside model and messages; `instruction` is what the model must be told."""

    wire: dict[str, Any]
    instruction: str = ""


def chat_fields(call: Call, traits: Traits) -> Fields:
    """The fields for a call's arguments, but for `extra_body`, which is laid over the whole request."""
    report = call.context.report
    named = arguments(call)
    ruled = {name: entry for name, entry in report.entries.items() if entry.outcome != "sent"}
    wire = tool_fields(named, traits, report)
    limit = token_limit(named, "max_tokens", report)
    if limit is not None:
        wire["max_tokens"] = limit
    for name, value in named.items():
        if name in _ELSEWHERE:
            continue
        if name in FOREIGN:
            report.dropped(name, FOREIGN[name])
        elif name == "n":
            _count(value, report)
        elif name == "stop":
            _stop(value, wire, report)
        else:
            _send(name, value, wire, report)
    thinking = thinking_field(traits, named, call.explicit, report)
    if thinking or "thinking" in wire:
        wire["thinking"] = {**thinking, **mapping(wire, "thinking")}
    instruction = _format(call, bool(wire.get("tools") or wire.get("documents")), wire)
    keep_ruled(ruled, report)
    return Fields(wire, instruction)


def arguments(call: Call) -> dict[str, Any]:
    """The arguments of a call after the provider's rules, without those that go past them."""
    named = named_arguments(call)
    apply_rules(call.spec, named, call.context.report)
    return named


def _send(name: str, value: Any, wire: dict[str, Any], report: ParameterReport) -> None:
    field = NAMES.get(name, name)
    if field != name:
        report.renamed(name, field)
    else:
        report.sent(name)
    least, greatest = _RANGES.get(name, (None, None))
    if least is not None and greatest is not None and isinstance(value, int | float) and not isinstance(value, bool):
        fitted = min(max(value, least), greatest)
        if fitted != value:
            report.clamped(name, f"the wire takes {least} to {greatest}; {fitted} is sent")
            value = fitted
    wire[field] = value


def _count(value: Any, report: ParameterReport) -> None:
    if value == 1:
        report.emulated("n", "the wire gives one answer")
    else:
        report.dropped("n", "the wire gives one answer")


def _stop(value: Any, wire: dict[str, Any], report: ParameterReport) -> None:
    listed = [value] if isinstance(value, str) else list(value)
    if not listed:
        report.dropped("stop", "the list is empty")
        return
    wire["stop_sequences"] = listed[:STOPS]
    report.renamed("stop", "stop_sequences")
    if len(listed) > STOPS:
        report.clamped("stop", f"the wire takes {STOPS} stop sequences; the first {STOPS} are sent")


def _format(call: Call, has_sources: bool, wire: dict[str, Any]) -> str:
    """Put the form of the answer into the request; what the model must be told about it."""
    if call.args.get("response_format") is None:
        return ""
    report = call.context.report
    plan = plan_format(call, capability="none") if has_sources else plan_format(call)
    if plan.strategy == "text":
        report.emulated("response_format", "the wire answers in text")
        return ""
    if plan.strategy == "schema" and plan.schema is not None:
        wire["response_format"] = {"type": "json_object", "schema": fit_schema(plan.schema, unknown=_UNKNOWN_KEYWORDS)}
    elif plan.response_format is not None:
        wire["response_format"] = plan.response_format
    plan.note(report)
    return plan.instruction
