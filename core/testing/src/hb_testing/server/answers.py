"""What a handler, a script or a fault may answer: a reply, a stream, or raw steps.

Reply    content; the wire puts it in the provider's shape, the server frames it (Content-Length, keep-alive)
Stream   encoded events; the server frames them (chunked, keep-alive)
steps    raw: bytes for the socket, `Pause`, `Action`; nothing is added, so they may be as malformed as wanted
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class Action(enum.Enum):
    """A raw step that does something to the connection.

    RESET       wait until everything written has left the process, then close with a TCP RST (SO_LINGER 0)
    HALF_CLOSE  send FIN and go on reading (on TLS: close)
    CLOSE       flush, then close
    STALL       keep the connection open and silent until the peer closes it or the server stops
    KEEP_OPEN   as the last step: the answer was complete HTTP, wait for the next request
    """

    RESET = "reset"
    HALF_CLOSE = "half_close"
    CLOSE = "close"
    STALL = "stall"
    KEEP_OPEN = "keep_open"


@dataclass(frozen=True, slots=True)
class Pause:
    """A raw step that waits `seconds`; 0 only lets other connections run."""

    seconds: float


Step = bytes | Pause | Action
Steps = Iterable[Step] | AsyncIterable[Step]


@dataclass(slots=True)
class Reply:
    """One answer, in words that every wire understands; empty fields mean the wire's deterministic default.

    text           the answer's text; None echoes the request
    reasoning      the reasoning text
    tool_calls     `{"name", "arguments", "id"?}` each (arguments: mapping or string), or the OpenAI shape
    usage          replaces the counted usage, in OpenAI's words (which every wire translates) or the wire's own; `{}`
                   sends none
    finish_reason  the provider's word; default `stop`, `tool_calls` or `length`
    chunks         how the text is cut when streamed; a mapping is sent as a whole delta (streams only)
    status         HTTP status; from 400 on the text is the message of the provider's error body
    headers        added to the answer's headers
    body           sent as it is: bytes, str, or anything JSON; the fields above are then ignored
    images         PNG (or other) bytes of generated images
    embeddings     one vector per input
    delay          seconds before the first byte
    pause          seconds between two events of a stream
    is_unique      equal requests get other answers, so that this one is encoded for itself
    """

    text: str | None = None
    reasoning: str | None = None
    tool_calls: Sequence[Mapping[str, Any]] = ()
    usage: Mapping[str, Any] | None = None
    finish_reason: str | None = None
    chunks: Sequence[str | Mapping[str, Any]] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    images: Sequence[bytes] = ()
    embeddings: Sequence[Sequence[float]] = ()
    delay: float = 0.0
    pause: float = 0.0
    is_unique: bool = False

    @property
    def raw(self) -> bool:
        """Whether the reply is sent as it is, without the wire's happy shape."""
        return self.body is not None or self.status >= 400


@dataclass(slots=True)
class Stream:
    """A streamed answer as encoded events, in three parts so that faults can cut between them.

    `opening` comes before any content, `closing` is what proves the end (finish reason, usage, terminal marker).
    """

    opening: list[bytes]
    content: list[bytes]
    closing: list[bytes]
    content_type: str = "text/event-stream; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    pause: float = 0.0

    @property
    def events(self) -> list[bytes]:
        """All events, in order."""
        return [*self.opening, *self.content, *self.closing]


Answer = Reply | Stream | bytes | Steps
