"""Events of a streamed answer as chunks; one state machine for both colours. Pure.

Only a finish reason proves that a stream is complete; what follows it is still read. Signatures and thoughts that the
provider wants back leave with the finish reason, in one piece.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_gemini.details import METADATA, citations_of, filters_of, logprobs_of
from hb_provider_gemini.parameters import asked_candidates
from hb_provider_gemini.replay import joined, reasoning_parts
from hb_provider_gemini.responses import candidates_of, finish_reason, parts_of, read_parts
from hb_provider_gemini.usage import content_usage, searches_of
from heavenbase.details import Details
from heavenbase.errors import GenerationFailed
from heavenbase.http import shape_error, text_or_none
from heavenbase.types import ChoiceDelta, Chunk
from heavenbase.wires import StreamedAnswer, merged_counts, truncated

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.call import Call
    from heavenbase.errors import HBError


_NAMED = frozenset(METADATA)
_RUNS = frozenset({"executableCode", "codeExecutionResult", "toolCall", "toolResponse"})
"""Parts that are runs of Google's own tools."""


class ContentStream(StreamedAnswer):
    """What has come of one streamed answer, or of one candidate beside the first."""

    __slots__ = (
        "_first",
        "_has_candidate",
        "_has_ended",
        "_is_named",
        "_others",
        "_parts",
        "_paused",
        "_searches",
        "_told",
        "_usage",
        "_wanted",
    )

    def __init__(self, call: Call, is_hidden: bool, held: Callable[[Any], HBError | None], wanted: int = 0) -> None:
        super().__init__(call, is_hidden, held)
        self._has_candidate = self._has_ended = False
        self._is_named = False
        self._parts: list[dict[str, Any]] = []
        self._told: list[dict[str, Any]] = []
        """Pieces that named sources; how their places are to be read is known at the end."""
        self._usage: Any = None
        self._searches = 0
        self._paused: dict[str, Any] | None = None
        """A piece that says it is the last, and holds a run of one of Google's own tools alone: often more follows."""
        self._wanted = wanted or asked_candidates(call.args)
        self._first = 0 if self._wanted > 1 else None
        """The number of the candidate that is the answer: where one was asked for, the first that comes."""
        self._others: dict[int, ContentStream] = {}

    def read(self, event: dict[str, Any]) -> Chunk:
        """The chunk for one event."""
        candidates = candidates_of(self._call, event)
        usage = event.get("usageMetadata")
        if not candidates and usage is None:
            raise shape_error(self._call, "an event of the stream has no candidate")
        chunk = Chunk()
        if not self._is_named:
            chunk.id = text_or_none(event.get("responseId"))
            chunk.model = text_or_none(event.get("modelVersion"))
            self._is_named = chunk.id is not None or chunk.model is not None
        if isinstance(usage, dict):
            knows_all = self._usage is None or self._usage.keys() <= usage.keys()
            self._usage = usage if knows_all else merged_counts(self._usage, usage)
        if "promptFeedback" in event:
            self._tell(chunk, Details.known(filters=filters_of(event["promptFeedback"], "prompt")))
        for index, candidate in candidates:
            self._searches = max(self._searches, searches_of(candidate))
            if self._first is None:
                self._first = index
            if index == self._first:
                self._choose(chunk, candidate)
            else:
                self._choose_other(chunk, candidate, index)
        self.is_finished = self._have_ended() and len(self._others) + 1 >= self._wanted
        if self._have_ended():
            chunk.usage = content_usage(self._usage, self._searches)
        return chunk

    def end(self) -> Chunk | None:
        """After the last byte: nothing, or an error when the end was not proved; fewer may come than were asked for."""
        chunk = Chunk()
        if self._paused is not None and not self._has_ended:
            self._close(chunk, self._paused)
            chunk.usage = content_usage(self._usage, self._searches)
        if not self._have_ended():
            return super().end()
        return chunk if chunk.finish_reason is not None else None

    def unfinished(self) -> HBError:
        """The first event of this wire may be the whole answer, so a stream without one is cut off like any other."""
        if self._has_event and not self._has_candidate:
            return shape_error(self._call, "the stream has no answer in it")
        return truncated(self._call, f"without {self.ending}", showed=self.showed)

    def _have_ended(self) -> bool:
        return self._has_ended and all(other._has_ended for other in self._others.values())

    def _choose_other(self, chunk: Chunk, candidate: dict[str, Any], index: int) -> None:
        state = self._others.get(index)
        if state is None:
            state = self._others[index] = ContentStream(self._call, self._is_hidden, self._held, 1)
        piece = ChoiceDelta(index=index)
        state.is_fresh = False
        try:
            state._choose(piece, candidate)
        except GenerationFailed as error:  # that is said of this one, and does not take the others along
            piece.finish_reason, piece.raw_finish_reason, state._has_ended = "other", error.code, True
        self._hid, state._hid = self._hid or state._hid, False
        self.is_fresh = self.is_fresh or state.is_fresh
        self._tell(chunk, Details(others=[piece]))

    def _tell(self, chunk: Chunk, details: Details | None) -> None:
        """Put what is more than text into a chunk."""
        if details is not None and chunk.details is not None:
            details = Details.merged([chunk.details, details], [*chunk.details.others, *details.others])
        chunk.details = details or chunk.details

    def _choose(self, chunk: Chunk, candidate: dict[str, Any]) -> None:
        self._has_candidate = True
        reason = candidate.get("finishReason")
        if not _NAMED.isdisjoint(candidate) and any(candidate.get(name) for name in METADATA):
            self._told.append({name: candidate.get(name) for name in METADATA})
        if self._has_ended:
            return  # behind the end come counts alone
        if "logprobsResult" in candidate or "safetyRatings" in candidate:
            self._tell(chunk, Details.known(logprobs=logprobs_of(candidate), filters=filters_of(candidate)))
        is_run = False
        # Some events bring grounding or citations alone.
        if candidate.get("content") is not None:
            read = read_parts(self._call, parts_of(self._call, candidate), self._calls)
            self._parts += read.parts
            is_run = bool(read.parts) and not any(_RUNS.isdisjoint(part) for part in read.parts)
            self.say(chunk, text=read.text, thoughts=read.thoughts, calls=read.calls)
            if read.images:
                chunk.images = read.images
            if read.audio:
                self._tell(chunk, Details(audio=read.audio))
            self.is_fresh = self.is_fresh or bool(read.images or read.audio)
        if reason == "STOP" and is_run:
            self._paused = candidate
        elif reason is not None:
            self._close(chunk, candidate)

    def _close(self, chunk: Chunk, candidate: dict[str, Any]) -> None:
        """The end of the candidate."""
        reason = candidate["finishReason"]
        self.finish(chunk, finish_reason(reason, bool(self._calls)), reason, candidate.get("finishMessage"))
        self._has_ended = True
        parts = joined(self._parts)
        self._tell(chunk, Details.known(citations=citations_of(self._told, parts)))
        chunk.reasoning_parts = reasoning_parts(self._call, parts) or None
        self._parts, self._told = [], []
