"""Finish reasons: the words of a wire as hb's. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.types import FinishReason


def finish_reason(words: Mapping[str, FinishReason], raw: Any, has_calls: bool = False) -> FinishReason:
    """hb's word for the provider's; "other" for one that is not in `words`, and for none.

    `has_calls` is for wires that end a turn as usual when there are tool calls in it: "stop" is "tool_calls" then.
    """
    found = words.get(raw, "other") if isinstance(raw, str) else "other"
    return "tool_calls" if has_calls and found == "stop" else found
