"""Ids of tool calls that a wire accepts: some characters alone, each id used once. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_COUNTER = 6
_DIGEST = 12


class ToolIds:
    """The ids of one conversation. Other providers use other characters, or count anew in every answer.

    Args:
        allowed: The characters that the wire takes, as they stand in a class of a regular expression.
        longest: Characters that an id may have; None for any number.
    """

    def __init__(self, allowed: str, longest: int | None = None) -> None:
        self._foreign = re.compile(f"[^{allowed}]")
        self._longest = longest
        self._used: set[str] = set()
        self._current: dict[str, str] = {}

    def begin(self, kept: Iterable[str] = ()) -> None:
        """A new answer begins, and results after it belong to its calls; `kept` are ids that go back as they were."""
        self._current = {known: known for known in kept}
        self._used.update(self._current)

    def of_call(self, given: str) -> str:
        """The id of a call on the wire."""
        plain = self._fitted(given)
        found, number = plain, 1
        while found in self._used:
            number += 1
            found = f"{plain if self._longest is None else plain[: self._longest - _COUNTER]}_{number}"
        self._used.add(found)
        self._current[given] = found
        return found

    def of_result(self, given: str) -> str:
        """The id that a result names."""
        return self._current.get(given) or self._fitted(given)

    def _fitted(self, given: str) -> str:
        plain = self._foreign.sub("_", given) or "call"
        if self._longest is None or len(plain) <= self._longest:
            return plain
        from hashlib import blake2s

        digest = blake2s(given.encode(), digest_size=_DIGEST // 2).hexdigest()
        return f"{plain[: self._longest - _DIGEST - 1]}_{digest}"
