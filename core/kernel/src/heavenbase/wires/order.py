"""The order that wires want of a conversation with tools: each call answered once, directly behind its message. Pure.

What can be put right without loss is, and the report says so; the rest is refused before anything is sent. A call
without a result that the conversation has left behind gets one that says so; calls that end the conversation wait for
theirs, and only the caller has it.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from heavenbase.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from heavenbase.call import Call
    from heavenbase.types import Message, ParameterReport

NOT_RUN = '{"ok": false, "error": {"type": "NotRun", "message": "the call was not run"}}'
"""The result of a call that was left open."""
TEXT = frozenset({"text", "refusal"})
"""Parts that every wire takes in the result of a tool."""
_STATEFUL = ("previous_response_id", "conversation")
"""Parameters that name messages which the provider has and the request has not."""


class _Slot(NamedTuple):
    """A call in a conversation: the place of its message, and its number there."""

    place: int
    number: int


def note_history(report: ParameterReport, reason: str) -> None:
    """Report a repair of the messages, beside those that are reported already."""
    known = report.entries.get("messages")
    told = known.reason if known is not None else None
    if told is None or reason not in told:
        report.emulated("messages", f"{told}; {reason}" if told else reason)


def ordered(call: Call, parts: Collection[str] | None = None) -> list[Message]:
    """The messages of a call as a wire takes them; the list itself where nothing is to be done.

    `parts` are the types of parts that may stand in the result of a tool, None for all: others move into a message of
    the user behind the results. InputError for a result without a call, two results of one call that differ, and a
    call at the end of the conversation that has no result.
    """
    messages = call.messages
    if max(map(len, messages), default=0) < 3 or _is_sound(messages, parts):  # results and calls have three fields
        return messages
    return [*_Repair(call, parts).messages()]


def _is_sound(messages: list[Message], parts: Collection[str] | None) -> bool:
    waiting: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            known = message.get("tool_call_id")
            if (known not in waiting and known is not None) or _moves(message, parts):
                return False
            waiting.discard(known or "")
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


class _Repair:
    """One conversation whose order is put right."""

    def __init__(self, call: Call, parts: Collection[str] | None) -> None:
        self._report = call.context.report
        self._given = call.messages
        self._parts = parts
        extra = call.args.get("extra_body") or {}
        self._is_whole = not any(name in given for given in (call.args, extra) for name in _STATEFUL)
        self._answers: dict[_Slot, int] = {}
        self._loose: set[int] = set()
        self._turns = [*accumulate(message["role"] != "tool" for message in self._given)]
        self._match()

    def _match(self) -> None:
        """Find the call of each result: the last one before it that has none, else the first one behind it."""
        open_slots: dict[str, list[_Slot]] = {}
        latest: dict[str, int] = {}
        left: list[tuple[int, int | None]] = []
        for place, message in enumerate(self._given):
            if message["role"] == "tool":
                known = message.get("tool_call_id", "")
                if slots := open_slots.get(known):
                    self._answers[slots.pop()] = latest[known] = place
                else:
                    left.append((place, latest.get(known)))
                continue
            calls = message.get("tool_calls") or ()
            for number in range(len(calls) - 1, -1, -1):
                open_slots.setdefault(calls[number]["id"], []).append(_Slot(place, number))
        for place, before in left:
            slots = open_slots.get(self._given[place].get("tool_call_id", ""), [])
            behind = min((slot for slot in slots if slot.place > place), default=None)
            if behind is None:
                self._check_odd(place, before)
            else:
                slots.remove(behind)
                self._answers[behind] = place

    def _check_odd(self, place: int, before: int | None) -> None:
        """See what becomes of a result that no call waits for; `before` is the place of one of the same call."""
        message = self._given[place]
        known = message.get("tool_call_id")
        if before is not None:
            if self._given[before].get("content") != message.get("content"):
                raise InputError(
                    f"message {place} is a second result of the call {known!r}, and says something else than message "
                    f"{before}; leave one of them out"
                )
            note_history(self._report, f"a second result of the call {known!r} says the same and is left out")
        elif self._is_whole and known is not None:
            raise InputError(
                f"message {place} (role tool) answers the call {known!r}, which no message makes; send the message "
                "with that call too, or leave the result out"
            )
        else:
            self._loose.add(place)

    def messages(self) -> Iterator[Message]:
        """The messages in order."""
        moved: list[dict[str, Any]] = []
        for place, message in enumerate(self._given):
            if message["role"] == "tool":
                if place in self._loose:
                    yield self._result(message, None, moved)
                continue
            yield from _said(moved)
            moved = []
            calls = message.get("tool_calls")
            if not calls:
                yield message
                continue
            calls = self._told_apart(calls)
            yield {**message, "tool_calls": calls}
            for number, made in enumerate(calls):
                found = self._answers.get(_Slot(place, number))
                if found is None:
                    yield self._unanswered(made, place)
                    continue
                if found < place or self._turns[found] != self._turns[place]:
                    note_history(self._report, "results of tools are moved directly behind their calls")
                yield self._result({**self._given[found], "tool_call_id": made["id"]}, made, moved)
        yield from _said(moved)

    def _told_apart(self, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The calls of one message with an id each."""
        used: set[str] = set()
        found = []
        for made in calls:
            name, number = made["id"], 1
            while name in used:
                number += 1
                name = f"{made['id']}_{number}"
            used.add(name)
            found.append(made if name == made["id"] else {**made, "id": name})
        if all(new is old for new, old in zip(found, calls, strict=True)):
            return calls
        note_history(self._report, "calls of one message with one id are told apart")
        return found

    def _unanswered(self, made: dict[str, Any], place: int) -> Message:
        name = made["function"]["name"]
        if self._turns[place] == self._turns[-1]:
            raise InputError(
                f"message {place} calls the tool {name!r} ({made['id']!r}), and no message has the result; add it "
                "(role tool, tool_call_id), or go on with llm.resume(messages, {id: result})"
            )
        note_history(self._report, f"the call {made['id']!r} of message {place} has no result; one says it was not run")
        return {"role": "tool", "tool_call_id": made["id"], "name": name, "content": NOT_RUN}

    def _result(self, message: Message, made: dict[str, Any] | None, moved: list[dict[str, Any]]) -> Message:
        """The result without the parts that move, which are put behind those that move already."""
        if not _moves(message, self._parts):
            return message
        assert self._parts is not None
        content = message["content"]
        kept = [part for part in content if part.get("type") in self._parts]
        name = made["function"]["name"] if made is not None else message.get("name") or "a tool"
        note_history(self._report, "pictures and files of tools travel in a message of the user behind the results")
        moved.append({"type": "text", "text": f"Result of {name} ({message.get('tool_call_id')}):"})
        moved.extend(part for part in content if part.get("type") not in self._parts)
        if not any(str(part.get("text") or part.get("refusal") or "").strip() for part in kept):
            kept = [{"type": "text", "text": "The result is in the next message of the user."}]
        return {**message, "content": kept}


def _said(moved: list[dict[str, Any]]) -> Iterator[Message]:
    if moved:
        yield {"role": "user", "content": moved}
