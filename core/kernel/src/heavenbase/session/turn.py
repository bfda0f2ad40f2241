"""A turn of a session that is under way: what was asked, and what has come so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError
from heavenbase.projection import STREAM, names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from heavenbase.types import Chunk, Completion, Message


class Turn:
    """What is asked now, `asked`, behind the conversation so far, `before`; fed with the stream of the answer."""

    def __init__(self, before: list[Message], asked: list[Message]) -> None:
        self.before = before
        self.asked = asked
        self.answer: Completion | None = None
        self._rounds: list[Message] = []
        self._text: list[str] = []

    @property
    def messages(self) -> list[Message]:
        """The whole of it, as it is sent."""
        return [*self.before, *self.asked]

    def feed(self, item: Mapping[str, Any]) -> None:
        """Take an item of a stream of chunks or, at its end, the completion."""
        self.answer = item["completion"]
        chunk: Chunk | None = item["chunk"]
        if chunk is None:
            return
        if chunk.kind == "round":
            self._rounds += chunk.messages or []
        if chunk.kind in ("round", "restart"):
            self._text.clear()
        if chunk.text:
            self._text.append(chunk.text)

    def said(self) -> list[Message]:
        """What there is to remember of an answer that the user ended: whole rounds of tools, text as far as it came."""
        text = "".join(self._text)
        return [*self._rounds, *([{"role": "assistant", "content": text}] if text else [])]


def reader(include: Any) -> Callable[[Chunk | None], tuple[Any, ...]]:
    """What one name says of a chunk, as the values to yield: none where it says nothing."""
    names = names_of(include, STREAM, "text")
    if len(names) != 1:
        raise InputError(f"a session streams one thing; include one of {', '.join(STREAM)}")
    read = STREAM[names[0]]

    def values(chunk: Chunk | None) -> tuple[Any, ...]:
        value = read(chunk) if chunk is not None else None
        return (value,) if value not in ("", None, [], {}) else ()

    return values
