"""What every wire reads out of an answer: finish reasons, counts of tokens, vectors; the state of a streamed one. Pure.

The end of a streamed answer must be proved.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from heavenbase.errors import GenerationFailed, ResponseDecodeError, StreamTruncated
from heavenbase.gather import call_deltas
from heavenbase.http.payload import answer_error, as_list, as_object, decode_json, kind_of, shape_error
from heavenbase.types import Usage
from heavenbase.wires.thoughts import without_thoughts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from heavenbase.call import Call
    from heavenbase.errors import HBError
    from heavenbase.types import Chunk, Completion, FinishReason, ToolCall

V = TypeVar("V", bound="Sequence[float]")
DONE = b"[DONE]"
"""What many servers send behind the last event, whatever their wire says."""
_LARGEST = 2**53
_NO_CALLS = "the answer ended for its tool calls, and has none"
_FAILED = (
    *("error", "failed", "failure", "abort", "aborted", "cancelled", "canceled", "timeout", "internal_error"),
    *("network_error", "server_error", "insufficient_system_resource", "unexpected_tool_call", "too_many_tool_calls"),
    "missing_thought_signature",
)
"""Finish reasons, in lower case, of generations that failed, whatever had come before; those of bad calls besides."""


def finish_words(table: Mapping[FinishReason, str]) -> dict[str, FinishReason]:
    """What `finish_reason` looks into, from the words of a wire for each word of hb, in one text."""
    return {raw: word for word, given in table.items() for raw in given.split()}


_PLAIN = finish_words(
    {
        "stop": "stop end_turn stop_sequence eos complete completed",
        "length": "length max_tokens max_output_tokens",
        "tool_calls": "tool_calls tool_call tool_use function_call",
    }
)
"""What servers that speak a wire say in words of another, in lower case."""


def finish_reason(words: Mapping[str, FinishReason], raw: Any, has_calls: bool = False) -> FinishReason:
    """hb's word for the provider's; "other" for one that neither `words` nor another wire knows, and for none.

    `has_calls` is for wires that end a turn as usual when there are tool calls in it: "stop" is "tool_calls" then.
    """
    found = (words.get(raw) or _PLAIN.get(raw.lower(), "other")) if isinstance(raw, str) else "other"
    return "tool_calls" if has_calls and found == "stop" else found


def proved(
    call: Call, answer: Completion, said: Any = None, *, hidden: Any = None, is_proved: bool = False
) -> Completion:
    """The whole answer; an error when its finish reason says that it failed, or when it has none.

    `is_proved` says that something else proves it, `hidden` are thoughts in it that nobody is to see, `said` is what
    the provider says of its end. Where there is no finish reason, tool calls prove the answer, as the kernel runs only
    whole ones.
    """
    if hidden:
        answer.raw = without_thoughts(answer.raw)
    reason, raw = answer.finish_reason, answer.raw_finish_reason
    is_empty = not (answer.text or answer.tool_calls or answer.images)
    if reason == "other" and not (raw or answer.tool_calls or is_proved):
        failure: HBError = shape_error(call, "the answer has no finish reason, so it may not be whole")
    elif reason == "other" and raw and (is_empty or is_failed_word(raw)):
        failure = generation_failed(call, raw, said)
    elif reason == "tool_calls" and is_empty and not answer.reasoning_parts:
        failure = shape_error(call, _NO_CALLS)
    else:
        return answer
    failure.partial = answer
    raise failure


def is_failed_word(raw: str) -> bool:
    """Whether a finish reason that hb has no word for says that the generation failed."""
    word = raw.lower()
    return "malformed" in word or word in _FAILED


def generation_failed(call: Call, raw: str, said: Any = None) -> GenerationFailed:
    """The error for a generation that ended so; `said` is what the provider says of it, if it does."""
    told = f": {said}" if isinstance(said, str) and said else ""
    return answer_error(GenerationFailed, call, f"the generation failed ({raw}){told}", code=raw)


def count(value: Any) -> int | None:
    """A count of tokens, None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and 0 <= value < _LARGEST else None


def rest(total: int | None, *within: int | None) -> int | None:
    """What is left of a sum without the buckets that it counts too; None where the sum is not known."""
    if total is None:
        return None
    for part in within:
        if part:
            total -= part
    return max(total, 0)


def merged_counts(before: Any, later: Any) -> Any:
    """The counts of two pieces of one answer: running totals, so the later says more, but nothing is forgotten."""
    if not isinstance(later, dict):
        return before if later is None else later
    found = dict(before) if isinstance(before, dict) else {}
    for name, value in later.items():
        found[name] = merged_counts(found.get(name), value)
    return found


