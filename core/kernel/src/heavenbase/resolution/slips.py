"""Slips in the names of models: a name that is one letter off a listed one, and no newer model of its family."""

from __future__ import annotations

import re
from collections.abc import Iterable

LIKE = 0.8
"""How like a listed name another must be to be a slip of it."""
WORD = 0.75


def meant_model(name: str, listed: Iterable[str]) -> str | None:
    """The listed name that a name is a slip of; None for one that differs in numbers, or by a word of its own.

    `claude-sonet-5` is a slip of `claude-sonnet-5`; `claude-sonnet-9` and `gpt-4o-mini` are models that are not listed.
    """
    from difflib import SequenceMatcher, get_close_matches

    by_lower = {each.lower(): each for each in listed}
    lowered = name.lower()
    near = get_close_matches(lowered, by_lower, 1, LIKE)
    if not near or near[0] == lowered:
        return None
    known = set(_words(" ".join(by_lower)))
    for word in _words(lowered):
        if word in known:
            continue
        for other in known:
            is_longer = word.startswith(other)  # flashx, turbos: a name of its own, more likely than a slip
            ratio = SequenceMatcher(None, word, other).ratio()
            if not is_longer and (ratio >= WORD or sorted(word) == sorted(other)):
                return by_lower[near[0]]
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]{3,}", text.lower())
