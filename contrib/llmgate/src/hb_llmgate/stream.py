"""Chunks: from hb's to llmgate's and back, and the whole answer that chunks add up to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field, replace
from inspect import isawaitable
from typing import Any

from hb_llmgate.calls import to_tool_calls, to_usage, waiting_calls
from hb_llmgate.types import Choice, CompletionResponse, Message, StreamChunk, TokenUsage, ToolCall, ToolCallDelta
from heavenbase.details import Details
from heavenbase.types import ChoiceDelta, Chunk, Completion
from heavenbase.types import ToolCallDelta as HBDelta


def to_chunks(chunk: Chunk, asked: str, provider: str) -> list[StreamChunk]:
    """The pieces of an answer that callers see: one for each choice that this event brings something of.

    How a choice ended is for `last_chunks`.
    """
    if isinstance(chunk.raw, StreamChunk):  # a middleware has made it already
        return [chunk.raw]
    if not (others := chunk.choices):
        return _seen(chunk, asked, provider)
    first = replace(chunk, details=chunk.details and replace(chunk.details, others=[]))
    found = _seen(first, asked, provider)
    for other in others:
        found += _seen(other, asked, provider, other.index)
    return found


def _seen(chunk: Chunk, asked: str, provider: str, index: int = 0) -> list[StreamChunk]:
    deltas = [
        ToolCallDelta(index=d.index, id=d.id, function=d.name, arguments=d.arguments) for d in chunk.tool_calls or ()
    ]
    if not (chunk.text or chunk.reasoning or deltas):
        return []
    made = StreamChunk(
        id=chunk.id or "",
        model=asked,
        provider=provider,
        delta=chunk.text,
        index=index,
        reasoning=chunk.reasoning,
        tool_call_deltas=deltas or None,
    )
    made._chunk = chunk
    return [made]


def last_chunks(completion: Completion[Any], asked: str, provider: str = "") -> Iterable[StreamChunk]:
    """The chunks that close a stream, one for each choice: how it ended, its tool calls.

    That of the first choice is the last of all, and has the tokens.
    """
    here: dict[str, Any] = {"id": completion.id or "", "model": asked, "provider": completion.provider or provider}
    for choice in completion.choices[1:]:
        calls = to_tool_calls(choice.tool_calls, completion) or None
        made = StreamChunk(**here, index=choice.index, finish_reason=choice.finish_reason, tool_calls=calls)
        made._chunk = Chunk(raw_finish_reason=choice.raw_finish_reason)
        yield made
    calls = to_tool_calls(waiting_calls(completion), completion) or None
    made = StreamChunk(
        **here, finish_reason=completion.finish_reason, usage=to_usage(completion.usage), tool_calls=calls
    )
    made._chunk = Chunk(usage=completion.usage, raw_finish_reason=completion.raw_finish_reason)
    yield made


def from_chunk(chunk: StreamChunk) -> Chunk:
    """The piece for hb, which goes on with what a middleware made of it."""
    deltas = [HBDelta(d.index, d.id, d.function, d.arguments) for d in chunk.tool_call_deltas or ()]
    finish: Any = chunk.finish_reason
    before = chunk._chunk or Chunk()
    piece: dict[str, Any] = {
        "text": chunk.delta,
        "reasoning": chunk.reasoning,
        "tool_calls": deltas or None,
        "finish_reason": finish,
        "raw_finish_reason": before.raw_finish_reason,
        "details": before.details,
        "reasoning_parts": before.reasoning_parts,
    }
    if chunk.index:
        others = [ChoiceDelta(**piece, index=chunk.index)]
        return Chunk(details=Details(others=others), id=chunk.id or None, raw=chunk)
    return Chunk(**piece, usage=before.usage, id=chunk.id or None, raw=chunk)


class Gathered:
    """The answer that chunks add up to."""

    def __init__(self) -> None:
        self._choices: dict[int, _Gathered] = {0: _Gathered()}
        self._last: StreamChunk | None = None
        self._attempts: list[str] = []
        self._usage: TokenUsage | None = None

    @property
    def text(self) -> str:
        """The text of the first choice so far."""
        return "".join(self._choices[0].texts)

    def add(self, chunk: StreamChunk) -> None:
        """Note a chunk."""
        self._last = chunk
        self._attempts = chunk.fallback_attempts or self._attempts
        self._usage = chunk.usage or self._usage
        choice = self._choices.setdefault(chunk.index, _Gathered())
        choice.texts.append(chunk.delta)
        choice.reasoning.append(chunk.reasoning)
        choice.finish = chunk.finish_reason or choice.finish
        choice.calls = chunk.tool_calls or choice.calls

    def response(self, asked: str) -> CompletionResponse:
        """The whole answer."""
        last = self._last or StreamChunk(model=asked)
        return CompletionResponse(
            id=last.id,
            model=last.model or asked,
            provider=last.provider,
            choices=[self._choices[index].choice(index) for index in sorted(self._choices)],
            usage=self._usage or TokenUsage(),
            fallback_attempts=list(self._attempts),
        )


@dataclass(slots=True)
class _Gathered:
    """What the chunks of one choice add up to."""

    texts: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[ToolCall] | None = None
    finish: str | None = None

    def choice(self, index: int) -> Choice:
        text = "".join(self.texts)
        more = {"reasoning_content": "".join(self.reasoning)} if any(self.reasoning) else {}
        message = Message(role="assistant", content=text or (None if self.calls else ""), tool_calls=self.calls, **more)
        return Choice(index=index, message=message, finish_reason=self.finish)


def chunks_of(response: CompletionResponse) -> Iterable[StreamChunk]:
    """A whole answer as a stream: the text of each choice in one piece, then how it ended; the first ends last."""
    here: dict[str, Any] = {"id": response.id, "model": response.model, "provider": response.provider}
    attempts = list(response.fallback_attempts)
    choices = response.choices or [Choice(message=Message(role="assistant", content=""))]
    for choice in choices:
        if isinstance(text := choice.message.content, str) and text:
            yield StreamChunk(**here, index=choice.index, delta=text, fallback_attempts=attempts)
            attempts = []
    for choice in (*choices[1:], choices[0]):
        calls = choice.message.tool_calls or []
        deltas = [
            ToolCallDelta(index=place, id=call.id, function=call.function, arguments=call.arguments_json())
            for place, call in enumerate(calls)
        ]
        yield StreamChunk(
            **here,
            index=choice.index,
            finish_reason=choice.finish_reason or "stop",
            usage=response.usage if choice is choices[0] else None,
            tool_calls=calls or None,
            tool_call_deltas=deltas or None,
            fallback_attempts=attempts,
        )
        attempts = []


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
