"""LLMSession: a conversation that remembers itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.session.session import LLMSession as LLMSession

__getattr__, __dir__ = front(__name__, {"session": "LLMSession"})
