"""Lines of a streamed answer as chunks; one state machine for both colours. Pure.

The line with `"done": true` proves that a stream is complete. Thoughts leave with it once more, in one piece.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_ollama.messages import reasoning_part
from hb_provider_ollama.responses import finish_reason, message_of, text_of, tool_calls, usage_of
from heavenbase.details import Details
from heavenbase.http import text_or_none
from heavenbase.types import Chunk
from heavenbase.wires import StreamedAnswer, token_logprobs, truncated

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.call import Call
    from heavenbase.errors import HBError


class ChatStream(StreamedAnswer):
    """What has come of one streamed answer."""

    __slots__ = ("_is_named", "_thoughts")

    def __init__(self, call: Call, is_hidden: bool, held: Callable[[Any], HBError | None]) -> None:
        super().__init__(call, is_hidden, held)
        self._is_named = False
        self._thoughts: list[str] = []

    def read(self, event: dict[str, Any]) -> Chunk:
        """The chunk for one line."""
        message = message_of(self._call, event)
        chunk = Chunk()
        if not self._is_named:
            self._is_named = True
            chunk.model = text_or_none(event.get("model"))
        thoughts = text_of(self._call, message, "thinking")
        if thoughts:
            self._thoughts.append(thoughts)
        calls = tool_calls(self._call, message, self._calls)
        self.say(chunk, text=text_of(self._call, message, "content"), thoughts=thoughts, calls=calls)
        if event.get("logprobs"):
            chunk.details = Details.known(logprobs=token_logprobs(event["logprobs"]))
        if event.get("done") is True:
            reason = event.get("done_reason")
            self.finish(chunk, finish_reason(reason, bool(self._calls)), reason)
            self.is_done = True
            chunk.usage = usage_of(event)
            chunk.reasoning_parts = reasoning_part(self._call.spec, "".join(self._thoughts)) or None
        return chunk

    def unfinished(self) -> HBError:
        """As on every wire, in words of lines."""
        return truncated(self._call, "before its last line", showed=self.showed)
