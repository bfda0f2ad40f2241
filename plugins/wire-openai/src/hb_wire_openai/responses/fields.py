"""Fields of a chat request as those of the Responses wire. Pure.

What means the same under another name is renamed, what the wire has not is dropped with a reason, and what is not
known here travels as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_wire_openai.parameters import chat_fields
from hb_wire_openai.responses.items import input_items
from heavenbase.http import merge_extra

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.call import Call
    from heavenbase.spec import LLMSpec
    from heavenbase.types import ParameterReport

_MISSING = {
    "seed": "the Responses wire has no seed",
    "stop": "the Responses wire has no stop sequences",
    "n": "the Responses wire gives one answer",
    "logit_bias": "the Responses wire has no bias",
    "frequency_penalty": "the Responses wire has no penalties",
    "presence_penalty": "the Responses wire has no penalties",
    "modalities": "the Responses wire answers in text; images come from a tool",
    "audio": "the Responses wire has no audio",
    "prediction": "the Responses wire has no predictions",
    "web_search_options": 'search is a tool of the Responses wire: tools=[{"type": "web_search"}]',
    "functions": "the Responses wire has tools alone",
    "function_call": "the Responses wire has tool_choice alone",
}
_LATER = ("extra_body", "response_format", "wire_include")
_TOOLS = frozenset({"defer_loading"})
"""What the wire takes of tools beside what the chat wire does."""
_LIMITS = ("max_completion_tokens", "max_tokens")
ENCRYPTED = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"


def response_body(call: Call) -> dict[str, Any]:
    """The body of a request beside its model."""
    body = {
        "input": input_items(call),
        **response_fields(call.spec, call.args, call.explicit, call.context.report),
    }
    if "response_format" in call.args:
        _fit_format(call, body)
    if call.stream:
        body["stream"] = True
    return body


def response_fields(
    spec: LLMSpec, args: Mapping[str, Any], explicit: frozenset[str], report: ParameterReport
) -> dict[str, Any]:
    """The fields of a request beside model, input and form of the answer; `extra_body` comes on top, as it is."""
    plain = {name: value for name, value in args.items() if name not in _LATER}
    wire = chat_fields(spec, plain, explicit, report, tools=_TOOLS, has_groups=True)
    for name, reason in _MISSING.items():
        if name in wire:
            del wire[name]
            report.dropped(name, reason)
    if isinstance(wire.get("stream_options"), dict):
        wire["stream_options"] = {k: v for k, v in wire["stream_options"].items() if k != "include_usage"}
    if "stream_options" in wire and not wire["stream_options"]:
        del wire["stream_options"]
        report.emulated("stream_options", "the Responses wire always tells its usage")
    _limit(wire, report)
    _reasoning(wire, report)
    if "verbosity" in wire:
        wire["text"] = {**(wire.get("text") or {}), "verbosity": wire.pop("verbosity")}
        report.renamed("verbosity", "text.verbosity")
    if "tools" in wire:
        wire["tools"] = [_tool(tool) for tool in wire["tools"]]
    if "tool_choice" in wire:
        wire["tool_choice"] = _choice(wire["tool_choice"])
    if "wire_include" in args:
        given = args["wire_include"]
        _include(wire, *([given] if isinstance(given, str) else given))
        report.renamed("wire_include", "include")
    if "logprobs" in wire or "top_logprobs" in wire:
        _include(wire, LOGPROBS)
        if wire.pop("logprobs", None) is not None:
            report.renamed("logprobs", "include")
    asked = wire.get("include", ())
    merge_extra(wire, args, report)
    if asked:
        _include(wire, *asked)
    if wire.get("store") is False and ("reasoning" in wire or _reasons(spec)):
        # Without this the thoughts of an answer that is not stored could not go back.
        _include(wire, ENCRYPTED)
    return wire


def _include(wire: dict[str, Any], *names: str) -> None:
    """Ask for parts of the answer that the wire leaves out of itself."""
    given = wire.get("include")
    wire["include"] = list(dict.fromkeys([*(given if isinstance(given, list | tuple) else ()), *names]))


def _reasons(spec: LLMSpec) -> bool:
    """Whether the provider, who says which of its models take no step of reasoning, does not say so of this one."""
    asked = {"reasoning_effort": "medium"}
    named = [name for rule in spec.provider_record.get("parameters", ()) for name in rule.get("drop", ())]
    return "reasoning_effort" in named and not any(
        "reasoning_effort" in rule.get("drop", ()) for rule in spec.parameter_rules(asked)
    )


def text_format(response_format: Mapping[str, Any]) -> dict[str, Any]:
    """The wire's `text.format` for a `response_format` of the chat wire."""
    inner = response_format.get("json_schema")
    if response_format.get("type") == "json_schema" and isinstance(inner, dict):
        return {"type": "json_schema", **inner}
    return dict(response_format)


