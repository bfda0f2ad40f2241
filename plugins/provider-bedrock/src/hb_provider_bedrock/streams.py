"""Events of ConverseStream as chunks; one state machine for both colours. Pure.

`messageStop` proves that an answer is complete, so the finish reason leaves with it; `metadata`, with the usage, comes
behind. Thoughts and other blocks that the provider wants back leave with the finish reason, in one piece.
"""

from __future__ import annotations

import json
from binascii import Error as Base64Error
from typing import TYPE_CHECKING, Any

from hb_provider_bedrock.replay import reasoning_parts
from hb_provider_bedrock.responses import finish_reason, image_of, input_text, is_of_server, text_of, tool_name
from hb_provider_bedrock.usage import token_usage
from heavenbase.errors import ResponseDecodeError, StreamTruncated
from heavenbase.http.payload import decode_json
from heavenbase.http.shapes import kind_of, shape_error, text_or_none
from heavenbase.types import Chunk, ToolCallDelta

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.call import Call


class _Block:
    """One block while it grows: what began it, and its pieces by name."""

    __slots__ = ("number", "pieces", "start")

    def __init__(self, start: dict[str, Any], number: int = -1) -> None:
        self.start = start
        self.number = number
        """Which tool call this is; -1 for other blocks."""
        self.pieces: dict[str, list[str]] = {}

    def add(self, name: str, piece: str) -> None:
        self.pieces.setdefault(name, []).append(piece)

    def joined(self, name: str) -> str:
        return "".join(self.pieces.get(name, ()))

    def whole(self) -> dict[str, Any] | None:
        """The block as the provider would send it unstreamed; None for one that never became anything."""
        if "toolUse" in self.start:
            return {"toolUse": {**self.start["toolUse"], "input": _parsed(self.joined("input"))}}
        if "redacted" in self.pieces:
            return {"reasoningContent": {"redactedContent": _base64(self.pieces["redacted"])}}
        if "thought" in self.pieces or "signature" in self.pieces:
            text = {"text": self.joined("thought")}
            if self.joined("signature"):
                text["signature"] = self.joined("signature")
            return {"reasoningContent": {"reasoningText": text}}
        if "text" in self.pieces:
            return {"text": self.joined("text")}
        return dict(self.start) or None


