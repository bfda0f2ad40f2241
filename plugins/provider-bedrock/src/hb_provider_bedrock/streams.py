"""Events of ConverseStream as chunks; one state machine for both colours. Pure.

`messageStop` proves that an answer is complete, so the finish reason leaves with it; `metadata`, with the usage, comes
behind. Thoughts and other blocks that the provider wants back leave with the finish reason, in one piece.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar

from hb_provider_bedrock.details import citations_of, filters_of
from hb_provider_bedrock.replay import reasoning_parts
from hb_provider_bedrock.responses import finish_reason, image_of, is_of_server, text_of, tool_name
from hb_provider_bedrock.usage import token_usage
from heavenbase.details import Details
from heavenbase.http import as_object, as_text, shape_error, text_or_none
from heavenbase.types import Chunk, ToolCallDelta
from heavenbase.wires import StreamedAnswer, arguments_text, objects, parsed_arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.call import Call
    from heavenbase.errors import HBError


class _Block:
    """One block while it grows: what began it, and its pieces by name."""

    __slots__ = ("begun", "citations", "number", "pieces", "result", "start")

    def __init__(self, start: dict[str, Any], number: int = -1) -> None:
        self.start = start
        self.begun = 0
        """Characters of the answer before it."""
        self.number = number
        """Which tool call this is; -1 for other blocks."""
        self.pieces: dict[str, list[str]] = {}
        self.citations: list[Any] = []
        self.result: list[dict[str, Any]] = []
        """What one of the provider's own tools brought."""

    def add(self, name: str, piece: str) -> None:
        self.pieces.setdefault(name, []).append(piece)

    def joined(self, name: str) -> str:
        return "".join(self.pieces.get(name, ()))

    def whole(self) -> dict[str, Any] | None:
        """The block as the provider would send it unstreamed; None for one that never became anything."""
        if "toolUse" in self.start:
            return {"toolUse": {**self.start["toolUse"], "input": parsed_arguments(self.joined("input")) or {}}}
        if "toolResult" in self.start:
            return {"toolResult": {**self.start["toolResult"], "content": _parts(self.result)}}
        if "redacted" in self.pieces:
            return {"reasoningContent": {"redactedContent": _base64(self.pieces["redacted"])}}
        if "thought" in self.pieces or "signature" in self.pieces:
            text = {"text": self.joined("thought")}
            if self.joined("signature"):
                text["signature"] = self.joined("signature")
            return {"reasoningContent": {"reasoningText": text}}
        if self.citations:
            content = [{"text": self.joined("text")}]
            return {"citationsContent": {"content": content, "citations": self.citations}}
        if "text" in self.pieces:
            return {"text": self.joined("text")}
        return dict(self.start) or None


