"""Events of a streamed answer as chunks; one state machine for both colours. Pure.

Only `message-end` proves that a stream is complete. Thoughts and plan that the provider wants back leave with it, in
one piece. Numbers of blocks and calls count apart on this wire, and calls are numbered here by their beginnings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_cohere.details import citations_of, logprobs_of
from hb_provider_cohere.replay import reasoning_parts
from hb_provider_cohere.responses import called, finish_reason
from hb_provider_cohere.usage import chat_usage
from heavenbase.details import Details
from heavenbase.http import as_object, as_text, kind_of, shape_error, text_or_none, whole_or_none
from heavenbase.types import Chunk, ToolCallDelta
from heavenbase.wires import StreamedAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.call import Call
    from heavenbase.errors import HBError


class ChatStream(StreamedAnswer):
    """What has come of one streamed answer."""

    __slots__ = ("_numbers", "_plan", "_said", "_starts", "_thoughts")

    def __init__(self, call: Call, is_hidden: bool, held: Callable[[Any], HBError | None]) -> None:
        super().__init__(call, is_hidden, held)
        self._numbers: dict[Any, int] = {}
        self._plan: list[str] = []
        self._said = 0
        self._starts: dict[Any, int] = {}
        """Where in the text its blocks begin, by their places: citations count within one."""
        self._thoughts: dict[Any, list[str]] = {}

    def read(self, event: dict[str, Any]) -> Chunk | None:
        """The chunk for one event; None for an event that says nothing to a caller."""
        kind = event.get("type")
        if not isinstance(kind, str):
            raise shape_error(self._call, f"`type` of an event is {kind_of(kind)}, not text")
        handler = _HANDLERS.get(kind)
        if handler is None:  # ends of blocks, and what is to come
            return None
        chunk = Chunk()
        handler(self, chunk, event, as_object(self._call, event.get("delta"), f"`delta` of {kind}"))
        if chunk.text or chunk.tool_calls:
            self.is_fresh = True
        return chunk

    def _begin(self, chunk: Chunk, event: dict[str, Any], delta: dict[str, Any]) -> None:
        chunk.id = text_or_none(event.get("id"))

    def _content(self, chunk: Chunk, event: dict[str, Any], delta: dict[str, Any]) -> None:
        content = as_object(self._call, self._message(delta, event).get("content"), "`content` of an event")
        chunk.text = as_text(self._call, content.get("text"), "`text`")
        if chunk.text:
            place = whole_or_none(event.get("index"))
            self._starts.setdefault(place, self._said)
            self._said += len(chunk.text)
        if event.get("logprobs"):
            chunk.details = Details.known(logprobs=logprobs_of(event["logprobs"]))
        thought = as_text(self._call, content.get("thinking"), "`thinking`")
        if thought:
            self._thoughts.setdefault(whole_or_none(event.get("index")), []).append(thought)
            self._think(chunk, thought)

    def _cite(self, chunk: Chunk, event: dict[str, Any], delta: dict[str, Any]) -> None:
        message = delta.get("message")
        said = message.get("citations") if isinstance(message, dict) else None
        chunk.details = Details.known(citations=citations_of(said, self._starts))

    def _plan_on(self, chunk: Chunk, event: dict[str, Any], delta: dict[str, Any]) -> None:
        piece = as_text(self._call, self._message(delta, event).get("tool_plan"), "`tool_plan`")
        if piece:
            self._plan.append(piece)
            self._think(chunk, piece)

    def _begin_call(self, chunk: Chunk, event: dict[str, Any], delta: dict[str, Any]) -> None:
        made = called(self._call, self._called(delta, event), self._calls)
        self._numbers[whole_or_none(event.get("index"))] = self._calls
        chunk.tool_calls = [ToolCallDelta(self._calls, made.id, made.name, made.arguments)]
        self._calls += 1

    def _go_on_with_call(self, chunk: Chunk, event: dict[str, Any], delta: dict[str, Any]) -> None:
        made = self._called(delta, event)
        function = made.get("function") if isinstance(made, dict) else None
        number = self._numbers.get(whole_or_none(event.get("index")))
        if not isinstance(function, dict) or number is None:
            raise shape_error(self._call, "a piece of a tool call belongs to none that began")
        piece = as_text(self._call, function.get("arguments"), "`arguments`")
        if piece:
            chunk.tool_calls = [ToolCallDelta(number, arguments=piece)]

    def _end(self, chunk: Chunk, event: dict[str, Any], delta: dict[str, Any]) -> None:
        reason = as_text(self._call, delta.get("finish_reason"), "`finish_reason`")
        if not reason and not self._calls:  # which prove the end
            raise shape_error(self._call, "`finish_reason` is missing, so the answer may not be whole")
        thoughts = ["".join(pieces) for pieces in self._thoughts.values()]
        self.finish(chunk, finish_reason(reason, bool(self._calls)), reason)
        self.is_done = True
        chunk.usage = chat_usage(delta.get("usage"))
        chunk.reasoning_parts = reasoning_parts(self._call, thoughts, "".join(self._plan)) or None

    def _think(self, chunk: Chunk, piece: str) -> None:
        self.is_fresh = True
        if self._is_hidden:
            self._hid = True
        else:
            chunk.reasoning = piece

    def _message(self, delta: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
        return as_object(self._call, delta.get("message"), f"`message` of {event['type']}")

    def _called(self, delta: dict[str, Any], event: dict[str, Any]) -> Any:
        made = self._message(delta, event).get("tool_calls")
        return made[0] if isinstance(made, list) and made else made


_HANDLERS: dict[str, Callable[[ChatStream, Chunk, dict[str, Any], dict[str, Any]], None]] = {
    "message-start": ChatStream._begin,
    "content-start": ChatStream._content,
    "content-delta": ChatStream._content,
    "citation-start": ChatStream._cite,
    "tool-plan-delta": ChatStream._plan_on,
    "tool-call-start": ChatStream._begin_call,
    "tool-call-delta": ChatStream._go_on_with_call,
    "message-end": ChatStream._end,
}
