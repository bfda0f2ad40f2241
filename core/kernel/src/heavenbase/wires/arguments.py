"""Arguments of tool calls: JSON text in hb, an object on many wires. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heavenbase.types import ParameterReport


def arguments_text(value: Any) -> str:
    """Arguments as JSON text, from the text or the object that a provider sends; "" for none."""
    if value is None or value == {}:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def parsed_arguments(written: str) -> Any:
    """The value that the text of arguments says, {} for no text, None for text that is no JSON."""
    try:
        return json.loads(written) if written.strip() else {}
    except (ValueError, RecursionError):
        return None


def arguments_object(written: str, report: ParameterReport) -> dict[str, Any]:
    """The arguments of an earlier call for a wire that takes an object and nothing else."""
    given = parsed_arguments(written)
    if isinstance(given, dict):
        return given
    report.emulated("tool_calls", "arguments that are no JSON object travel as text")
    return {"arguments": written}
