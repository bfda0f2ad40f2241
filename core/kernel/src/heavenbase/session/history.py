"""The messages of a session, every change of them noted in its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heavenbase.session.files import Log
    from heavenbase.types import Message


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
