"""Counts of tokens as hb's disjoint buckets; whatever is no count is unknown. Pure."""

from __future__ import annotations

from typing import Any

from heavenbase.types import Usage

_LARGEST = 2**53


def count(value: Any) -> int | None:
    """A count of tokens, None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and 0 <= value < _LARGEST else None


def rest(total: int | None, *within: int | None) -> int | None:
    """What is left of a sum without the buckets that it counts too; None where the sum is not known."""
    if total is None:
        return None
    for part in within:
        if part:
            total -= part
    return max(total, 0)


def known_usage(usage: Usage) -> Usage | None:
    """The usage; None where the provider sent no count at all."""
    return usage if usage != Usage() else None
