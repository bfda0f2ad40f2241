"""Where a chat goes on that waits for results of tool calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, InputTypeError, UnknownNameError
from heavenbase.flow.tool_loop import Resumption
from heavenbase.messages import to_messages
from heavenbase.resolution.endpoint import CONNECTION
from heavenbase.tools.base import Decision
from heavenbase.types import Completion, ToolCall

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.llm import LLM
    from heavenbase.types import Message


def resumption(
    llm: LLM, source: Any, results: Mapping[str, Any] | None, options: dict[str, Any], *, is_async: bool
) -> tuple[Call, Resumption]:
    """The call that goes on from a Completion, or from the messages of one, and the answers to its open tool calls.

    InputError when a call has no answer, UnknownNameError for an answer without a call; nothing is sent.
    """
    kept = getattr(source, "_call", None)
    before = kept.call if kept is not None else None
    messages: list[Message] = to_messages(source.messages if isinstance(source, Completion) else source)
    known = {call.id: call for call in source.pending} if isinstance(source, Completion) else {}
    calls = [known.get(call.id, call) for call in open_calls(messages)]
    decided = _decided(calls, results)
    if before is not None:
        options = {**before.given, **options}
    spec = before.spec if before is not None and CONNECTION.isdisjoint(options) else llm._target(options)
    call = llm.kernel.call("complete", spec, options, is_async=is_async, messages=messages)
    for waiting in calls:
        if isinstance(decided[waiting.id], Decision) and waiting.name not in call.tools:
            raise InputError(f"no tool {waiting.name!r} runs here; pass tools=, or the result of call {waiting.id!r}")
    return call, Resumption(calls, decided, source.tool_turns if isinstance(source, Completion) else 0)


def open_calls(messages: list[Message]) -> list[ToolCall]:
    """The calls of the last assistant message that have no result; none when anything but results came after it."""
    answered = set()
    for message in reversed(messages):
        if message["role"] == "tool":
            answered.add(message["tool_call_id"])
        elif message["role"] == "assistant":
            found = [(call["id"], call["function"]) for call in message.get("tool_calls") or ()]
            return [ToolCall(id, made["name"], made["arguments"]) for id, made in found if id not in answered]
        else:
            break
    return []


def _decided(calls: list[ToolCall], results: Any) -> dict[str, Any]:
    if results is not None and not isinstance(results, Mapping):
        raise InputTypeError(f"results are a mapping of results by id of the call, not {type(results).__name__}")
    decided = dict(results or {})
    if not calls:
        raise InputError("no tool call waits for a result")
    ids = [call.id for call in calls]
    for name in decided:
        if name not in ids:
            raise UnknownNameError("waiting tool call", name, ids)
    missing = [f"{call.id!r} ({call.name})" for call in calls if call.id not in decided]
    if missing:
        raise InputError(f"no result for tool call {', '.join(missing)}; give it, or hb.RUN, or hb.REFUSE")
    return decided
