"""The names under which the first release had rerank; `hb.LLM.rerank` is the same for every provider that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.operations import Ranked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heavenbase.llm import LLM

__all__ = ["Ranked", "arerank", "rerank"]


def rerank(llm: LLM, query: str, documents: Sequence[str], **options: Any) -> list[Ranked]:
    """`llm.rerank(...)` as a list."""
    return llm.rerank(query, documents, **options).items


async def arerank(llm: LLM, query: str, documents: Sequence[str], **options: Any) -> list[Ranked]:
    """Async form of `rerank`."""
    return (await llm.arerank(query, documents, **options)).items