def _fit_format(call: Call, body: dict[str, Any]) -> None:
    from heavenbase.structured import plan_format

    plan = plan_format(call)
    if plan.response_format is not None:
        body["text"] = {**body.get("text", {}), "format": text_format(plan.response_format)}
    if plan.instruction:
        body["input"] = [{"role": "system", "content": plan.instruction}, *body["input"]]
    plan.note(call.context.report, wire="text.format")


def _limit(wire: dict[str, Any], report: ParameterReport) -> None:
    for name in _LIMITS:
        if name not in wire:
            continue
        value = wire.pop(name)
        if "max_output_tokens" in wire:
            report.dropped(name, "another limit is given too")
            continue
        wire["max_output_tokens"] = value
        for given in _LIMITS:
            # A provider's rule may have renamed the one to the other already.
            if given in report.entries and report.entries[given].outcome in ("sent", "renamed"):
                report.renamed(given, "max_output_tokens")


def _reasoning(wire: dict[str, Any], report: ParameterReport) -> None:
    reasoning = dict(wire["reasoning"]) if isinstance(wire.get("reasoning"), dict) else {}
    if "reasoning_effort" in wire:
        reasoning["effort"] = wire.pop("reasoning_effort")
        for name in ("reasoning_effort", "think"):
            if name in report.entries and report.entries[name].outcome in ("sent", "renamed"):
                report.renamed(name, "reasoning.effort")
    if "reasoning_summary" in wire:
        reasoning["summary"] = wire.pop("reasoning_summary")
        report.renamed("reasoning_summary", "reasoning.summary")
    if reasoning:
        wire["reasoning"] = reasoning


def _tool(tool: Any) -> Any:
    """A tool of the chat wire, whose function or custom tool stands in the tool itself here."""
    if isinstance(tool, dict) and isinstance(tool.get("tools"), list):
        return {**tool, "tools": [_tool(each) for each in tool["tools"]]}
    inner = tool.get(tool.get("type", "function")) if isinstance(tool, dict) else None
    if not isinstance(inner, dict):
        return tool
    rest = {name: value for name, value in tool.items() if name not in ("type", "function", "custom")}
    if "function" in tool:
        # The wire is strict unless told otherwise, and then refuses most schemas.
        return {"type": "function", "strict": False, **rest, **inner}
    form = inner.get("format")
    if isinstance(form, dict) and isinstance(form.get("grammar"), dict):
        inner = {**inner, "format": {"type": "grammar", **form["grammar"]}}
    return {"type": tool["type"], **rest, **inner}


def _choice(choice: Any) -> Any:
    """A choice of the chat wire, with the names and the mode in the choice itself."""
    inner = choice.get(choice.get("type")) if isinstance(choice, dict) else None
    if not isinstance(inner, dict):
        return choice
    flat = {"type": choice["type"], **inner}
    return {**flat, "tools": [_choice(tool) for tool in flat["tools"]]} if "tools" in flat else flat
