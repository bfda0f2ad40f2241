"""Arguments of a call that all wires read alike: which count, and the limit of tokens. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputTypeError
from heavenbase.http.extras import EXTRAS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.call import Call
    from heavenbase.types import ParameterReport

LIMITS = ("max_tokens", "max_completion_tokens")
"""The two names of one limit."""


def named_arguments(call: Call) -> dict[str, Any]:
    """The arguments of a call that are parameters; our default of `max_tokens` yields to its other name."""
    named = {name: value for name, value in call.args.items() if name not in EXTRAS and value is not None}
    if named.get("max_completion_tokens") is not None and "max_tokens" not in call.explicit:
        named.pop("max_tokens", None)
    return named


def token_limit(named: Mapping[str, Any], wire: str, report: ParameterReport) -> int | None:
    """The limit of tokens in an answer, which stands in the field `wire`; None when there is none."""
    given = {name: whole_tokens(name, named[name]) for name in LIMITS if named.get(name) is not None}
    for place, name in enumerate(given):
        if place:
            report.dropped(name, f"{LIMITS[0]} is given too")
        elif name == wire:
            report.sent(name)
        else:
            report.renamed(name, wire)
    return next(iter(given.values()), None)


def whole_tokens(name: str, value: Any) -> int:
    """A number of tokens; InputTypeError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputTypeError(f"{name} must be a whole number of tokens, not {type(value).__name__}")
    return value
