"""Where a chat goes on that waits for tools, and the call that it goes on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heavenbase.types import ToolCall


@dataclass(frozen=True, slots=True)
class Resumption:
    """Where a chat goes on that waits for tools: its open calls, the answers to them by id, the rounds that it had."""

    calls: Sequence[ToolCall]
    decided: Mapping[str, Any]
    turns: int = 0


class Kept:
    """The call that a completion came from, for `LLM.resume`; it stays behind when the completion is pickled."""

    __slots__ = ("call",)

    def __init__(self, call: Any = None) -> None:
        self.call = call

    def __reduce__(self) -> tuple[type[Kept], tuple[()]]:
        return Kept, ()
