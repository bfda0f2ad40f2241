"""Events of a streamed answer of the Responses wire as chunks. Pure.

A stream has ended well when `response.completed` or `response.incomplete` came; the whole answer stands in it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from hb_wire_openai.details import audio_of, logprobs_of
from hb_wire_openai.events import WireStream
from hb_wire_openai.responses import answers
from hb_wire_openai.responses.items import output_text
from hb_wire_openai.responses.places import Places
from heavenbase.details import Details
from heavenbase.http import as_object, shape_error, text_or_none
from heavenbase.types import Chunk, ToolCallDelta
from heavenbase.wires import generation_failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from hb_wire_openai.answers import Thinking
    from heavenbase.call import Call
    from heavenbase.errors import HBError

_THOUGHTS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
_SOUNDS = {"response.audio.delta": "data", "response.audio.transcript.delta": "transcript"}
_ENDS = ("response.completed", "response.incomplete")


class ResponseStream(WireStream):
    """What has come of one streamed answer; the twin of `ChatStream` for this wire."""

    __slots__ = ("_items", "_places", "_seen", "_shown")

    ending: ClassVar[str] = "response.completed"

    def __init__(self, call: Call, thinking: Thinking, embedded: Callable[[Any], HBError]) -> None:
        super().__init__(call, thinking, embedded)
        self._shown: set[str] = set()
        """Details that came before the end."""
        self._items: list[dict[str, Any]] = []
        """The items that are whole."""
        self._places = Places()
        self._seen: dict[int, list[str]] = {}
        """The pieces of arguments that came for the call at each place."""

    def read(self, event: dict[str, Any]) -> Chunk:
        """The chunk for one event."""
        kind = event.get("type")
        if kind == "error":
            raise self._embedded(event)
        if not isinstance(kind, str):
            raise shape_error(self._call, "an event of the stream has no `type`")
        chunk = Chunk()
        if kind == "response.output_text.delta" or kind == "response.refusal.delta":
            chunk.text = self._delta(event)
            if event.get("logprobs"):
                chunk.details = Details.known(logprobs=logprobs_of(event["logprobs"]))
                self._shown.add("logprobs")
        elif kind in _SOUNDS:
            said = event.get("delta")
            chunk.details = Details.known(audio=audio_of({_SOUNDS[kind]: said}, None))
            self.is_fresh = chunk.details is not None
            self._shown.add("audio")
        elif kind in _THOUGHTS:
            chunk.reasoning = self._delta(event)
        elif kind == "response.function_call_arguments.delta" or kind == "response.custom_tool_call_input.delta":
            piece = self._delta(event)
            place = self._places.found(event, event.get("item_id"))
            if place is None:
                place = self._places.opened(event, event.get("item_id"))
            self._seen.setdefault(place, []).append(piece)
            chunk.tool_calls = [ToolCallDelta(place, None, None, piece)]
        elif kind in ("response.output_item.added", "response.output_item.done"):
            self._item(chunk, event, is_whole=kind.endswith("done"))
        elif kind == "response.created":
            response = event.get("response")
            if isinstance(response, dict):
                chunk.id, chunk.model = text_or_none(response.get("id")), text_or_none(response.get("model"))
        elif kind in ("response.failed", "response.cancelled"):
            response = event.get("response")
            said = response.get("error") if isinstance(response, dict) else None
            raise self._embedded(said) if said else generation_failed(self._call, kind.rpartition(".")[2])
        elif kind in _ENDS:
            self._end(chunk, event)
        if self._is_hidden:
            chunk.reasoning, self._hid = "", self._hid or "reasoning" in kind
        return chunk

    def _delta(self, event: dict[str, Any]) -> str:
        piece = event.get("delta")
        if not isinstance(piece, str):
            raise shape_error(self._call, "a delta of the stream is no text")
        self.is_fresh = bool(piece)
        return piece

    def _item(self, chunk: Chunk, event: dict[str, Any], *, is_whole: bool) -> None:
        item = as_object(self._call, event.get("item"), "an item of the stream")
        item_id = item.get("id")
        self._hid = self._is_hidden and item.get("type") == "reasoning"
        place = self._places.closed(event, item_id) if is_whole else self._places.opened(event, item_id)
        if is_whole:
            self._items.append(item)
        if item.get("type") in answers.CALLS:
            found = answers.tool_call(self._call, item)
            is_known = place in self._seen
            seen = "".join(self._seen.setdefault(place, []))
            if is_whole and seen and not _say_the_same(seen, found.arguments):
                raise shape_error(self._call, f"the finished call of {found.name} has other arguments than its pieces")
            # Some servers send no fragments of the arguments.
            arguments = found.arguments if is_whole and not seen else ""
            self._seen[place].append(arguments)
            if not is_known:
                kind = found.type if found.type != "function" else None
                chunk.tool_calls = [ToolCallDelta(place, found.id, found.name, arguments, kind)]
            elif arguments:
                chunk.tool_calls = [ToolCallDelta(place, None, None, arguments)]
            self.is_fresh = bool(chunk.tool_calls)
        elif is_whole:
            images = answers.images(self._call, item)
            if images:
                chunk.images = images
                self.is_fresh = True

    def _end(self, chunk: Chunk, event: dict[str, Any]) -> None:
        response = as_object(self._call, event.get("response"), "the answer in the last event of the stream")
        if self._items and not response.get("output"):
            # Some servers do not repeat what they have said.
            response = {**response, "output": self._items}
        items = answers.output_items(self._call, response)
        self._hid = self._is_hidden
        calls = [answers.tool_call(self._call, item) for item in items if item.get("type") in answers.CALLS]
        if not self.showed:
            # Others say nothing before.
            self.say(chunk, text=output_text(items), thoughts="".join(map(answers.thoughts, items)), calls=calls)
            chunk.images = [image for item in items for image in answers.images(self._call, item)] or None
            self.is_fresh = self.is_fresh or chunk.images is not None
        self.finish(chunk, *answers.finish_reason(response, items))
        chunk.usage = answers.usage(response, items)
        chunk.reasoning_parts = answers.parts(self._call, items) or None
        chunk.details = answers.details(response, items, self._shown)
        self.is_done = True


def _say_the_same(pieces: str, whole: str) -> bool:
    """Whether two texts of arguments mean the same; a finished item without any says nothing."""
    if pieces == whole or whole in ("", "{}"):
        return True
    try:
        return bool(json.loads(pieces) == json.loads(whole))
    except (ValueError, RecursionError):
        return False
