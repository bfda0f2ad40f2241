"""Decoded answers of this wire, and the events of its streams, where they differ from OpenAI's. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hb_wire_openai as wire
from hb_provider_mistral.replay import reasoning_parts, thoughts_in
from hb_wire_openai import ChatStream, chat_usage

if TYPE_CHECKING:
    from hb_wire_openai import Thinking
    from heavenbase.call import Call
    from heavenbase.types import Chunk, Completion, ToolCallDelta, Usage

_NO_ID = "null"
"""The id of calls that older models made without one."""


def completion(call: Call, decoded: Any, thinking: Thinking) -> Completion:
    """The answer; ResponseShapeError when it is none."""
    answer = wire.completion(call, decoded, thinking)
    answer.usage = usage_of(decoded.get("usage"))
    message = decoded["choices"][0].get("message") or {}
    answer.reasoning_parts = reasoning_parts(call, thoughts_in(message.get("content")))
    for place, made in enumerate(answer.tool_calls):
        if made.id == _NO_ID:
            made.id = f"call_{place}"
    return answer


def usage_of(raw: Any) -> Usage | None:
    """The usage of an answer, with the cached tokens that this wire may count beside the others."""
    if isinstance(raw, dict) and "num_cached_tokens" in raw and not raw.get("prompt_tokens_details"):
        raw = {**raw, "prompt_tokens_details": {"cached_tokens": raw["num_cached_tokens"]}}
    return chat_usage(raw)


class MistralStream(ChatStream):
    """As on OpenAI's wire, with thoughts as chunks of the content."""

    __slots__ = ("_chunks",)

    def __init__(self, call: Call, thinking: Thinking, embedded: Any) -> None:
        super().__init__(call, thinking, embedded)
        self._chunks: list[dict[str, Any]] = []

    def feed(self, data: bytes) -> Chunk | None:
        """The chunk for the data of one event; None for the terminal marker."""
        chunk = super().feed(data)
        if chunk is not None and chunk.usage is not None:
            chunk.usage = usage_of(chunk.raw.get("usage"))
        return chunk

    def _choose(self, chunk: Chunk, choice: dict[str, Any]) -> None:
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._chunks += thoughts_in(delta.get("content"))
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
