"""Streams that are watched: whoever let one through is told once how it ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heavenbase.colour import aclose
from heavenbase.types import Chunk

if TYPE_CHECKING:
    from heavenbase.types import Usage


@dataclass(slots=True)
class Heard:
    """What a stream told: `usage` is the last one, `is_whole` whether that is of all, and not of what came so far."""

    usage: Usage | None = None
    has_content: bool = False
    is_finished: bool = False
    is_whole: bool = False

    def note(self, chunk: Chunk) -> None:
        """Take in a chunk."""
        self.has_content = self.has_content or chunk.has_content
        self.is_finished = self.is_finished or chunk.finish_reason is not None
        if chunk.usage is not None:
            self.usage, self.is_whole = chunk.usage, self.is_finished
        if chunk.kind == "end" and chunk.completion is not None:
            self.usage = chunk.completion.usage or self.usage


class Watched:
    """The chunks of a stream. `ended` is told what was heard when it ends, breaks with an error, or is left.

    `began` is told once that something of it came, before that is passed on. A class, as a generator that is closed
    before its first chunk does not run, and would tell nobody.
    """

    def __init__(
        self,
        source: Any,
        ended: Callable[[Heard, BaseException | None], Awaitable[None]],
        began: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._source, self._ended, self._began = source, ended, began
        self._chunks: AsyncIterator[Chunk] = source.__aiter__()
        self._heard = Heard()

    def __aiter__(self) -> Watched:
        return self

    async def __anext__(self) -> Chunk:
        try:
            chunk = await self._chunks.__anext__()
            if self._began is not None:
                began, self._began = self._began, None
                await began()
        except StopAsyncIteration:
            await self._ended(self._heard, None)
            raise
        except BaseException as error:
            await self._ended(self._heard, error)
            raise
        self._heard.note(chunk)
        if chunk.kind == "end":
            await self._ended(self._heard, None)
        return chunk

    async def aclose(self) -> None:
        """Close the stream. One that was left early may still be paid for to its end."""
        try:
            await aclose(self._source)
        finally:
            await self._ended(self._heard, GeneratorExit())
