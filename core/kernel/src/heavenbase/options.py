"""The controls that callers pass, checked before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, InputTypeError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

COUNTS = {
    "max_retries": 0,
    "max_tool_turns": 0,
    "tool_concurrency": 1,
    "structured_retries": 0,
    "embedding_batch_size": 1,
    "embedding_max_workers": 1,
    "dim": 1,
}
"""Controls that are whole numbers, with the least allowed one."""
LOSSY_ACTIONS = ("error", "warn", "allow")
LOSSY_SIDES = ("guarantees", "tuning")
REPAIR = ("repair_tool_calls", "tool_call_repair")
CHECKED = frozenset({*COUNTS, *REPAIR, "on_lossy", "headers"})


def check_options(options: Mapping[str, Any]) -> None:
    """InputError or InputTypeError for a control with a value it cannot have; None is always allowed."""
    for name in CHECKED.intersection(options):
        value = options[name]
        if value is None:
            continue
        if name in COUNTS:
            _check_count(name, value, COUNTS[name])
        elif name == "on_lossy":
            _check_lossy(value)
        elif name in REPAIR:
            from heavenbase.tools.repair import LLMToolCallRepair

            LLMToolCallRepair().merged(value)
        else:
            _check_headers(value)


def _check_count(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputTypeError(f"{name} must be a whole number, not {type(value).__name__}")
    if value < least:
        raise InputError(f"{name} must be at least {least}, not {value}")


def _check_lossy(value: object) -> None:
    if isinstance(value, str):
        actions = {"": value}
    elif isinstance(value, dict):
        actions = value
        for side in actions:
            if side not in LOSSY_SIDES:
                raise UnknownNameError("side of on_lossy", side, LOSSY_SIDES)
    else:
        raise InputTypeError(f"on_lossy must be a word or a mapping, not {type(value).__name__}")
    for action in actions.values():
        if action not in LOSSY_ACTIONS:
            raise UnknownNameError("on_lossy action", action, LOSSY_ACTIONS)


def _check_headers(value: object) -> None:
    # The values may be credentials, so no message repeats one.
    if not hasattr(value, "items"):
        raise InputTypeError(f"headers must be a mapping of texts, not {type(value).__name__}")
    for name, text in value.items():
        if not isinstance(name, str) or not isinstance(text, str | int | float):
            raise InputTypeError(f"header {name!r} must be text")
        if any(character in "\r\n\0" for character in f"{name}{text}"):
            raise InputError(f"header {name!r} holds a line break or a NUL, which no header may")
