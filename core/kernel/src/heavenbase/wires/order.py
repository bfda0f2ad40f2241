"""The order that wires want of a conversation with tools: each call answered once, directly behind its message. Pure.

What can be put right without loss is, and the report says so; the rest is refused before anything is sent. A call
without a result that the conversation has left behind gets one that says so; calls that end the conversation wait for
theirs, and only the caller has it.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from heavenbase.call import Call
    from heavenbase.types import Message, ParameterReport

NOT_RUN = '{"ok": false, "error": {"type": "NotRun", "message": "the call was not run"}}'
TEXT = frozenset({"text", "refusal"})
"""Parts that every wire takes in the result of a tool."""
GO_ON = "(The conversation goes on.)"
"""What the user says where a system message asks for more behind an answer, and the wire wants his turn there."""
SYSTEM = frozenset({"system", "developer"})
"""Roles of instructions."""
_READ = (*TEXT, "image")
"""Parts that are no files: text, and pictures that are yet to be encoded."""
_STATEFUL = ("previous_response_id", "conversation")
"""Parameters that name messages which the provider has and the request has not."""


def note_history(report: ParameterReport, reason: str) -> None:
    """Report a repair of the messages, beside those that are reported already."""
    told = report.entries["messages"].reason or "" if "messages" in report.entries else ""
    if reason not in told:
        report.emulated("messages", f"{told}; {reason}" if told else reason)


def ordered(
    call: Call,
    parts: Collection[str] | None = None,
    read: Callable[[dict[str, Any]], Any] | None = None,
    *,
    lifts: bool = True,
) -> list[Message]:
    """The messages of a call as a wire takes them; the list itself where nothing is to be done.

    `parts` are the types of parts that may stand in the result of a tool, None for all: others move into a message of
    the user behind the results. `read` makes a part one of the wire, or raises: a file of a tool that it refuses
    becomes words that say so, as nobody can give another one. InputError for a result without a call, two results of
    one call that differ, and a call at the end of the conversation that has no result. With `lifts` all instructions
    are one message at the head for an endpoint whose capability `late_system` is false.
    """
    if lifts:
        call = lifted(call)
    for message in call.messages:
        if len(message) > 2:  # results and calls have three fields
            break
    else:
        return call.messages
    messages = call.messages if read is None else readable(call, read)
    if messages is not call.messages:
        call = call.replace(messages=messages)
    if _is_sound(messages, parts):
        return messages
    return [*_repaired(call, parts)]


def lifted(call: Call) -> Call:
    """The call with all instructions in one message at its head, where the endpoint wants them there.

    Templates of open models refuse a conversation that has them elsewhere, or twice.
    """
    if call.spec.capability("late_system") is not False:
        return call
    first = next((place for place, message in enumerate(call.messages) if message["role"] not in SYSTEM), 0)
    late = [message for message in call.messages[first:] if message["role"] in SYSTEM]
    if not late and first < 2:
        return call
    rest = [message for message in call.messages[first:] if message["role"] not in SYSTEM]
    note_history(call.context.report, "all system messages are one at the head, where the endpoint wants them")
    if rest and rest[-1]["role"] == "assistant" and call.messages[-1]["role"] in SYSTEM:
        rest.append({"role": "user", "content": GO_ON})
        note_history(call.context.report, "a system message asks for more behind an answer; the user says to go on")
    head = [*call.messages[:first], *late]
    contents = [message["content"] for message in head]
    if all(isinstance(content, str) for content in contents):
        joined: Any = "\n\n".join(contents)
    else:
        as_parts = ([{"type": "text", "text": held}] if isinstance(held, str) else held for held in contents)
        joined = [part for held in as_parts for part in held]
    return call.replace(messages=[{**head[0], "content": joined}, *rest])


def readable(call: Call, read: Callable[[dict[str, Any]], Any]) -> list[Message]:
    """The messages without files of tools that the wire cannot read; the list itself where there are none."""
    found = call.messages
    for place, message in enumerate(call.messages):
        content = message.get("content")
        if message["role"] != "tool" or not isinstance(content, list):
            continue
        kept = [part if part.get("type") in _READ else _or_words(part, read, call.context.report) for part in content]
        if any(a is not b for a, b in zip(kept, content, strict=True)):
            found = [*found] if found is call.messages else found
            found[place] = {**message, "content": kept}
    return found


def _or_words(part: dict[str, Any], read: Callable[[dict[str, Any]], Any], report: ParameterReport) -> dict[str, Any]:
    try:
        read(part)
    except (UnsupportedError, InputError) as error:
        held = part.get("file")
        name = held.get("filename") if isinstance(held, dict) else None
        report.dropped("files", f"the model is told of a file that a tool gave: {error}")
        return {"type": "text", "text": f"[{name or part.get('type')}, which this model cannot read]"}
    return part


def _is_sound(messages: list[Message], parts: Collection[str] | None) -> bool:
    waiting: set[str | None] = set()
    for message in messages:
        if message["role"] == "tool":
            known = message.get("tool_call_id")
            if (known not in waiting and known is not None) or _moves(message, parts):
                return False
            waiting.discard(known)
        elif waiting:
            return False
        elif calls := message.get("tool_calls"):
            waiting = {made["id"] for made in calls}
            if len(waiting) < len(calls):
                return False
    return not waiting


def _moves(message: Message, parts: Collection[str] | None) -> bool:
    content = message.get("content")
    return parts is not None and isinstance(content, list) and any(part.get("type") not in parts for part in content)


def _repaired(call: Call, parts: Collection[str] | None) -> Iterator[Message]:
    report, given = call.context.report, call.messages
    answers, loose = _matched(call)
    turns = [*accumulate(message["role"] != "tool" for message in given)]
    moved: list[dict[str, Any]] = []
    for place, message in enumerate(given):
        if message["role"] == "tool":
            if place in loose:
                yield _result(message, "a tool", parts, moved, report)
            continue
        if moved:
            yield {"role": "user", "content": moved}
            moved = []
        calls = _told_apart(message.get("tool_calls") or (), report)
        yield {**message, "tool_calls": calls} if calls else message
        for number, made in enumerate(calls):
            found, name = answers.get((place, number)), made["function"]["name"]
            if found is not None:
                if found < place or turns[found] != turns[place]:
                    note_history(report, "results of tools are moved directly behind their calls")
                yield _result({**given[found], "tool_call_id": made["id"]}, name, parts, moved, report)
            elif turns[place] == turns[-1]:
                raise InputError(
                    f"message {place} calls the tool {name!r} ({made['id']!r}), and no message has the result; add it "
                    "(role tool, tool_call_id), or go on with llm.resume(messages, {id: result})"
                )
            else:
                note_history(
                    report, f"the call {made['id']!r} of message {place} has no result; one says it was not run"
                )
                yield {"role": "tool", "tool_call_id": made["id"], "name": name, "content": NOT_RUN}
    if moved:
        yield {"role": "user", "content": moved}


def _matched(call: Call) -> tuple[dict[tuple[int, int], int], set[int]]:
    """(place of the result by place of the message and number of the call, results whose call the provider has).

    A result belongs to the last call before it that has none, else to the first one behind it.
    """
    answers: dict[tuple[int, int], int] = {}
    waiting: dict[Any, list[tuple[int, int]]] = {}
    latest: dict[Any, int] = {}
    left: list[tuple[int, Any, int | None]] = []
    for place, message in enumerate(call.messages):
        known, calls = message.get("tool_call_id"), message.get("tool_calls") or ()
        for number in range(len(calls) - 1, -1, -1):
            waiting.setdefault(calls[number]["id"], []).append((place, number))
        if message["role"] == "tool" and waiting.get(known):
            answers[waiting[known].pop()] = latest[known] = place
        elif message["role"] == "tool":
            left.append((place, known, latest.get(known)))
    loose = set()
    is_whole = not any(name in given for given in (call.args, call.args.get("extra_body") or {}) for name in _STATEFUL)
    for place, known, before in left:
        slots = waiting.get(known, [])
        if behind := min((slot for slot in slots if slot[0] > place), default=None):
            slots.remove(behind)
            answers[behind] = place
        elif before is None and is_whole and known is not None:
            raise InputError(
                f"message {place} (role tool) answers the call {known!r}, which no message makes; send the message "
                "with that call too, or leave the result out"
            )
        elif before is None:
            loose.add(place)
        elif call.messages[before].get("content") != call.messages[place].get("content"):
            raise InputError(
                f"message {place} is a second result of the call {known!r}, and says something else than message "
                f"{before}; leave one of them out"
            )
        else:
            note_history(call.context.report, f"a second result of the call {known!r} says the same and is left out")
    return answers, loose


def _told_apart(calls: Any, report: ParameterReport) -> list[dict[str, Any]]:
    """The calls of one message with an id each."""
    found: dict[str, dict[str, Any]] = {}
    for made in calls:
        name, number = made["id"], 1
        while name in found:
            number += 1
            name = f"{made['id']}_{number}"
            note_history(report, "calls of one message with one id are told apart")
        found[name] = {**made, "id": name}
    return [*found.values()]


def _result(
    message: Message, name: str, parts: Collection[str] | None, moved: list[dict[str, Any]], report: ParameterReport
) -> Message:
    """The result without the parts that move, which are put behind those that move already."""
    if parts is None or not _moves(message, parts):
        return message
    kept = [part for part in message["content"] if part.get("type") in parts]
    note_history(report, "pictures and files of tools travel in a message of the user behind the results")
    moved.append({"type": "text", "text": f"Result of {name} ({message.get('tool_call_id')}):"})
    moved.extend(part for part in message["content"] if part.get("type") not in parts)
    if not any(str(part.get("text") or part.get("refusal") or "").strip() for part in kept):
        kept = [{"type": "text", "text": "The result is in the next message of the user."}]
    return {**message, "content": kept}
