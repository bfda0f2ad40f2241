"""Lines of a streamed answer as chunks; one state machine for both colours. Pure.

The line with `"done": true` proves that a stream is complete. Thoughts leave with it once more, in one piece.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_ollama.messages import reasoning_part
from hb_provider_ollama.responses import finish_reason, message_of, text_of, tool_calls, usage_of
from heavenbase.errors import HBError, StreamTruncated
from heavenbase.http.payload import decode_json
from heavenbase.http.shapes import text_or_none
from heavenbase.types import Chunk, ToolCallDelta

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.call import Call


class ChatStream:
    """What has come of one streamed answer. `held` makes the error of hb for an error in the stream."""

    __slots__ = (
        "_call",
        "_calls",
        "_held",
        "_is_hidden",
        "_is_named",
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
        self._is_named = False
        self._calls = 0
        self._thoughts: list[str] = []
        self.is_done = False
        self.is_finished = False
        self.is_fresh = False
        """Whether the last line brought something that the model produced, if only a hidden thought."""
        self.showed = False
        """Whether any line did."""

    def feed(self, data: bytes) -> Chunk | None:
        """The chunk for one line."""
        self.is_fresh = False
        decoded = decode_json(data)
        failure = self._held(decoded)
        if failure is not None:
            raise failure
        message = message_of(self._call, decoded)
        chunk = Chunk(text_of(self._call, message, "content"), raw=decoded)
        if not self._is_named:
            self._is_named = True
            chunk.model = text_or_none(decoded.get("model"))
        thoughts = text_of(self._call, message, "thinking")
        if thoughts:
            self._thoughts.append(thoughts)
            chunk.reasoning = "" if self._is_hidden else thoughts
        made = tool_calls(self._call, message, self._calls)
        if made:
            chunk.tool_calls = [
                ToolCallDelta(self._calls + place, call.id, call.name, call.arguments)
                for place, call in enumerate(made)
            ]
            self._calls += len(made)
        if chunk.text or thoughts or made:
            self.is_fresh = self.showed = True
        if decoded.get("done") is True:
            self.is_done = self.is_finished = True
            reason = decoded.get("done_reason")
            chunk.finish_reason = finish_reason(reason, bool(self._calls))
            chunk.raw_finish_reason = text_or_none(reason)
            chunk.usage = usage_of(decoded)
            chunk.reasoning_parts = reasoning_part(self._call.spec, "".join(self._thoughts)) or None
        return chunk

    def end(self) -> Chunk | None:
        """After the last byte; StreamTruncated when the end was not proved."""
        if self.is_finished:
            return None
        call = self._call
        raise StreamTruncated(
            f"{call.target}: the stream ended before its last line",
            provider=call.spec.provider,
            model=call.spec.model_id,
            maybe_billed=True,
            retryable=not self.showed,
        )
