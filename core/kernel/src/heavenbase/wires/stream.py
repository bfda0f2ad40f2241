"""What has come of one streamed answer: the state that every wire keeps, and the end that must be proved. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from heavenbase.errors import ResponseDecodeError, StreamTruncated
from heavenbase.gather import call_deltas
from heavenbase.http.payload import decode_json
from heavenbase.http.shapes import as_object

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from heavenbase.call import Call
    from heavenbase.errors import HBError
    from heavenbase.types import Chunk, ToolCall

E = TypeVar("E", bound="HBError")
DONE = b"[DONE]"
"""What many servers send behind the last event, whatever their wire says."""


class StreamedAnswer:
    """The state of one stream, for both colours; a wire adds `read`, and says in `ending` what proves the end.

    Args:
        call: The call that is answered.
        is_hidden: Whether thoughts are left out of the chunks.
        held: The error inside a decoded event, or None.
    """

    __slots__ = ("_call", "_calls", "_has_event", "_held", "_is_hidden", "is_done", "is_finished", "is_fresh", "showed")

    ending: ClassVar[str] = "a finish reason"

    def __init__(self, call: Call, is_hidden: bool, held: Callable[[Any], HBError | None]) -> None:
        self._call = call
        self._is_hidden = is_hidden
        self._held = held
        self._has_event = False
        self._calls = 0
        """Tool calls that have begun."""
        self.is_done = False
        """Whether nothing more is to be read."""
        self.is_finished = False
        """Whether the end is proved."""
        self.is_fresh = False
        """Whether the last event brought something that the model produced, if only a hidden thought."""
        self.showed = False
        """Whether any event did."""

    def feed(self, data: bytes) -> Chunk | None:
        """The chunk for the data of one event; None for one that says nothing to a caller."""
        if data.startswith(DONE):
            self.is_fresh = False
            self.is_done = self.is_finished
            return None
        return self.take(decode_json(data))

    def take(self, decoded: Any) -> Chunk | None:
        """The chunk for one decoded event; the error that it holds, ResponseShapeError when it is no object."""
        self._has_event = True
        self.is_fresh = False
        failure = self._held(decoded)
        if failure is not None:
            raise failure
        event = as_object(self._call, decoded, "an event of the stream")
        chunk = self.read(event)
        if chunk is not None:
            chunk.raw = event
        self.showed = self.showed or self.is_fresh
        return chunk

    def read(self, event: dict[str, Any]) -> Chunk | None:
        """The chunk for an event that holds no error; sets `is_fresh`, `is_finished` and `is_done`."""
        raise NotImplementedError

    def end(self) -> Chunk | None:
        """After the last byte: nothing, or an error when the end was not proved."""
        if self.is_finished:
            return None
        raise self.unfinished()

    def unfinished(self) -> HBError:
        """The error for a stream whose end was not proved."""
        if self._has_event:
            return truncated(self._call, f"without {self.ending}", showed=self.showed)
        return _error(ResponseDecodeError, self._call, "the stream is empty")

    # For `read`

    def say(self, chunk: Chunk, *, text: str = "", thoughts: str = "", calls: Sequence[ToolCall] = ()) -> Chunk:
        """Put what the model produced into a chunk: hidden thoughts are left out, whole calls are numbered on."""
        if text:
            chunk.text = text
        if thoughts and not self._is_hidden:
            chunk.reasoning = thoughts
        if calls:
            chunk.tool_calls = call_deltas(calls, self._calls)
            self._calls += len(calls)
        self.is_fresh = self.is_fresh or bool(text or thoughts or calls)
        return chunk


def truncated(call: Call, how: str, *, showed: bool) -> StreamTruncated:
    """The error for a stream that ended so; it may be tried again while nothing was shown of it."""
    return _error(StreamTruncated, call, f"the stream ended {how}", retryable=not showed)


def _error(kind: type[E], call: Call, what: str, **facts: Any) -> E:
    spec = call.spec
    return kind(f"{call.target}: {what}", provider=spec.provider, model=spec.model_id, maybe_billed=True, **facts)
