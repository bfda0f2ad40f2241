"""Ids of tool calls that this wire accepts: up to 64 of letters, digits and _.:- , each used once. Pure."""

from __future__ import annotations

import re
from typing import Any

_FOREIGN = re.compile(r"[^a-zA-Z0-9_.:-]")
_LONGEST = 64


class ToolIds:
    """The ids of one conversation. Other providers use other characters, or count anew in every answer."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._current: dict[str, str] = {}

    def begin(self) -> None:
        """A new answer begins; results after it belong to its calls."""
        self._current = {}

    def note(self, blocks: list[dict[str, Any]]) -> None:
        """Take the ids of an answer that goes back as it was."""
        self.begin()
        for block in blocks:
            use = block.get("toolUse")
            if use is not None:
                self._used.add(use["toolUseId"])
                self._current[use["toolUseId"]] = use["toolUseId"]

    def of_call(self, given: str) -> str:
        """The id of a call on the wire."""
        plain = _fitted(given)
        found, number = plain, 1
        while found in self._used:
            number += 1
            found = f"{plain[: _LONGEST - 6]}_{number}"
        self._used.add(found)
        self._current[given] = found
        return found

    def of_result(self, given: str) -> str:
        """The id that a result names."""
        return self._current.get(given) or _fitted(given)


def _fitted(given: str) -> str:
    plain = _FOREIGN.sub("_", given) or "call"
    if len(plain) <= _LONGEST:
        return plain
    from hashlib import blake2s

    return f"{plain[: _LONGEST - 13]}_{blake2s(given.encode(), digest_size=6).hexdigest()}"
