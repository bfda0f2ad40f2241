"""Chunks gathered into one completion, and how it ended; the one assembler of streamed tool calls."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any

from heavenbase.call import Call
from heavenbase.details import Details
from heavenbase.types import FREE_TEXT, Choice, ChoiceDelta, Chunk, Completion, Message, ToolCall, ToolCallDelta

WHOLE = ("stop", "tool_calls")
"""Finish reasons of an answer that is whole."""
UNSURE = "the provider did not say which call the arguments are for"
"""Why a call is not run whose arguments may be those of another."""
UNFINISHED: dict[str, str] = {
    "length": "the answer was cut off at its token limit; pass a larger max_tokens",
    "context_overflow": "the answer was cut off at the end of the model's context",
    "refusal": "the model refused to answer",
    "content_filter": "the provider's filter stopped the answer",
    "pause": "the model paused before it was done",
}
"""What the others mean, but for "other": asking again in the same way does not help."""
_MARKS = re.compile(r'\\.?|["{}\[\]]', re.DOTALL)


class ToolCallAssembler:
    """Tool calls from fragments, whatever indexes and ids the wire leaves out, repeats or reuses.

    A fragment belongs to the call of its id; without one that is known, to the call of its index; without an index, to
    the last one. A new id or a new name begins a new call, but for an id without a name behind unfinished arguments:
    some servers make up an id for each fragment.
    """

    __slots__ = ("_by_id", "_by_index", "_calls", "_ends", "_is_guessed", "_is_reused", "_pieces")

    def __init__(self) -> None:
        self._calls: list[ToolCall] = []
        self._pieces: list[list[str]] = []
        self._ends: list[_End | None] = []
        self._by_id: dict[str, int] = {}
        self._by_index: dict[int, int] = {}
        self._is_reused = False
        """Whether an index has been that of several calls, and so tells them apart no more."""
        self._is_guessed = False
        """Whether arguments came that named none of several calls."""

    def feed(self, delta: ToolCallDelta) -> None:
        """Take one fragment."""
        place = self._place(delta)
        if place is None:
            place = len(self._calls)
            self._calls.append(ToolCall(delta.id or "", delta.name or ""))
            self._pieces.append([])
            self._ends.append(None)
        elif delta.arguments and not delta.name and delta.id not in self._by_id and len(self._calls) > 1:
            self._is_guessed = self._is_guessed or self._is_reused or delta.index is None
        call = self._calls[place]
        call.id = call.id or delta.id or ""
        call.name = call.name or delta.name or ""
        if delta.id:
            self._by_id[delta.id] = place
        if delta.type is not None:
            call.type = delta.type
        if delta.index is not None:
            self._is_reused = self._by_index.setdefault(delta.index, place) != place or self._is_reused
            self._by_index[delta.index] = place
        if delta.arguments:
            self._pieces[place].append(delta.arguments)

    def calls(self) -> list[ToolCall]:
        """The calls so far; no arguments at all are `{}`. An id that never came is empty: see `name_calls`.

        Where one call has the arguments of several, none is to be run, and each says so in its `reason`.
        """
        for place, call in enumerate(self._calls):
            call.arguments = "".join(self._pieces[place]) or ("" if call.type == FREE_TEXT else "{}")
        read = self._is_guessed and [self._complete(place) for place, pieces in enumerate(self._pieces) if pieces]
        if read and not all(read) and len(read) < len(self._calls):
            for call in self._calls:
                call.reason = UNSURE
        return list(self._calls)

    def _place(self, delta: ToolCallDelta) -> int | None:
        numbered = self._by_index.get(delta.index) if delta.index is not None else None
        if delta.id:
            has_id = numbered is not None and self._calls[numbered].id == delta.id
            place = numbered if has_id else self._by_id.get(delta.id)
            if place is not None:
                return None if self._is_another(delta, place, is_numbered=has_id) else place
        place = numbered
        if delta.index is None and self._calls:
            place = len(self._calls) - 1
        if place is None:
            return None
        call = self._calls[place]
        if delta.id and call.id and (delta.name or self._complete(place)):
            return None
        if delta.name and call.name and (delta.name != call.name or (not delta.id and self._complete(place))):
            return None
        return place

    def _is_another(self, delta: ToolCallDelta, place: int, *, is_numbered: bool) -> bool:
        """Whether this begins another call, though its id is that of one: some servers give all the same."""
        name = self._calls[place].name
        if not delta.name or not name:
            return False
        if delta.name != name:
            return True
        is_elsewhere = delta.index is not None and not is_numbered
        return is_elsewhere and bool(delta.arguments or delta.index not in self._by_index) and self._complete(place)

    def _complete(self, place: int) -> bool:
        # Only where a name is repeated without an id, or an id is new without a name: either a wire that says too much
        # in each fragment, or a second call.
        pieces = self._pieces[place]
        if not pieces or not pieces[-1].rstrip().endswith("}"):
            return False
        end = self._ends[place] = self._ends[place] or _End()
        return end.reached(pieces)


class _End:
    """Whether pieces that only get more make up one JSON object; each piece is looked at once."""

    __slots__ = ("_depth", "_is_escaped", "_is_quoted", "_known", "_seen")

    def __init__(self) -> None:
        self._seen = self._depth = 0
        self._is_quoted = self._is_escaped = False
        self._known: bool | None = None

    def reached(self, pieces: list[str]) -> bool:
        """Whether the pieces so far are an object, whole."""
        text = "".join(pieces[self._seen :])
        marks = _MARKS.findall(text, 1 if self._is_escaped and text else 0)
        if text:
            self._is_escaped = bool(marks) and marks[-1] == "\\"
        for mark in marks:
            if mark == '"':
                self._is_quoted = not self._is_quoted
            elif not self._is_quoted and mark[0] != "\\":
                self._depth += 1 if mark in "{[" else -1
        is_more, self._seen = len(pieces) > self._seen, len(pieces)
        if self._depth or self._is_quoted:
            return False
        if self._known is None or (self._known and is_more):
            # What is whole once is broken by all that follows, and never whole again.
            try:
                json.loads("".join(pieces))
            except (ValueError, RecursionError):
                self._known = False
            else:
                self._known = True
        return self._known


def name_calls(calls: Sequence[ToolCall], messages: Sequence[Message], *, only_missing: bool = False) -> None:
    """Give an id to each call that has none, or one that another call of this conversation has.

    The id follows from the conversation, so that equal requests make equal answers. `only_missing` is for answers with
    reasoning parts: those may name the provider's own ids.
    """
    taken = {made["id"] for message in messages for made in message.get("tool_calls") or ()}
    number = len(taken)
    for call in calls:
        if not call.id or (call.id in taken and not only_missing):
            while f"call_{number}" in taken:
                number += 1
            call.id = f"call_{number}"
        taken.add(call.id)


def call_deltas(calls: Sequence[ToolCall], first: int = 0) -> list[ToolCallDelta]:
    """Whole tool calls as fragments of a stream, numbered from `first`."""
    return [
        ToolCallDelta(place, call.id, call.name, call.arguments, call.type if call.type != "function" else None)
        for place, call in enumerate(calls, first)
    ]


def whole_chunk(answer: Completion) -> Chunk:
    """A whole answer as the one chunk of a stream."""
    details = answer.details
    if details is not None and details.others:
        others = [ChoiceDelta(**_piece(choice), index=choice.index) for choice in details.others]
        details = replace(details, others=others)
    whole = {**_piece(answer), "details": details}
    return Chunk(**whole, usage=answer.usage, id=answer.id, model=answer.model, raw=answer.raw)


def _piece(answer: Completion | Choice) -> dict[str, Any]:
    return {
        "text": answer.text,
        "reasoning": answer.reasoning,
        "tool_calls": call_deltas(answer.tool_calls) or None,
        "finish_reason": answer.finish_reason,
        "raw_finish_reason": answer.raw_finish_reason,
        "images": answer.images or None,
        "reasoning_parts": answer.reasoning_parts or None,
        "details": answer.details,
    }


class Gathering:
    """What a stream has brought so far: `feed` takes one chunk. What came before a restart is void."""

    __slots__ = ("chunks", "feed")

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        # Nothing more: this is on the way of every chunk.
        self.feed = self.chunks.append

    @property
    def finished(self) -> bool:
        """Whether the provider's terminal marker came."""
        for chunk in reversed(self.chunks):
            if chunk.finish_reason is not None or chunk.kind == "restart":
                return chunk.finish_reason is not None
        return False

    def completion(self, call: Call) -> Completion:
        """The answer as far as it came; without a finish reason of the provider it says "other"."""
        chunks = self.chunks
        restarts = [place for place, chunk in enumerate(chunks) if chunk.kind == "restart"]
        if restarts:
            chunks = chunks[restarts[-1] :]
        # Who goes on with the text of another tells of itself alone.
        turns = [place for place, chunk in enumerate(chunks) if chunk.kind == "continue"]
        last = chunks[turns[-1] :] if turns else chunks
        fields = _content(chunks, call)
        if fields["details"] is not None:
            others: dict[int, list[Chunk]] = {}
            for piece in [it for chunk in chunks if chunk.details is not None for it in chunk.details.others]:
                others.setdefault(piece.index, []).append(piece)
            fields["details"].others = [Choice(index, **_content(others[index], call)) for index in sorted(others)]
        return Completion(
            **fields,
            usage=_last(last, "usage"),
            id=_last(last, "id"),
            model=_last(last, "model") or call.spec.model_id,
            raw=[chunk.raw for chunk in chunks if chunk.raw is not None],
        )


