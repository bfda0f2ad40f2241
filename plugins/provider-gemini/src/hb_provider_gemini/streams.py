"""Events of a streamed answer as chunks; one state machine for both colours. Pure.

Only a finish reason proves that a stream is complete; what follows it is still read. Signatures and thoughts that the
provider wants back leave with the finish reason, in one piece.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_gemini.replay import reasoning_parts
from hb_provider_gemini.responses import candidate_of, finish_reason, read_parts
from hb_provider_gemini.usage import content_usage
from heavenbase.errors import HBError, StreamTruncated
from heavenbase.http.payload import decode_json
from heavenbase.http.shapes import kind_of, shape_error, text_or_none
from heavenbase.types import Chunk, ToolCallDelta

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.call import Call


class ContentStream:
    """What has come of one streamed answer. `held` makes the error of hb for an error object in the stream."""

    __slots__ = (
        "_call",
        "_calls",
        "_has_candidate",
        "_has_event",
        "_held",
        "_is_hidden",
        "_is_named",
        "_parts",
        "_usage",
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
        self._has_candidate = False
        self._is_named = False
        self._calls = 0
        self._parts: list[dict[str, Any]] = []
        self._usage: Any = None
        self.is_done = False
        self.is_finished = False
        self.is_fresh = False
        """Whether the last event brought something that the model produced, if only a hidden thought."""
        self.showed = False
        """Whether any event did."""

    def feed(self, data: bytes) -> Chunk | None:
        """The chunk for the data of one event."""
        if data == b"[DONE]":  # what some servers of this wire add
            return None
        return self.take(decode_json(data))

    def take(self, decoded: Any) -> Chunk | None:
        """The chunk for one decoded event."""
        self._has_event = True
        self.is_fresh = False
        failure = self._held(decoded)
        if failure is not None:
            raise failure
        if not isinstance(decoded, dict):
            raise shape_error(self._call, f"an event of the stream is {kind_of(decoded)}, not an object")
        candidate = candidate_of(self._call, decoded)
        usage = decoded.get("usageMetadata")
        if candidate is None and usage is None:
            raise shape_error(self._call, "an event of the stream has no candidate")
        chunk = Chunk(raw=decoded)
        if not self._is_named:
            self._is_named = True
            chunk.id = text_or_none(decoded.get("responseId"))
            chunk.model = text_or_none(decoded.get("modelVersion"))
        if isinstance(usage, dict):
            self._usage = usage
        if candidate is not None:
            self._choose(chunk, candidate)
        if self.is_finished:
            chunk.usage = content_usage(self._usage)
        return chunk

    def end(self) -> Chunk | None:
        """After the last byte; StreamTruncated when the end was not proved."""
        if self.is_finished:
            return None
        call = self._call
        facts: dict[str, Any] = {"provider": call.spec.provider, "model": call.spec.model_id, "maybe_billed": True}
        if self._has_event and not self._has_candidate:
            raise shape_error(call, "the stream has no answer in it")
        raise StreamTruncated(
            f"{call.target}: the stream ended without a finish reason", retryable=not self.showed, **facts
        )

    def _choose(self, chunk: Chunk, candidate: dict[str, Any]) -> None:
        self._has_candidate = True
        reason = candidate.get("finishReason")
        # Some events bring grounding or citations alone.
        if candidate.get("content") is not None:
            read = read_parts(self._call, candidate, self._calls)
            self._parts += read.parts
            chunk.text = read.text
            chunk.reasoning = "" if self._is_hidden else read.thoughts
            chunk.images = read.images or None
            if read.calls:
                chunk.tool_calls = [
                    ToolCallDelta(self._calls + place, made.id, made.name, made.arguments)
                    for place, made in enumerate(read.calls)
                ]
                self._calls += len(read.calls)
            if read.text or read.thoughts or read.calls or read.images:
                self.is_fresh = self.showed = True
        if reason is not None:
            self.is_finished = True
            chunk.finish_reason = finish_reason(reason, bool(self._calls))
            chunk.raw_finish_reason = text_or_none(reason)
            chunk.reasoning_parts = reasoning_parts(self._call, self._parts) or None
            self._parts = []
