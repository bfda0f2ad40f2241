"""Arguments of a call as the fields of a request, and the report of what became of each. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_mistral.thinking import effort_of
from hb_provider_mistral.tools import tool_fields
from heavenbase.call import REASONING
from heavenbase.http import EXTRAS, apply_rules, keep_ruled, merge_extra
from heavenbase.structured import plan_format
from heavenbase.wires import LIMITS, named_arguments, token_limit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_mistral.models import Traits
    from heavenbase.call import Call
    from heavenbase.types import ParameterReport

_ELSEWHERE = REASONING | {"tools", "tool_choice", "parallel_tool_calls", *LIMITS, "response_format"}
NAMES: Mapping[str, str] = {"seed": "random_seed"}
"""Arguments that are called otherwise on the wire; names that hb does not know go there as they are."""
_NO_COUNTERPART = "the wire has no such parameter"
# Of other wires; this one answers what it does not know with status 422.
FOREIGN: Mapping[str, str] = {
    "verbosity": "the wire has no such parameter; say it in the prompt",
    "user": "the wire does not tell users apart; pass metadata=",
    "safety_identifier": "the wire does not tell users apart; pass metadata=",
    "stream_options": "usage closes every stream",
    "prompt_caching": "the wire has no switch for it; pass prompt_cache_key=",
    **dict.fromkeys(
        (
            *("logit_bias", "min_p", "top_a", "store", "modalities", "audio", "prompt_cache_retention", "functions"),
            *("function_call", "web_search_options", "reasoning", "include_reasoning"),
        ),
        _NO_COUNTERPART,
    ),
}
EMBEDDING: Mapping[str, str] = {
    "dimensions": "output_dimension",
    "output_dimension": "output_dimension",
    "output_dtype": "output_dtype",
    "encoding_format": "encoding_format",
    "metadata": "metadata",
}


def chat_fields(call: Call, traits: Traits) -> tuple[dict[str, Any], str]:
    """(the fields beside model and messages, what the model must be told); `extra_body` is laid over them."""
    report = call.context.report
    named = named_arguments(call)
    apply_rules(call.spec, named, report)
    ruled = dict(report.entries)
    wire = tool_fields(named, report)
    limit = token_limit(named, "max_tokens", report)
    if limit is not None:
        wire["max_tokens"] = limit
    for name, value in named.items():
        if name in _ELSEWHERE:
            continue
        if name in FOREIGN:
            report.dropped(name, FOREIGN[name])
        elif name == "stop" and not value:
            report.dropped(name, "the list is empty")
        else:
            _send(name, value, wire, report)
    effort = effort_of(traits, named, call.explicit, report)
    if effort is not None:
        wire["reasoning_effort"] = effort
    instruction = _format(call, "response_format" in named, wire)
    keep_ruled(ruled, report)
    merge_extra(wire, call.args, report)
    return wire, instruction


def embedding_fields(call: Call) -> dict[str, Any]:
    """The fields of an embedding request beside model and input. Our own defaults for chats are left out."""
    report = call.context.report
    named = {name: value for name, value in call.args.items() if name not in EXTRAS and value is not None}
    wire: dict[str, Any] = {}
    for name, value in named.items():
        if name not in EMBEDDING:
            report.dropped(name, "embeddings have no such parameter")
            continue
        wire[EMBEDDING[name]] = value
        if EMBEDDING[name] == name:
            report.sent(name)
        else:
            report.renamed(name, EMBEDDING[name])
    apply_rules(call.spec, wire, report)
    merge_extra(wire, call.args, report)
    return wire


def _send(name: str, value: Any, wire: dict[str, Any], report: ParameterReport) -> None:
    field = NAMES.get(name, name)
    wire[field] = value
    if field == name:
        report.sent(name)
    else:
        report.renamed(name, field)


def _format(call: Call, is_allowed: bool, wire: dict[str, Any]) -> str:
    """Put the form of the answer into the request; what the model must be told about it."""
    if call.args.get("response_format") is None:
        return ""
    # What the provider's rules took away, the endpoint would not keep to.
    plan = plan_format(call, None if is_allowed else "none")
    if plan.response_format is not None:
        wire["response_format"] = plan.response_format
    plan.note(call.context.report)
    return plan.instruction
