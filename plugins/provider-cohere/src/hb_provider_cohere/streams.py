"""Events of a streamed answer as chunks; one state machine for both colours. Pure.

Only `message-end` proves that a stream is complete. Thoughts and plan that the provider wants back leave with it, in
one piece. Numbers of blocks and calls count apart on this wire, and calls are numbered here by their beginnings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_cohere.replay import reasoning_parts
from hb_provider_cohere.responses import called, finish_reason, text_of
from hb_provider_cohere.usage import chat_usage
from heavenbase.errors import HBError, StreamTruncated
from heavenbase.http.payload import decode_json
from heavenbase.http.shapes import kind_of, shape_error, text_or_none
from heavenbase.types import Chunk, ToolCallDelta

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.call import Call


class ChatStream:
    """What has come of one streamed answer. `held` makes the error of hb for an event that tells of one."""

    __slots__ = (
        "_call",
        "_calls",
        "_has_event",
        "_held",
        "_is_hidden",
        "_numbers",
        "_plan",
        "_thoughts",
        "is_done",
        "is_finished",
        "is_fresh",
        "showed",
    )

    def __init__(self, call: Call, is_hidden: bool, held: Callable[[Any], HBError | None]) -> None:
        self._call = call
        self._is_hidden = is_hidden
        self._held = held
        self._has_event = False
        self._numbers: dict[Any, int] = {}
        self._calls = 0
        self._plan: list[str] = []
        self._thoughts: dict[Any, list[str]] = {}
        self.is_done = False
        self.is_finished = False
        self.is_fresh = False
        """Whether the last event brought something that the model produced, if only a hidden thought."""
        self.showed = False
        """Whether any event did."""

    def feed(self, data: bytes) -> Chunk | None:
        """The chunk for the data of one event."""
        self.is_fresh = False
        if data == b"[DONE]":
            self.is_done = self.is_finished
            return None
        return self._take(decode_json(data))

    def end(self) -> Chunk | None:
        """After the last byte; StreamTruncated when the end was not proved."""
        if self.is_finished:
            return None
        call = self._call
        if not self._has_event:
            raise shape_error(call, "the stream has no answer in it")
        raise StreamTruncated(
            f"{call.target}: the stream ended without a finish reason",
            retryable=not self.showed,
            provider=call.spec.provider,
            model=call.spec.model_id,
            maybe_billed=True,
        )

    def _take(self, event: Any) -> Chunk | None:
        failure = self._held(event)
        if failure is not None:
            raise failure
        if not isinstance(event, dict):
            raise shape_error(self._call, f"an event of the stream is {kind_of(event)}, not an object")
        kind = event.get("type")
        if not isinstance(kind, str):
            raise shape_error(self._call, f"`type` of an event is {kind_of(kind)}, not text")
        self._has_event = True
        handler = _HANDLERS.get(kind)
        if handler is None:  # citations, ends of blocks, and what is to come
            return None
        delta = event.get("delta")
        if not isinstance(delta, dict):
            raise shape_error(self._call, f"`delta` of {kind} is {kind_of(delta)}, not an object")
        chunk = Chunk(raw=event)
        handler(self, chunk, event, delta)
        if chunk.text or chunk.tool_calls:
            self.is_fresh = True
        self.showed = self.showed or self.is_fresh
        return chunk

    def _begin(self, chunk: Chunk, event: dict[str, Any], delta: dict[str, Any]) -> None:
        chunk.id = text_or_none(event.get("id"))

    def _content(self, chunk: Chunk, event: dict[str, Any], delta: dict[str, Any]) -> None:
        content = self._message(delta, event).get("content")
        if not isinstance(content, dict):
            raise shape_error(self._call, f"`content` of an event is {kind_of(content)}, not an object")
        chunk.text = text_of(self._call, content.get("text"), "text")
        thought = text_of(self._call, content.get("thinking"), "thinking")
        if thought:
            self._thoughts.setdefault(event.get("index"), []).append(thought)
            self._think(chunk, thought)

    def _plan_on(self, chunk: Chunk, event: dict[str, Any], delta: dict[str, Any]) -> None:
        piece = text_of(self._call, self._message(delta, event).get("tool_plan"), "tool_plan")
        if piece:
            self._plan.append(piece)
            self._think(chunk, piece)

    def _begin_call(self, chunk: Chunk, event: dict[str, Any], delta: dict[str, Any]) -> None:
        made = called(self._call, self._called(delta, event), self._calls)
        self._numbers[event.get("index")] = self._calls
        chunk.tool_calls = [ToolCallDelta(self._calls, made.id, made.name, made.arguments)]
        self._calls += 1

    def _go_on_with_call(self, chunk: Chunk, event: dict[str, Any], delta: dict[str, Any]) -> None:
        made = self._called(delta, event)
        function = made.get("function") if isinstance(made, dict) else None
        number = self._numbers.get(event.get("index"))
        if not isinstance(function, dict) or number is None:
            raise shape_error(self._call, "a piece of a tool call belongs to none that began")
        piece = text_of(self._call, function.get("arguments"), "arguments")
        if piece:
            chunk.tool_calls = [ToolCallDelta(number, arguments=piece)]

    def _end(self, chunk: Chunk, event: dict[str, Any], delta: dict[str, Any]) -> None:
        reason = delta.get("finish_reason")
        if not isinstance(reason, str):
            raise shape_error(self._call, f"`finish_reason` is {kind_of(reason)}, not text")
        thoughts = ["".join(pieces) for pieces in self._thoughts.values()]
        self.is_finished = True
        chunk.finish_reason = finish_reason(reason, bool(self._calls))
        chunk.raw_finish_reason = reason
        chunk.usage = chat_usage(delta.get("usage"))
        chunk.reasoning_parts = reasoning_parts(self._call, thoughts, "".join(self._plan)) or None

    def _think(self, chunk: Chunk, piece: str) -> None:
        self.is_fresh = True
        if not self._is_hidden:
            chunk.reasoning = piece

    def _message(self, delta: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
        message = delta.get("message")
        if not isinstance(message, dict):
            raise shape_error(self._call, f"`message` of {event['type']} is {kind_of(message)}, not an object")
        return message

    def _called(self, delta: dict[str, Any], event: dict[str, Any]) -> Any:
        made = self._message(delta, event).get("tool_calls")
        return made[0] if isinstance(made, list) and made else made


_HANDLERS: dict[str, Callable[[ChatStream, Chunk, dict[str, Any], dict[str, Any]], None]] = {
    "message-start": ChatStream._begin,
    "content-start": ChatStream._content,
    "content-delta": ChatStream._content,
    "tool-plan-delta": ChatStream._plan_on,
    "tool-call-start": ChatStream._begin_call,
    "tool-call-delta": ChatStream._go_on_with_call,
    "message-end": ChatStream._end,
}
