"""A call of hb as the engine's request, and its answers as those of hb. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_local.schema import fit_response_format, fit_schema
from heavenbase.details import Details
from heavenbase.types import Chunk, Completion, ToolCall, ToolCallDelta, Usage
from heavenbase.wires import (
    Taken,
    count,
    finish_reason,
    fit_message,
    given_tools,
    note_tools,
    part_fields,
    refuse_others,
    rest,
    token_logprobs,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.call import Call
    from heavenbase.types import FinishReason, Message, ParameterReport

PASSED = frozenset(
    {
        *("temperature", "top_p", "top_k", "min_p", "typical_p", "seed", "stop", "max_tokens", "logit_bias"),
        *("presence_penalty", "frequency_penalty", "repeat_penalty", "repeat_last_n", "logprobs", "top_logprobs"),
        *("mirostat", "mirostat_tau", "mirostat_eta", "grammar", "tool_choice", "parallel_tool_calls"),
        *("chat_template_kwargs", "cache_prompt", "ignore_eos"),
    }
)
"""Arguments that the engine knows under the same name."""

FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length", "tool_calls": "tool_calls"}


def chat_body(call: Call) -> dict[str, Any]:
    """The OpenAI-shaped body of a chat; the call's report says what became of each argument."""
    report = call.context.report
    body: dict[str, Any] = {
        "messages": [_message(message, place, report) for place, message in enumerate(call.messages)]
    }
    for name, value in call.args.items():
        if name in PASSED:
            body[name] = value
            report.sent(name)
        elif name == "max_completion_tokens":
            body["max_tokens"] = value
            report.renamed(name, "max_tokens")
        elif name == "response_format":
            body[name], lost = fit_response_format(value)
            _note_patterns(report, name, lost)
        elif name == "tools":
            _tools(call, body, value)
        elif name == "think":
            body["chat_template_kwargs"] = {"enable_thinking": bool(value), **body.get("chat_template_kwargs", {})}
            report.renamed(name, "chat_template_kwargs.enable_thinking")
        elif name == "n":
            note = report.emulated if value == 1 else report.dropped
            note(name, "a local model writes one answer")
        elif name == "extra_body":
            body.update(value)
            report.sent(name)
        else:
            report.dropped(name, "the local engine has no such argument")
    return body


def embedding_body(call: Call) -> dict[str, Any]:
    """The body of an embedding request."""
    for name in call.args:
        # Sampling defaults ride along with every call and mean nothing here; a size of vectors does.
        if name == "dimensions" or name in call.explicit:
            call.context.report.dropped(name, "the local engine has no such argument for embeddings")
    return {"input": list(call.inputs)}


def to_chunk(event: Mapping[str, Any]) -> Chunk:
    """One chunk of the engine."""
    chunk = Chunk(id=event.get("id"), model=event.get("model"), usage=to_usage(event.get("usage")), raw=event)
    for choice in event["choices"]:
        delta = choice.get("delta") or {}
        chunk.text = delta.get("content") or ""
        chunk.reasoning = delta.get("reasoning_content") or ""
        if delta.get("tool_calls"):
            chunk.tool_calls = [_tool_delta(fragment) for fragment in delta["tool_calls"]]
        if choice.get("logprobs"):
            chunk.details = _details(choice)
        chunk.raw_finish_reason = choice.get("finish_reason")
        if chunk.raw_finish_reason:
            chunk.finish_reason = finish_reason(FINISH, chunk.raw_finish_reason)
    return chunk


def to_completion(answer: Mapping[str, Any]) -> Completion:
    """The whole answer of the engine."""
    choice = answer["choices"][0]
    message = choice["message"]
    return Completion(
        message.get("content") or "",
        reasoning=message.get("reasoning_content") or "",
        tool_calls=[
            ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"] or "{}")
            for call in message.get("tool_calls", ())
        ],
        finish_reason=finish_reason(FINISH, choice["finish_reason"]),
        raw_finish_reason=choice["finish_reason"],
        usage=to_usage(answer.get("usage")),
        id=answer.get("id"),
        model=answer.get("model"),
        details=_details(choice),
        raw=dict(answer),
    )


def _details(choice: Mapping[str, Any]) -> Details | None:
    return Details.known(logprobs=token_logprobs((choice.get("logprobs") or {}).get("content")))


def to_usage(usage: Mapping[str, Any] | None) -> Usage | None:
    """Token counts in disjoint buckets; tokens that were still in the engine's memory count as read from a cache."""
    if not usage:
        return None
    cached = count((usage.get("prompt_tokens_details") or {}).get("cached_tokens"))
    fresh = rest(count(usage.get("prompt_tokens")), cached)
    return Usage(fresh, count(usage.get("completion_tokens")), cache_read=cached)


_TAKEN = Taken(part_fields("text", "refusal"))


def _message(message: Message, place: int, report: ParameterReport) -> Message:
    if len(message) > 2 or type(message["content"]) is not str:
        message = fit_message(message, place, _TAKEN, report)
    if message["role"] == "developer":
        report.emulated(f"messages[{place}].role", "the engine has system for it")
    role = {"developer": "system", "function": "tool"}.get(message["role"], message["role"])
    kept = ("content", "name", "tool_calls", "tool_call_id", "reasoning_content")
    return {"role": role, **{name: message[name] for name in kept if name in message}}


def _tools(call: Call, body: dict[str, Any], tools: Any) -> None:
    report = call.context.report
    if call.spec.capability("tools") is False:
        report.dropped("tools", "the chat template of this model has no tools")
        return
    tools = given_tools({"tools": tools}, report)
    for place, tool in enumerate(tools):
        refuse_others(tool, place)
    body["tools"], lost = fit_schema(note_tools(tools, _TAKEN, report))
    _note_patterns(report, "tools", lost)


def _note_patterns(report: ParameterReport, name: str, lost: list[str]) -> None:
    if lost:
        report.clamped(name, f"llama.cpp cannot keep the pattern at {', '.join(lost)}")
    else:
        report.sent(name)


def _tool_delta(fragment: Mapping[str, Any]) -> ToolCallDelta:
    function = fragment.get("function") or {}
    return ToolCallDelta(
        fragment.get("index"), fragment.get("id"), function.get("name"), function.get("arguments") or ""
    )
