"""Events of a streamed answer as chunks; one state machine for both colours. Pure.

Only a finish reason proves that a stream is complete; what follows it is still read. Signatures and thoughts that the
provider wants back leave with the finish reason, in one piece.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_gemini.replay import reasoning_parts
from hb_provider_gemini.responses import candidate_of, finish_reason, read_parts
from hb_provider_gemini.usage import content_usage
from heavenbase.http import shape_error, text_or_none
from heavenbase.types import Chunk
from heavenbase.wires import StreamedAnswer, truncated

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.call import Call
    from heavenbase.errors import HBError


class ContentStream(StreamedAnswer):
    """What has come of one streamed answer."""

    __slots__ = ("_has_candidate", "_is_named", "_parts", "_usage")

    def __init__(self, call: Call, is_hidden: bool, held: Callable[[Any], HBError | None]) -> None:
        super().__init__(call, is_hidden, held)
        self._has_candidate = False
        self._is_named = False
        self._parts: list[dict[str, Any]] = []
        self._usage: Any = None

    def read(self, event: dict[str, Any]) -> Chunk:
        """The chunk for one event."""
        candidate = candidate_of(self._call, event)
        usage = event.get("usageMetadata")
        if candidate is None and usage is None:
            raise shape_error(self._call, "an event of the stream has no candidate")
        chunk = Chunk()
        if not self._is_named:
            self._is_named = True
            chunk.id = text_or_none(event.get("responseId"))
            chunk.model = text_or_none(event.get("modelVersion"))
        if isinstance(usage, dict):
            self._usage = usage
        if candidate is not None:
            self._choose(chunk, candidate)
        if self.is_finished:
            chunk.usage = content_usage(self._usage)
        return chunk

    def unfinished(self) -> HBError:
        """The first event of this wire may be the whole answer, so a stream without one is cut off like any other."""
        if self._has_event and not self._has_candidate:
            return shape_error(self._call, "the stream has no answer in it")
        return truncated(self._call, f"without {self.ending}", showed=self.showed)

    def _choose(self, chunk: Chunk, candidate: dict[str, Any]) -> None:
        self._has_candidate = True
        reason = candidate.get("finishReason")
        if self.is_finished:
            return  # behind the end come counts alone
        # Some events bring grounding or citations alone.
        if candidate.get("content") is not None:
            read = read_parts(self._call, candidate, self._calls)
            self._parts += read.parts
            self.say(chunk, text=read.text, thoughts=read.thoughts, calls=read.calls)
            if read.images:
                chunk.images = read.images
                self.is_fresh = True
        if reason is not None:
            self.finish(chunk, finish_reason(reason, bool(self._calls)), reason, candidate.get("finishMessage"))
            chunk.reasoning_parts = reasoning_parts(self._call, self._parts) or None
            self._parts = []
