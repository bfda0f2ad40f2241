"""Events of a streamed message as chunks; one state machine for both colours. Pure.

Only `message_stop` proves that a stream is complete, so the finish reason leaves with it. Usage comes twice, at the
start and, as running totals, at the end; a chunk with usage replaces the one before. Thoughts and other blocks that
the provider wants back leave with the finish reason, in one piece.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from hb_gateway_anthropic.citations import citations_of, filters_of
from hb_gateway_anthropic.replay import reasoning_parts
from hb_gateway_anthropic.responses import FINISH, block_kind, text_of, tool_name
from hb_gateway_anthropic.usage import message_usage
from heavenbase.details import Details
from heavenbase.http import as_list, as_object, shape_error, text_or_none
from heavenbase.types import Chunk, ToolCallDelta
from heavenbase.wires import StreamedAnswer, arguments_text, finish_reason, merged_counts, parsed_arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.call import Call
    from heavenbase.errors import HBError

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
                found["input"] = parsed_arguments("".join(pieces)) or {}
            elif name == "citations":
                found[name] = [*(found.get(name) or ()), *pieces]
            else:
                found[name] = f"{found.get(name) or ''}{''.join(pieces)}"
        return found


class MessageStream(StreamedAnswer):
    """What has come of one streamed answer."""

    __slots__ = ("_blocks", "_has_start", "_open", "_passed", "_reason", "_said", "_usage")

    ending: ClassVar[str] = "message_stop"

    def __init__(self, call: Call, is_hidden: bool, held: Callable[[Any], HBError | None]) -> None:
        super().__init__(call, is_hidden, held)
        self._has_start = False
        self._blocks: list[_Block] = []
        self._open: dict[int, _Block] = {}
        self._passed = self._said = 0
        """How many blocks were counted, and the characters of text in them: only citations ask for that."""
        self._reason: Any = None
        self._usage: dict[str, Any] = {}

    def read(self, event: dict[str, Any]) -> Chunk | None:
        """The chunk for one event; None for an event that says nothing to a caller."""
        kind = event.get("type")
        if kind == "content_block_delta":
            return self._delta(event)
        if kind == "content_block_start":
            return self._start_block(event)
        if kind == "content_block_stop":
            return self._stop_block(event)
        if kind == "message_start":
            return self._start(event)
        if kind == "message_delta":
            return self._change(event)
        if kind == "message_stop":
            return self._close()
        if isinstance(kind, str):
            return None  # a ping, or what a later version of the wire sends beside
        raise shape_error(self._call, "an event of the stream has no type")

    def _start(self, event: dict[str, Any]) -> Chunk:
        message = as_object(self._call, event.get("message"), "`message` of message_start")
        for place, block in enumerate(as_list(self._call, message.get("content"), "`content` of message_start")):
            block_kind(self._call, block, place)
        self._has_start = True
        self._usage = merged_counts({}, message.get("usage"))
        return Chunk(
            usage=message_usage(self._usage),
            id=text_or_none(message.get("id")),
            model=text_or_none(message.get("model")),
        )

    def _change(self, event: dict[str, Any]) -> Chunk:
        delta = event.get("delta")
        if isinstance(delta, dict) and delta.get("stop_reason") is not None:
            self._reason = delta["stop_reason"]
        self._usage = merged_counts(self._usage, event.get("usage"))
        chunk = Chunk(usage=message_usage(self._usage))
        if isinstance(delta, dict) and delta.get("stop_details"):
            chunk.details = Details.known(filters=filters_of(delta["stop_details"]))
        return chunk

    def _close(self) -> Chunk:
        if not self._has_start:
            raise shape_error(self._call, "the stream has no message in it")
        blocks = [block.whole() for block in self._blocks]
        chunk = Chunk(usage=message_usage(self._usage), reasoning_parts=reasoning_parts(self._call, blocks) or None)
        self.finish(chunk, finish_reason(FINISH, self._reason), self._reason)
        self.is_done = True
        return chunk

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
        if block is not None and block.start["type"] == "text":
            return self._cite(block)
        if block is None or block.start["type"] != "tool_use" or any(block.pieces.get("partial_json", ())):
            return None
        # Some servers send the whole input with the block's start.
        written = arguments_text(block.start.get("input"))
        return Chunk(tool_calls=[ToolCallDelta(block.number, arguments=written)]) if written else None

    def _cite(self, block: _Block) -> Chunk | None:
        """The citations of a text that is whole."""
        if not block.start.get("citations") and "citations" not in block.pieces:
            return None
        while (earlier := self._blocks[self._passed]) is not block:
            self._said += len(earlier.whole().get("text") or "") if earlier.start["type"] == "text" else 0
            self._passed += 1
        return Chunk(details=Details.known(citations=citations_of(block.whole(), self._said)))

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
