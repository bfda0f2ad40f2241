"""Calls of tools in a conversation: ids that a wire accepts, arguments as text and as objects. Pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heavenbase.types import ParameterReport

_COUNTER = 6
_DIGEST = 12
"""Characters of an id, behind its own, that tell it from another one."""


def arguments_text(value: Any) -> str:
    """Arguments as JSON text, from the text or the object that a provider sends; "" for none."""
    if value is None or value == {}:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def parsed_arguments(written: str) -> Any:
    """The value that the text of arguments says, {} for no text and for null, None for text that is no JSON."""
    try:
        return {} if written.strip() in ("", "null") else json.loads(written)
    except (ValueError, RecursionError):
        return None


def arguments_object(written: str, report: ParameterReport) -> dict[str, Any]:
    """The arguments of an earlier call for a wire that takes an object and nothing else."""
    given = parsed_arguments(written)
    if isinstance(given, dict):
        return given
    report.emulated("tool_calls", "arguments that are no JSON object travel as text")
    return {"arguments": written}


def object_text(written: str, report: ParameterReport) -> str:
    """As `arguments_object`, for a wire that takes the object as text; an object is left as it was written."""
    if isinstance(parsed_arguments(written), dict):
        return written if written.strip() else "{}"
    return json.dumps(arguments_object(written, report), ensure_ascii=False)


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