class ConverseStream:
    """What has come of one streamed answer."""

    __slots__ = (
        "_blocks",
        "_call",
        "_calls",
        "_handlers",
        "_has_event",
        "_is_hidden",
        "_open",
        "is_done",
        "is_finished",
        "is_fresh",
        "showed",
    )

    def __init__(self, call: Call, is_hidden: bool) -> None:
        self._call = call
        self._is_hidden = is_hidden
        self._has_event = False
        self._blocks: list[_Block] = []
        self._open: dict[int, _Block] = {}
        self._calls = 0
        self._handlers: dict[str, Callable[[dict[str, Any]], Chunk | None]] = {
            "messageStart": lambda event: None,
            "contentBlockStart": self._begin,
            "contentBlockDelta": self._delta,
            "contentBlockStop": self._end_block,
            "messageStop": self._stop,
            "metadata": self._metadata,
        }
        self.is_finished = False
        """Whether the end was proved."""
        self.is_done = False
        """Whether nothing more is to come."""
        self.is_fresh = False
        """Whether the last event brought something that the model produced."""
        self.showed = False
        """Whether the model has produced something, if only a hidden thought."""

    def feed(self, data: bytes) -> Chunk | None:
        """The chunk for the data of one event, an object with the event's name and content; None for one without."""
        self._has_event = True
        self.is_fresh = False
        decoded = decode_json(data)
        for name, event in decoded.items():
            if not isinstance(event, dict):
                raise shape_error(self._call, f"an event of the stream is {kind_of(event)}, not an object")
            chunk = self._handlers[name](event)
            self.showed |= self.is_fresh
            if chunk is not None:
                chunk.raw = decoded
            return chunk
        return None

    def end(self) -> Chunk | None:
        """After the last byte: StreamTruncated when the end was not proved."""
        if self.is_finished:
            return None
        call = self._call
        facts: dict[str, Any] = {"provider": call.spec.provider, "model": call.spec.model_id, "maybe_billed": True}
        if not self._has_event:
            raise ResponseDecodeError(f"{call.target}: the stream is empty", **facts)
        raise StreamTruncated(
            f"{call.target}: the stream ended without messageStop", retryable=not self.showed, **facts
        )

    def _begin(self, event: dict[str, Any]) -> Chunk | None:
        start = event.get("start")
        if not isinstance(start, dict):
            raise shape_error(self._call, f"`start` of a block is {kind_of(start)}, not an object")
        use = start.get("toolUse")
        if use is None or is_of_server(use):
            self._new(event, _Block(start))
            return None
        name = tool_name(self._call, use)
        block = _Block(start, self._calls)
        self._calls += 1
        self._new(event, block)
        self.is_fresh = True
        return Chunk(tool_calls=[ToolCallDelta(block.number, text_or_none(use.get("toolUseId")), name)])

    def _new(self, event: dict[str, Any], block: _Block) -> _Block:
        self._blocks.append(block)
        self._open[_index(event)] = block
        return block

    def _delta(self, event: dict[str, Any]) -> Chunk | None:
        delta = event.get("delta")
        if not isinstance(delta, dict):
            raise shape_error(self._call, f"`delta` of a block is {kind_of(delta)}, not an object")
        # Blocks of text and of thoughts begin without a word.
        block = self._open.get(_index(event)) or self._new(event, _Block({}))
        if "text" in delta:
            return self._text(block, text_of(self._call, delta, "text"))
        if "reasoningContent" in delta:
            return self._thought(block, delta["reasoningContent"])
        if "toolUse" in delta:
            return self._arguments(block, delta["toolUse"])
        if "image" in delta:
            self.is_fresh = True
            return Chunk(images=[image_of(self._call, delta["image"])])
        return None

    def _text(self, block: _Block, piece: str) -> Chunk | None:
        block.add("text", piece)
        if not piece:
            return None
        self.is_fresh = True
        return Chunk(piece)

    def _thought(self, block: _Block, content: Any) -> Chunk | None:
        if not isinstance(content, dict):
            raise shape_error(self._call, f"`reasoningContent` is {kind_of(content)}, not an object")
        self.is_fresh = True
        for name, kept in (("redactedContent", "redacted"), ("signature", "signature"), ("text", "thought")):
            if name in content:
                piece = text_of(self._call, content, name)
                block.add(kept, piece)
                if kept == "thought" and piece and not self._is_hidden:
                    return Chunk(reasoning=piece)
        return None

    def _arguments(self, block: _Block, use: Any) -> Chunk | None:
        if not isinstance(use, dict):
            raise shape_error(self._call, f"`toolUse` of a delta is {kind_of(use)}, not an object")
        if "toolUse" not in block.start:
            raise shape_error(self._call, "a piece of a tool use came before its name")
        given = use.get("input")
        piece = given if isinstance(given, str) else input_text(given)
        block.add("input", piece)
        self.is_fresh = True
        if not piece or block.number < 0:
            return None
        return Chunk(tool_calls=[ToolCallDelta(block.number, arguments=piece)])

    def _end_block(self, event: dict[str, Any]) -> Chunk | None:
        self._open.pop(_index(event), None)
        return None

    def _stop(self, event: dict[str, Any]) -> Chunk:
        reason = event.get("stopReason")
        if not isinstance(reason, str):
            raise shape_error(self._call, f"`stopReason` is {kind_of(reason)}, not text")
        self.is_finished = True
        blocks = [whole for block in self._blocks if (whole := block.whole()) is not None]
        return Chunk(
            finish_reason=finish_reason(reason, bool(self._calls)),
            raw_finish_reason=reason,
            reasoning_parts=reasoning_parts(self._call, blocks) or None,
        )

    def _metadata(self, event: dict[str, Any]) -> Chunk:
        self.is_done = self.is_finished
        return Chunk(usage=token_usage(event.get("usage")))


def _index(event: dict[str, Any]) -> int:
    found = event.get("contentBlockIndex")
    return found if isinstance(found, int) else 0


def _parsed(written: str) -> Any:
    try:
        return json.loads(written) if written.strip() else {}
    except (ValueError, RecursionError):
        return {}


def _base64(pieces: list[str]) -> str:
    """One base64 text for several, each of which may be padded."""
    if len(pieces) == 1:
        return pieces[0]
    from binascii import a2b_base64, b2a_base64

    try:
        return b2a_base64(b"".join(map(a2b_base64, pieces)), newline=False).decode("ascii")
    except Base64Error:
        return "".join(pieces)