def _content(chunks: Sequence[Chunk], call: Call) -> dict[str, Any]:
    """What the pieces of one choice come to, by the names of a completion."""
    parts: list[dict[str, Any]] = []
    images: list[Any] = []
    details: list[Details] = []
    tools = ToolCallAssembler()
    # Most chunks bring text alone.
    for chunk in [it for it in chunks if it.tool_calls or it.reasoning_parts or it.images or it.details is not None]:
        parts += chunk.reasoning_parts or ()
        images += chunk.images or ()
        if chunk.details is not None:
            details.append(chunk.details)
        for delta in chunk.tool_calls or ():
            tools.feed(delta)
    calls = tools.calls()
    if calls:
        name_calls(calls, call.messages, only_missing=bool(parts))
    end = next((chunk for chunk in reversed(chunks) if chunk.finish_reason is not None), None)
    return {
        "text": "".join([chunk.text for chunk in chunks]),
        "reasoning": "".join([chunk.reasoning for chunk in chunks]),
        "tool_calls": calls,
        "finish_reason": (end and end.finish_reason) or "other",
        "raw_finish_reason": end.raw_finish_reason if end is not None else None,
        "images": images,
        "reasoning_parts": parts,
        "details": Details.merged(details) if details else None,
    }


class Ending(Chunk):
    """The last chunk of a stream; its whole answer is put together when somebody asks for it."""

    __slots__ = ("_call", "_gathering")

    def __init__(self, gathering: Gathering, call: Call) -> None:
        super().__init__(kind="end")
        self._gathering, self._call = gathering, call
        del self.completion

    def __getattr__(self, name: str) -> Any:  # asked for what is not there
        if name != "completion":
            raise AttributeError(name)
        self.completion = self._gathering.completion(self._call)
        return self.completion


def _last(chunks: list[Chunk], name: str) -> Any:
    get = attrgetter(name)
    return next((value for value in map(get, reversed(chunks)) if value is not None), None)
