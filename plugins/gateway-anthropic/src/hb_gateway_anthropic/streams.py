"""Events of a streamed message as chunks; one state machine for both colours. Pure.

Only `message_stop` proves that a stream is complete, so the finish reason leaves with it. Usage comes twice, at the
start and, as running totals, at the end; a chunk with usage replaces the one before. Thoughts and other blocks that
the provider wants back leave with the finish reason, in one piece.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hb_gateway_anthropic.replay import reasoning_parts
from hb_gateway_anthropic.responses import block_kind, finish_reason, input_text, text_of, tool_name
from hb_gateway_anthropic.usage import merged, message_usage
from heavenbase.errors import HBError, ResponseDecodeError, StreamTruncated
from heavenbase.http.payload import decode_json
from heavenbase.http.shapes import kind_of, shape_error, text_or_none
from heavenbase.types import Chunk, ToolCallDelta

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.call import Call

_DELTAS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}


class _Block:
    """One block while it grows."""

    __slots__ = ("number", "pieces", "start")

    def __init__(self, start: dict[str, Any], number: int) -> None:
        self.start = start
        self.number = number
        """Which tool call this is, for a tool use."""
        self.pieces: dict[str, list[Any]] = {}

    def add(self, name: str, piece: Any) -> None:
        self.pieces.setdefault(name, []).append(piece)

    def whole(self) -> dict[str, Any]:
        """The block as the provider would send it unstreamed."""
        found = dict(self.start)
        for name, pieces in self.pieces.items():
            if name == "partial_json":
                found["input"] = _parsed("".join(pieces))
            elif name == "citations":
                found[name] = [*(found.get(name) or ()), *pieces]
            else:
                found[name] = f"{found.get(name) or ''}{''.join(pieces)}"
        return found


class MessageStream:
    """What has come of one streamed answer. `embedded` makes the error of hb for an error object in the stream."""

    __slots__ = (
        "_blocks",
        "_call",
        "_calls",
        "_embedded",
        "_has_event",
        "_has_start",
        "_is_hidden",
        "_open",
        "_reason",
        "_usage",
        "is_done",
        "is_finished",
        "is_fresh",
        "showed",
    )

    def __init__(self, call: Call, is_hidden: bool, embedded: Callable[[Any], HBError]) -> None:
        self._call = call
        self._is_hidden = is_hidden
        self._embedded = embedded
        self._has_event = False
        self._has_start = False
        self._blocks: list[_Block] = []
        self._open: dict[int, _Block] = {}
        self._calls = 0
        self._reason: Any = None
        self._usage: dict[str, Any] = {}
        self.is_done = False
        self.is_finished = False
        """Whether the end is proved, after which nothing more is read."""
        self.is_fresh = False
        """Whether the last event brought something that the model produced."""
        self.showed = False
        """Whether the model has produced something, if only a hidden thought."""

    def feed(self, data: bytes) -> Chunk | None:
        """The chunk for the data of one event; None for an event that says nothing to a caller."""
        self._has_event = True
        self.is_fresh = False
        event = decode_json(data)
        if not isinstance(event, dict):
            raise shape_error(self._call, f"an event of the stream is {kind_of(event)}, not an object")
        kind = event.get("type")
        if kind == "content_block_delta":
            chunk = self._delta(event)
        elif kind == "content_block_start":
            chunk = self._start_block(event)
        elif kind == "content_block_stop":
            chunk = self._stop_block(event)
        elif kind == "message_start":
            chunk = self._start(event)
        elif kind == "message_delta":
            chunk = self._change(event)
        elif kind == "message_stop":
            chunk = self._close()
        elif kind == "error" or event.get("error"):
            raise self._embedded(event.get("error") or event)
        elif isinstance(kind, str):
            return None  # a ping, or what a later version of the wire sends beside
        else:
            raise shape_error(self._call, "an event of the stream has no type")
        if chunk is not None:
            chunk.raw = event
        if self.is_fresh:
            self.showed = True
        return chunk

    def end(self) -> None:
        """After the last byte: StreamTruncated when the end was not proved."""
        if self.is_done:
            return
        call = self._call
        facts: dict[str, Any] = {
            "provider": call.spec.provider,
            "model": call.spec.model_id,
            "maybe_billed": True,
        }
        if not self._has_event:
            raise ResponseDecodeError(f"{call.target}: the stream is empty", **facts)
        raise StreamTruncated(
            f"{call.target}: the stream ended without message_stop", retryable=not self.showed, **facts
        )

    def _start(self, event: dict[str, Any]) -> Chunk:
        message = event.get("message")
        if not isinstance(message, dict):
            raise shape_error(self._call, f"`message` of message_start is {kind_of(message)}, not an object")
        if not isinstance(message.get("content"), list):
            raise shape_error(
                self._call, f"`content` of message_start is {kind_of(message.get('content'))}, not a list"
            )
        for place, block in enumerate(message["content"]):
            block_kind(self._call, block, place)
        self._has_start = True
        self._usage = merged({}, message.get("usage"))
        return Chunk(
            usage=message_usage(self._usage),
            id=text_or_none(message.get("id")),
            model=text_or_none(message.get("model")),
        )

    def _change(self, event: dict[str, Any]) -> Chunk:
        delta = event.get("delta")
        if isinstance(delta, dict) and delta.get("stop_reason") is not None:
            self._reason = delta["stop_reason"]
        self._usage = merged(self._usage, event.get("usage"))
        return Chunk(usage=message_usage(self._usage))

    def _close(self) -> Chunk:
        if not self._has_start:
            raise shape_error(self._call, "the stream has no message in it")
        self.is_done = self.is_finished = True
        blocks = [block.whole() for block in self._blocks]
        reason = self._reason
        return Chunk(
            finish_reason=finish_reason(reason),
            raw_finish_reason=reason if isinstance(reason, str) else None,
            usage=message_usage(self._usage),
            reasoning_parts=reasoning_parts(self._call, blocks) or None,
        )

    def _start_block(self, event: dict[str, Any]) -> Chunk | None:
        start = event.get("content_block")
        kind = block_kind(self._call, start, event.get("index"))
        assert isinstance(start, dict)
        block = _Block(start, self._calls)
        self._blocks.append(block)
        self._open[_index(event)] = block
        if kind == "tool_use":
            self._calls += 1
            self.is_fresh = True
            name = tool_name(self._call, start)
            return Chunk(tool_calls=[ToolCallDelta(block.number, text_or_none(start.get("id")), name)])
        if kind == "text":
            return self._text(text_of(self._call, start, "text"))
        if kind == "thinking":
            return self._thought(text_of(self._call, start, "thinking"))
        self.is_fresh = True
        return None

    def _delta(self, event: dict[str, Any]) -> Chunk | None:
        delta = event.get("delta")
        kind = block_kind(self._call, delta, event.get("index"))
        assert isinstance(delta, dict)
        block = self._open.get(_index(event))
        if block is None:
            raise shape_error(self._call, "a piece of a block came before the block")
        name = _DELTAS.get(kind)
        if name is None:
            if kind == "citations_delta" and delta.get("citation") is not None:
                block.add("citations", delta["citation"])
            return None
        piece = text_of(self._call, delta, name)
        block.add(name, piece)
        if name == "text":
            return self._text(piece)
        if name == "thinking":
            return self._thought(piece)
        self.is_fresh = True
        if name == "partial_json" and piece and block.start["type"] == "tool_use":
            return Chunk(tool_calls=[ToolCallDelta(block.number, arguments=piece)])
        return None

    def _stop_block(self, event: dict[str, Any]) -> Chunk | None:
        block = self._open.pop(_index(event), None)
        if block is None or block.start["type"] != "tool_use" or any(block.pieces.get("partial_json", ())):
            return None
        # Some servers send the whole input with the block's start.
        written = input_text(block.start.get("input"))
        return Chunk(tool_calls=[ToolCallDelta(block.number, arguments=written)]) if written else None

    def _text(self, piece: str) -> Chunk | None:
        if not piece:
            return None
        self.is_fresh = True
        return Chunk(piece)

    def _thought(self, piece: str) -> Chunk | None:
        self.is_fresh = True
        return Chunk(reasoning=piece) if piece and not self._is_hidden else None


def _index(event: dict[str, Any]) -> int:
    found = event.get("index")
    return found if isinstance(found, int) else 0


def _parsed(written: str) -> Any:
    try:
        return json.loads(written) if written.strip() else {}
    except (ValueError, RecursionError):
        return {}