class ConverseStream(StreamedAnswer):
    """What has come of one streamed answer; an event is an object with its name and its content."""

    __slots__ = ("_blocks", "_handlers", "_open", "_said")

    ending: ClassVar[str] = "messageStop"

    def __init__(self, call: Call, is_hidden: bool, held: Callable[[Any], HBError | None]) -> None:
        super().__init__(call, is_hidden, held)
        self._blocks: list[_Block] = []
        self._open: dict[int, _Block] = {}
        self._said = 0
        """Characters of the answer so far."""
        self._handlers: dict[str, Callable[[dict[str, Any]], Chunk | None]] = {
            "messageStart": lambda event: None,
            "contentBlockStart": self._begin,
            "contentBlockDelta": self._delta,
            "contentBlockStop": self._end_block,
            "messageStop": self._stop,
            "metadata": self._metadata,
        }

    def read(self, event: dict[str, Any]) -> Chunk | None:
        """The chunk for one event; None for one without content, and for one that says nothing to a caller."""
        for name, content in event.items():
            return self._handlers[name](as_object(self._call, content, "an event of the stream"))
        return None

    def _begin(self, event: dict[str, Any]) -> Chunk | None:
        start = as_object(self._call, event.get("start"), "`start` of a block")
        if "toolUse" not in start or is_of_server(start["toolUse"]):
            self._new(event, _Block(start))
            return None
        use = start["toolUse"]
        name = tool_name(self._call, use)
        block = _Block(start, self._calls)
        self._calls += 1
        self._new(event, block)
        self.is_fresh = True
        return Chunk(tool_calls=[ToolCallDelta(block.number, text_or_none(use.get("toolUseId")), name)])

    def _new(self, event: dict[str, Any], block: _Block) -> _Block:
        block.begun = self._said
        self._blocks.append(block)
        self._open[_index(event)] = block
        return block

    def _delta(self, event: dict[str, Any]) -> Chunk | None:
        delta = as_object(self._call, event.get("delta"), "`delta` of a block")
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
        if "citation" in delta:
            block.citations.append(delta["citation"])
        if "toolResult" in delta:
            block.result += objects(delta["toolResult"])
        return None

    def _text(self, block: _Block, piece: str) -> Chunk | None:
        block.add("text", piece)
        self._said += len(piece)
        if not piece:
            return None
        self.is_fresh = True
        return Chunk(piece)

    def _thought(self, block: _Block, content: Any) -> Chunk | None:
        as_object(self._call, content, "`reasoningContent`")
        self.is_fresh = True
        for name, kept in (("redactedContent", "redacted"), ("signature", "signature"), ("text", "thought")):
            if name in content:
                piece = text_of(self._call, content, name)
                block.add(kept, piece)
                if kept == "thought" and piece and not self._is_hidden:
                    return Chunk(reasoning=piece)
        return None

    def _arguments(self, block: _Block, use: Any) -> Chunk | None:
        as_object(self._call, use, "`toolUse` of a delta")
        if "toolUse" not in block.start:
            raise shape_error(self._call, "a piece of a tool use came before its name")
        piece = arguments_text(use.get("input"))
        block.add("input", piece)
        self.is_fresh = True
        if not piece or block.number < 0:
            return None
        return Chunk(tool_calls=[ToolCallDelta(block.number, arguments=piece)])

    def _end_block(self, event: dict[str, Any]) -> Chunk | None:
        block = self._open.pop(_index(event), None)
        if block is None or not block.citations:
            return None
        end = block.begun + len(block.joined("text"))
        return Chunk(details=Details.known(citations=citations_of(block.whole() or {}, block.begun, end)))

    def _stop(self, event: dict[str, Any]) -> Chunk:
        reason = as_text(self._call, event.get("stopReason"), "`stopReason`")
        if not reason and not self._calls:  # which prove the end
            raise shape_error(self._call, "`stopReason` is missing, so the answer may not be whole")
        blocks = [whole for block in self._blocks if (whole := block.whole()) is not None]
        chunk = Chunk(reasoning_parts=reasoning_parts(self._call, blocks) or None)
        self.finish(chunk, finish_reason(reason, bool(self._calls)), reason)
        # Behind the end come counts alone.
        self._handlers = dict.fromkeys(self._handlers, lambda event: None) | {"metadata": self._metadata}
        return chunk

    def _metadata(self, event: dict[str, Any]) -> Chunk:
        self.is_done = self.is_finished
        return Chunk(usage=token_usage(event), details=Details.known(filters=filters_of(event.get("trace"))))


def _parts(pieces: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The parts of a result from its pieces: a text may come in several."""
    found: list[dict[str, Any]] = []
    for is_text, group in groupby(pieces, lambda piece: piece.keys() == {"text"}):
        held = list(group)
        found += [{"text": "".join(str(piece["text"]) for piece in held)}] if is_text else held
    return found


def _index(event: dict[str, Any]) -> int:
    found = event.get("contentBlockIndex")
    return found if isinstance(found, int) else 0


def _base64(pieces: list[str]) -> str:
    """One base64 text for several, each of which may be padded."""
    if len(pieces) == 1:
        return pieces[0]
    from binascii import a2b_base64, b2a_base64

    try:
        return b2a_base64(b"".join(map(a2b_base64, pieces)), newline=False).decode("ascii")
    except Base64Error:
        return "".join(pieces)
