"""Events of a streamed answer of the Responses wire as chunks. Pure.

A stream has ended well when `response.completed` or `response.incomplete` came; the whole answer stands in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_wire_openai.responses import answers
from hb_wire_openai.responses.items import output_text
from hb_wire_openai.responses.places import Places
from heavenbase.errors import HBError, ResponseDecodeError, StreamTruncated
from heavenbase.http.payload import decode_json
from heavenbase.http.shapes import shape_error, text_or_none
from heavenbase.types import Chunk, ToolCallDelta

if TYPE_CHECKING:
    from collections.abc import Callable

    from hb_wire_openai.answers import Thinking
    from heavenbase.call import Call

_THOUGHTS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
_ENDS = ("response.completed", "response.incomplete")


class ResponseStream:
    """What has come of one streamed answer; the twin of `ChatStream` for this wire."""

    __slots__ = (
        "_call",
        "_embedded",
        "_has_event",
        "_items",
        "_places",
        "_seen",
        "_thinking",
        "is_done",
        "is_finished",
        "is_fresh",
        "showed",
    )

    def __init__(self, call: Call, thinking: Thinking, embedded: Callable[[Any], HBError]) -> None:
        self._call = call
        self._thinking = thinking
        self._embedded = embedded
        self._has_event = False
        self._items: list[dict[str, Any]] = []
        """The items that are whole."""
        self._places = Places()
        self._seen: dict[int, int] = {}
        """Characters of arguments that came for the call at each place."""
        self.is_done = False
        self.is_finished = False
        self.is_fresh = False
        """Whether the last event brought something of the answer, if only a hidden thought."""
        self.showed = False
        """Whether any event did."""

    def feed(self, data: bytes) -> Chunk | None:
        """The chunk for the data of one event; None for a terminal marker, which some servers add."""
        self._has_event = True
        if data.startswith(b"[DONE]"):
            self.is_done = True
            return None
        event = decode_json(data)
        if not isinstance(event, dict):
            raise shape_error(self._call, "an event of the stream is no object")
        kind = event.get("type")
        if kind == "error":
            raise self._embedded(event.get("error") or event)
        if not isinstance(kind, str):
            if event.get("error"):
                raise self._embedded(event["error"])
            raise shape_error(self._call, "an event of the stream has no `type`")
        chunk = Chunk(raw=event)
        self.is_fresh = False
        if kind == "response.output_text.delta" or kind == "response.refusal.delta":
            chunk.text = self._delta(event)
        elif kind in _THOUGHTS:
            chunk.reasoning = self._delta(event)
        elif kind == "response.function_call_arguments.delta":
            piece = self._delta(event)
            place = self._places.found(event, event.get("item_id"))
            if place is None:
                place = self._places.opened(event, event.get("item_id"))
            self._seen[place] = self._seen.get(place, 0) + len(piece)
            chunk.tool_calls = [ToolCallDelta(place, None, None, piece)]
        elif kind in ("response.output_item.added", "response.output_item.done"):
            self._item(chunk, event, is_whole=kind.endswith("done"))
        elif kind == "response.created":
            response = event.get("response")
            if isinstance(response, dict):
                chunk.id, chunk.model = text_or_none(response.get("id")), text_or_none(response.get("model"))
        elif kind == "response.failed":
            response = event.get("response")
            raise self._embedded((response.get("error") if isinstance(response, dict) else None) or event)
        elif kind in _ENDS:
            self._end(chunk, event)
        self.showed = self.showed or self.is_fresh
        if chunk.reasoning and self._thinking.is_hidden:
            chunk.reasoning = ""
        return chunk

    def end(self) -> Chunk | None:
        """After the last byte: nothing, or StreamTruncated when the end was not proved."""
        if self.is_finished:
            return None
        call = self._call
        facts: dict[str, Any] = {"provider": call.spec.provider, "model": call.spec.model_id, "maybe_billed": True}
        if not self._has_event:
            raise ResponseDecodeError(f"{call.target}: the stream is empty", **facts)
        raise StreamTruncated(
            f"{call.target}: the stream ended without response.completed", retryable=not self.showed, **facts
        )

    def _delta(self, event: dict[str, Any]) -> str:
        piece = event.get("delta")
        if not isinstance(piece, str):
            raise shape_error(self._call, "a delta of the stream is no text")
        self.is_fresh = bool(piece)
        return piece

    def _item(self, chunk: Chunk, event: dict[str, Any], *, is_whole: bool) -> None:
        item = event.get("item")
        if not isinstance(item, dict):
            raise shape_error(self._call, "an item of the stream is no object")
        item_id = item.get("id")
        place = self._places.closed(event, item_id) if is_whole else self._places.opened(event, item_id)
        if is_whole:
            self._items.append(item)
        if item.get("type") == "function_call":
            found = answers.tool_call(self._call, item)
            is_known = place in self._seen
            # Some servers send no fragments of the arguments.
            arguments = found.arguments if is_whole and not self._seen.get(place) else ""
            self._seen[place] = self._seen.get(place, 0) + len(arguments)
            if not is_known:
                chunk.tool_calls = [ToolCallDelta(place, found.id, found.name, arguments)]
            elif arguments:
                chunk.tool_calls = [ToolCallDelta(place, None, None, arguments)]
            self.is_fresh = bool(chunk.tool_calls)
        elif is_whole:
            images = answers.images(self._call, item)
            if images:
                chunk.images = images
                self.is_fresh = True

    def _end(self, chunk: Chunk, event: dict[str, Any]) -> None:
        response = event.get("response")
        if not isinstance(response, dict):
            raise shape_error(self._call, "the last event of the stream holds no answer")
        if self._items and not response.get("output"):
            # Some servers do not repeat what they have said.
            response = {**response, "output": self._items}
        items = answers.output_items(self._call, response)
        calls = [answers.tool_call(self._call, item) for item in items if item.get("type") == "function_call"]
        if not self.showed:
            # Others say nothing before.
            chunk.text = output_text(items)
            chunk.reasoning = "".join(map(answers.thoughts, items))
            chunk.images = [image for item in items for image in answers.images(self._call, item)] or None
            chunk.tool_calls = [
                ToolCallDelta(place, found.id, found.name, found.arguments) for place, found in enumerate(calls)
            ] or None
            self.is_fresh = bool(chunk.text or chunk.reasoning or chunk.images or chunk.tool_calls)
        chunk.finish_reason, chunk.raw_finish_reason = answers.finish_reason(response, items)
        chunk.usage = answers.usage(response.get("usage"))
        chunk.reasoning_parts = answers.parts(self._call, items) or None
        self.is_finished = self.is_done = True
