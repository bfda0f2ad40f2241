"""Decoded answers of this wire, and the events of its streams, where they differ from OpenAI's. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hb_wire_openai as wire
from hb_provider_mistral.replay import reasoning_parts, thoughts_in
from hb_wire_openai import ChatStream, chat_usage
from heavenbase.details import Details
from heavenbase.http import text_or_none
from heavenbase.types import Citation

if TYPE_CHECKING:
    from hb_wire_openai import Thinking
    from heavenbase.call import Call
    from heavenbase.types import Chunk, Completion, ToolCallDelta, Usage

_NO_ID = "null"
"""The id of calls that older models made without one."""


def completion(call: Call, decoded: Any, thinking: Thinking) -> Completion:
    """The answer; ResponseShapeError when it is none."""
    answer = wire.completion(call, decoded, thinking)
    answer.usage = usage_of(decoded.get("usage"), answer.usage)
    others = answer.details.others if answer.details is not None else ()
    for choice, found in zip(wire.in_order(decoded["choices"]), (answer, *others), strict=True):
        message = choice.get("message") or {}
        content = message.get("content")
        found.reasoning_parts = reasoning_parts(call, thoughts_in(content))
        for place, made in enumerate(found.tool_calls):
            if made.id == _NO_ID:
                made.id = f"call_{place}"
        cited = References().of(content)
        if cited:
            found.details = found.details or Details()
            found.details.citations += cited
    return answer


class References:
    """The sources in the content of an answer, whole or in pieces: they stand behind the text that they are for."""

    __slots__ = ("_length", "_since", "_span")

    def __init__(self) -> None:
        self._length = self._since = 0
        self._span: tuple[int, int] | None = None
        """What the last source stands for."""

    def of(self, content: Any) -> list[Citation]:
        """The sources in this content, which goes on where the last ended."""
        found: list[Citation] = []
        for part in content if isinstance(content, list) else [{"text": content}]:
            kind = part.get("type") if isinstance(part, dict) else None
            if kind in ("reference", "tool_reference"):
                if self._length > self._since or self._span is None:
                    self._span = self._since, self._length
                start, end = self._span if self._span[1] else (None, None)
                self._since = self._length
                ids = part.get("reference_ids") if kind == "reference" else [None]
                for known in ids if isinstance(ids, list) else ():
                    found.append(_source(part, known, start, end))
            elif kind != "thinking" and isinstance(part, dict) and isinstance(part.get("text"), str):
                self._length += len(part["text"])
        return found


def _source(part: dict[str, Any], known: Any, start: int | None, end: int | None) -> Citation:
    if known is not None:
        return Citation(start, end, kind="document", id=str(known))
    title, url, quote = (text_or_none(part.get(name)) for name in ("title", "url", "description"))
    return Citation(start, end, id=text_or_none(part.get("tool")), title=title, url=url, quote=quote)


def usage_of(raw: Any, read: Usage | None) -> Usage | None:
    """The usage of an answer, with the cached tokens that this wire may count beside what OpenAI's has, as `read`."""
    if isinstance(raw, dict) and "num_cached_tokens" in raw and not raw.get("prompt_tokens_details"):
        return chat_usage({**raw, "prompt_tokens_details": {"cached_tokens": raw["num_cached_tokens"]}})
    return read


class MistralStream(ChatStream):
    """As on OpenAI's wire, with thoughts as chunks of the content."""

    __slots__ = ("_chunks", "_references")

    def __init__(self, call: Call, thinking: Thinking, embedded: Any) -> None:
        super().__init__(call, thinking, embedded)
        self._chunks: list[dict[str, Any]] = []
        self._references = References()

    def feed(self, data: bytes) -> Chunk | None:
        """The chunk for the data of one event; None for the terminal marker."""
        chunk = super().feed(data)
        if chunk is not None and chunk.usage is not None:
            chunk.usage = usage_of(self._counts, chunk.usage)
        return chunk

    def _choose(self, chunk: Chunk, choice: dict[str, Any]) -> None:
        delta = choice.get("delta")
        if isinstance(delta, dict):
            content = delta.get("content")
            if content:
                self._chunks += thoughts_in(content)
                self._tell(chunk, citations=self._references.of(content))
        super()._choose(chunk, choice)
        if self._thinking.is_hidden and chunk.reasoning:
            chunk.reasoning, self._hid = "", True

    def _tool_call(self, item: Any) -> ToolCallDelta:
        made = super()._tool_call(item)
        if made.id == _NO_ID:
            made.id = None
        return made

    def _close(self, chunk: Chunk) -> Chunk:
        chunk.reasoning_parts = reasoning_parts(self._call, self._chunks) or None
        self._chunks = []
        return chunk