def known_usage(usage: Usage) -> Usage | None:
    """The usage; None where the provider sent no count at all."""
    return usage if usage != Usage() else None


def read_vectors(
    call: Call, rows: Any, where: str, read: Callable[[Any, int], V], wanted: int | None = None
) -> list[V]:
    """The vector in each row, in order; ResponseShapeError when there is not one per input, all of one length.

    Args:
        call: The call, whose inputs are counted.
        rows: The list in the answer.
        where: What the answer calls it.
        read: The vector of a row, from the row and its place.
        wanted: How many there must be, where that are not all inputs.
    """
    rows = as_list(call, rows, f"`{where}`")
    if wanted is None:
        wanted = len(call.inputs)
    if len(rows) != wanted:
        raise shape_error(call, f"{wanted} inputs got {len(rows)} vectors")
    vectors = [read(row, place) for place, row in enumerate(rows)]
    if len({len(vector) for vector in vectors}) > 1:
        raise shape_error(call, "the vectors differ in length")
    return vectors


def read_vector(call: Call, values: Any, where: str) -> list[float]:
    """The numbers of one vector, as floats; ResponseShapeError for anything else."""
    if not isinstance(values, list) or not values:
        raise shape_error(call, f"{where} is {kind_of(values)}, not a list of numbers")
    if not all(type(number) is float for number in values):
        if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in values):
            raise shape_error(call, f"{where} holds something else than numbers")
        try:
            values = [float(number) for number in values]
        except OverflowError:
            raise shape_error(call, f"{where} has a number that is too large") from None
    # The sum is not finite when any number is not, and is had sooner than a look at each.
    if not isfinite(sum(values)):
        raise shape_error(call, f"{where} has a number that is not finite")
    return values  # type: ignore[no-any-return]


class StreamedAnswer:
    """The state of one stream, for both colours; a wire adds `read`, and says in `ending` what proves the end.

    `is_done`: nothing more is to be read; `is_finished`: the end is proved; `is_fresh`: the last event brought
    something that the model produced, if only a hidden thought; `showed`: any event did.

    Args:
        call: The call that is answered.
        is_hidden: Whether thoughts are left out of the chunks.
        held: The error inside a decoded event, or None.
    """

    __slots__ = (
        "_call",
        "_calls",
        "_has_event",
        "_held",
        "_hid",
        "_is_hidden",
        "is_done",
        "is_finished",
        "is_fresh",
        "showed",
    )

    ending: ClassVar[str] = "a finish reason"

    def __init__(self, call: Call, is_hidden: bool, held: Callable[[Any], HBError | None]) -> None:
        self._call = call
        self._is_hidden = is_hidden
        self._held = held
        self._has_event = False
        self._hid = False
        """Whether this event holds thoughts that nobody is to see."""
        self._calls = 0
        """Tool calls that have begun."""
        self.is_done = self.is_finished = self.is_fresh = self.showed = False

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
            if self._hid:
                chunk.raw, self._hid = without_thoughts(event), False
        if self.is_fresh:
            self.showed = True
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
        return answer_error(ResponseDecodeError, self._call, "the stream is empty")

    # For `read`

    def finish(self, chunk: Chunk, word: FinishReason, raw: Any, said: Any = None) -> None:
        """Put the end into a chunk; GenerationFailed where it says that there is no answer, `said` why."""
        chunk.finish_reason = word
        chunk.raw_finish_reason = raw if isinstance(raw, str) else None
        is_empty = not (self.showed or self.is_fresh)
        if word == "other" and isinstance(raw, str) and raw and (is_empty or is_failed_word(raw)):
            raise generation_failed(self._call, raw, said)
        if word == "tool_calls" and is_empty:
            raise shape_error(self._call, _NO_CALLS)
        self.is_finished = True

    def say(self, chunk: Chunk, *, text: str = "", thoughts: str = "", calls: Sequence[ToolCall] = ()) -> Chunk:
        """Put what the model produced into a chunk: hidden thoughts are left out, whole calls are numbered on."""
        if text:
            chunk.text = text
        if thoughts:
            if self._is_hidden:
                self._hid = True
            else:
                chunk.reasoning = thoughts
        if calls:
            chunk.tool_calls = call_deltas(calls, self._calls)
            self._calls += len(calls)
        self.is_fresh = self.is_fresh or bool(text or thoughts or calls)
        return chunk


def truncated(call: Call, how: str, *, showed: bool) -> StreamTruncated:
    """The error for a stream that ended so; it may be tried again while nothing was shown of it."""
    return answer_error(StreamTruncated, call, f"the stream ended {how}", retryable=not showed)
