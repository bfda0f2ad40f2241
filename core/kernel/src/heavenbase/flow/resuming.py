"""Where a chat goes on that waits for results of tool calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from heavenbase.call import Resumption
from heavenbase.errors import InputError, InputTypeError, UnknownNameError
from heavenbase.messages import to_messages
from heavenbase.tools.base import Decision
from heavenbase.types import Completion, ToolCall

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.types import Message


def paused_call(source: Any) -> Call | None:
    """The call that a Completion came from; None where it is not known any more, as for plain messages."""
    kept = getattr(source, "_call", None)
    return kept.call if kept is not None else None


def resumption(source: Any, results: Mapping[str, Any] | None) -> tuple[list[Message], Resumption]:
    """The messages of a Completion, or those given, and the answers to the tool calls that are open at their end.

    InputError when a call has no answer, UnknownNameError for an answer without a call.
    """
    messages: list[Message] = to_messages(source.messages if isinstance(source, Completion) else source)
    known = {call.id: call for call in source.pending} if isinstance(source, Completion) else {}
    calls = [known.get(call.id, call) for call in open_calls(messages)]
    turns = source.tool_turns if isinstance(source, Completion) else 0
    return messages, Resumption(calls, _decided(calls, results), turns)


def check_resumed(call: Call) -> None:
    """InputError when somebody let an open call run whose tool the call does not have."""
    assert call.resumed is not None
    for waiting in call.resumed.calls:
        if isinstance(call.resumed.decided[waiting.id], Decision) and waiting.name not in call.tools:
            raise InputError(f"no tool {waiting.name!r} runs here; pass tools=, or the result of call {waiting.id!r}")


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
