"""Rankings by the words that a document shares with the query, as the wires that have rerank answer them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def ranked(payload: Mapping[str, Any], most: str = "top_n") -> list[dict[str, Any]]:
    """The best documents of a request first."""
    wanted = set(str(payload["query"]).split())
    scores = [len(wanted & set(str(text).split())) / (len(wanted) or 1) for text in payload["documents"]]
    found: list[dict[str, Any]] = [{"index": place, "relevance_score": score} for place, score in enumerate(scores)]
    found.sort(key=lambda item: -item["relevance_score"])
    return found[: payload.get(most) or len(found)]
