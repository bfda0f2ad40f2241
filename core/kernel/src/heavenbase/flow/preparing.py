"""What a call's arguments say about tools and the form of the answer, brought into the shape of the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.types import ParameterReport


def prepare(
    verb: str,
    args: dict[str, Any],
    controls: Mapping[str, Any],
    options: Mapping[str, Any],
    report: ParameterReport,
    *,
    is_async: bool,
) -> dict[str, Any]:
    """Bring these arguments into wire shape; returns the fields of the Call that they fill."""
    found: dict[str, Any] = {}
    if "tools" in args or "tool_choice" in args:
        from heavenbase.tools.options import prepare_tools

        found["tools"] = prepare_tools(verb, args, controls, report, is_async_call=is_async)
        found["given"] = options
    if verb == "complete" and "response_format" in args:
        from heavenbase.structured.format import to_format

        wanted = found["format"] = to_format(args["response_format"])
        wanted.compile()
        args["response_format"] = wanted.wire
    return found
