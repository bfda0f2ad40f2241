"""Arguments of a call as the fields of a request, and the report of what became of each. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_ollama.thinking import think_field
from hb_provider_ollama.tools import tool_list
from heavenbase.call import REASONING
from heavenbase.http import EXTRAS, apply_rules, keep_ruled, mapping
from heavenbase.structured import plan_format
from heavenbase.wires import LIMITS, named_arguments, token_limit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.call import Call
    from heavenbase.types import ParameterReport

_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
_ELSEWHERE = REASONING | EXTRAS | {*_TOOLS, *LIMITS, "response_format"}
OPTIONS: Mapping[str, str] = {"repetition_penalty": "repeat_penalty"}
"""Arguments that are called otherwise among the options; names that hb does not know go there too, as they are."""
TOP = frozenset({"format", "keep_alive", "logprobs", "top_logprobs", "truncate", "shift"})
"""Arguments and fields beside the options."""
FOREIGN: Mapping[str, str] = {
    "prompt_caching": "the server keeps the last prompt by itself",
    **dict.fromkeys(("user", "safety_identifier", "metadata"), "the wire does not tell users apart"),
    **dict.fromkeys(
        (
            *("logit_bias", "store", "prompt_cache_key", "prompt_cache_retention", "service_tier", "verbosity"),
            *("modalities", "audio", "prediction", "stream_options", "web_search_options", "top_a"),
            *("functions", "function_call", "reasoning", "include_reasoning"),
        ),
        "the wire has no such parameter",
    ),
}


def chat_fields(call: Call) -> tuple[dict[str, Any], str]:
    """(the fields beside model and messages, what the model must be told); without `extra_body`."""
    report = call.context.report
    named = arguments(call, report)
    ruled = {name: entry for name, entry in report.entries.items() if entry.outcome != "sent"}
    wire: dict[str, Any] = {}
    options: dict[str, Any] = {}
    tools = tool_list(named, report)
    if tools:
        wire["tools"] = tools
    for name, value in named.items():
        if name in _ELSEWHERE:
            continue
        if name in FOREIGN:
            report.dropped(name, FOREIGN[name])
        elif name == "n":
            _count(value, report)
        elif name in TOP:
            wire[name] = value
            report.sent(name)
        elif name == "stop":
            options["stop"] = [value] if isinstance(value, str) else list(value)
            report.renamed(name, "options.stop")
        elif name == "options":
            options.update(mapping(named, name))
            report.renamed(name, "options")
        else:
            options[OPTIONS.get(name, name)] = value
            report.renamed(name, f"options.{OPTIONS.get(name, name)}")
    limit = token_limit(named, "options.num_predict", report)
    if limit is not None:
        options["num_predict"] = limit
    think = think_field(call.spec, named, call.explicit, report)
    if think is not None:
        wire["think"] = think
    instruction = _format(call, wire)
    if options:
        wire["options"] = options
    keep_ruled(ruled, report)
    return wire, instruction


def arguments(call: Call, report: ParameterReport) -> dict[str, Any]:
    """The arguments of a call after the provider's rules, without those that go past them."""
    named = named_arguments(call)
    apply_rules(call.spec, named, report)
    return named


def _count(value: Any, report: ParameterReport) -> None:
    if value == 1:
        report.emulated("n", "the wire gives one answer")
    else:
        report.dropped("n", "the wire gives one answer")


def _format(call: Call, wire: dict[str, Any]) -> str:
    if call.args.get("response_format") is None:
        return ""
    plan = plan_format(call)
    if plan.strategy == "text":
        call.context.report.emulated("response_format", "the wire answers in text")
        return ""
    if plan.strategy == "schema":
        wire["format"] = plan.schema
    elif plan.strategy == "object":
        wire["format"] = "json"
    elif plan.strategy == "other":
        wire["format"] = call.args["response_format"]
    plan.note(call.context.report, "format")
    return plan.instruction
