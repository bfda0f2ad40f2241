"""The messages of a session, every change of them noted in its log, and the turn that is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError
from heavenbase.projection import STREAM, names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from heavenbase.session.files import Log
    from heavenbase.types import Chunk, Completion, Message


class History:
    """Messages in order; `log` hears of each change."""

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages
        self.log: Log | None = None

    @property
    def system(self) -> str | None:
        """The text of the system message; None without one."""
        first = self.messages[0] if self.messages else None
        return first["content"] if first is not None and first["role"] == "system" else None

    def with_system(self, text: str | None) -> list[Message]:
        """The messages with this system message, or with none; the list itself where that is no change."""
        if text == self.system:
            return self.messages
        rest = self.messages[1:] if self.system is not None else self.messages
        return [*([{"role": "system", "content": text}] if text else []), *rest]

    def turn_start(self, turns: int) -> int:
        """Where the last turns begin: each with what the user said."""
        start = len(self.messages)
        for _ in range(turns):
            start = max((place for place in range(start) if self.messages[place]["role"] == "user"), default=start)
        return start

    def extend(self, messages: list[Message]) -> None:
        """Put messages at the end."""
        self.messages.extend(messages)
        if self.log is not None:
            self.log.add(messages)

    def replace(self, messages: list[Message]) -> None:
        """Have these messages instead."""
        before: list[Any] = self.messages
        pairs = enumerate(zip(before, messages, strict=False))
        kept = next((place for place, (old, new) in pairs if old != new), min(len(before), len(messages)))
        self.messages = list(messages)
        if self.log is not None:
            self.log.cut(kept)
            self.log.add(messages[kept:])


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
