"""Counts of tokens of this wire as hb's disjoint buckets. Pure; whatever is no count is unknown."""

from __future__ import annotations

from typing import Any

from heavenbase.types import Usage
from heavenbase.wires import count, known_usage, rest


def content_usage(raw: Any) -> Usage | None:
    """The usage of an answer; None when the provider sent none.

    Google counts cached tokens into the prompt, thoughts apart from the answer, and what its own tools read apart from
    the prompt.
    """
    if not isinstance(raw, dict) or not raw:
        return None
    prompt, answer = count(raw.get("promptTokenCount")), count(raw.get("candidatesTokenCount"))
    read, thoughts = count(raw.get("cachedContentTokenCount")), count(raw.get("thoughtsTokenCount"))
    tools = count(raw.get("toolUsePromptTokenCount"))
    usage = Usage(cache_read=read, reasoning=thoughts)
    if prompt is not None:
        usage.input = (rest(prompt, read) or 0) + (tools or 0)
    total, before = count(raw.get("totalTokenCount")), (prompt or 0) + (tools or 0)
    if answer is not None:
        if thoughts and total == before + answer:
            answer = max(answer - thoughts, 0)  # some servers count thoughts into the answer
        usage.output = answer
    elif prompt is not None and total == before + (thoughts or 0):
        usage.output = 0  # a count of nothing is left out
    return known_usage(usage)
