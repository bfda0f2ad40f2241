"""The table keeps the contract of its kind, also for a model whose prices it knows."""

from __future__ import annotations

from typing import ClassVar

from hb_testing import TableContract


class TestPrices(TableContract):
    table: ClassVar[str] = "prices"
    known: ClassVar[tuple[tuple[str, str], ...]] = (
        ("openai", "gpt-4o-mini"),
        ("anthropic", "claude-haiku-4-5"),
        ("openrouter", "anthropic/claude-haiku-4.5"),
    )
