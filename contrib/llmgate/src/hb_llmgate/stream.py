"""Chunks: from hb's to llmgate's and back, and the whole answer that chunks add up to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from inspect import isawaitable
from typing import Any

from hb_llmgate.calls import to_tool_calls, to_usage
from hb_llmgate.types import Choice, CompletionResponse, Message, StreamChunk, TokenUsage, ToolCall, ToolCallDelta
from heavenbase.types import Chunk, Completion
from heavenbase.types import ToolCallDelta as HBDelta


def to_chunk(chunk: Chunk, asked: str, provider: str) -> StreamChunk | None:
    """A piece of an answer; None for one that brings nothing that callers see. How it ended is for `last_chunk`."""
    if isinstance(chunk.raw, StreamChunk):  # a middleware has made it already
        return chunk.raw
    deltas = [
        ToolCallDelta(index=d.index, id=d.id, function=d.name, arguments=d.arguments) for d in chunk.tool_calls or ()
    ]
    if not (chunk.text or chunk.reasoning or deltas):
        return None
    made = StreamChunk(
        id=chunk.id or "",
        model=asked,
        provider=provider,
        delta=chunk.text,
        reasoning=chunk.reasoning,
        tool_call_deltas=deltas or None,
    )
    made._chunk = chunk
    return made


def last_chunk(completion: Completion[Any], asked: str, provider: str = "") -> StreamChunk:
    """The chunk that closes a stream: how the answer ended, its tokens, its tool calls."""
    # Those that ran in rounds are in the completion too, and wait for nobody.
    waits = completion.tool_calls and completion.message.get("tool_calls")
    calls = to_tool_calls(completion.tool_calls, completion) if waits else None
    made = StreamChunk(
        id=completion.id or "",
        model=asked,
        provider=completion.provider or provider,
        finish_reason=completion.finish_reason,
        usage=to_usage(completion.usage),
        tool_calls=calls,
    )
    made._chunk = Chunk(usage=completion.usage, raw_finish_reason=completion.raw_finish_reason)
    return made


def from_chunk(chunk: StreamChunk) -> Chunk:
    """The piece for hb, which goes on with what a middleware made of it."""
    deltas = [HBDelta(d.index, d.id, d.function, d.arguments) for d in chunk.tool_call_deltas or ()]
    finish: Any = chunk.finish_reason
    before = chunk._chunk or Chunk()
    return Chunk(
        text=chunk.delta,
        reasoning=chunk.reasoning,
        tool_calls=deltas or None,
        finish_reason=finish,
        raw_finish_reason=before.raw_finish_reason,
        usage=before.usage,
        id=chunk.id or None,
        raw=chunk,
        details=before.details,
        reasoning_parts=before.reasoning_parts,
    )


class Gathered:
    """The answer that chunks add up to."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._reasoning: list[str] = []
        self._last: StreamChunk | None = None
        self._calls: list[ToolCall] | None = None
        self._attempts: list[str] = []
        self._usage: TokenUsage | None = None
        self._finish: str | None = None

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._texts)

    def add(self, chunk: StreamChunk) -> None:
        """Note a chunk."""
        if chunk.resumed_from_partial and chunk.model != (self._last.model if self._last else chunk.model):
            pass  # another model goes on; its text follows what there is
        self._last = chunk
        self._texts.append(chunk.delta)
        self._reasoning.append(chunk.reasoning)
        self._attempts = chunk.fallback_attempts or self._attempts
        self._usage = chunk.usage or self._usage
        self._finish = chunk.finish_reason or self._finish
        self._calls = chunk.tool_calls or self._calls

    def response(self, asked: str) -> CompletionResponse:
        """The whole answer."""
        last = self._last or StreamChunk(model=asked)
        more = {"reasoning_content": "".join(self._reasoning)} if any(self._reasoning) else {}
        message = Message(
            role="assistant", content=self.text or (None if self._calls else ""), tool_calls=self._calls, **more
        )
        return CompletionResponse(
            id=last.id,
            model=last.model or asked,
            provider=last.provider,
            choices=[Choice(message=message, finish_reason=self._finish)],
            usage=self._usage or TokenUsage(),
            fallback_attempts=list(self._attempts),
        )


def chunks_of(response: CompletionResponse) -> Iterable[StreamChunk]:
    """A whole answer as a stream: its text in one piece, then how it ended."""
    here: dict[str, Any] = {"id": response.id, "model": response.model, "provider": response.provider}
    if response.text:
        yield StreamChunk(**here, delta=response.text, fallback_attempts=list(response.fallback_attempts))
    choice = response.choices[0] if response.choices else None
    deltas = [
        ToolCallDelta(index=place, id=call.id, function=call.function, arguments=call.arguments_json())
        for place, call in enumerate(response.tool_calls)
    ]
    yield StreamChunk(
        **here,
        finish_reason=(choice.finish_reason if choice else None) or "stop",
        usage=response.usage,
        tool_calls=response.tool_calls or None,
        tool_call_deltas=deltas or None,
        fallback_attempts=[] if response.text else list(response.fallback_attempts),
    )


async def lifted(chunks: Any) -> AsyncGenerator[Any, None]:
    """An iterator of either colour, or what is awaited to one, as an async one; closing it closes the source."""
    if isawaitable(chunks):
        chunks = await chunks
    try:
        if hasattr(chunks, "__aiter__"):
            async for chunk in chunks:
                yield chunk
        else:
            for chunk in chunks:
                yield chunk
    finally:
        if (aclose := getattr(chunks, "aclose", None)) is not None:
            await aclose()
        elif (close := getattr(chunks, "close", None)) is not None:
            close()
