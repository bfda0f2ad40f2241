"""What every wire reads out of an answer: finish reasons, counts of tokens, vectors. Pure."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

from heavenbase.http.shapes import kind_of, shape_error
from heavenbase.types import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from heavenbase.call import Call
    from heavenbase.types import FinishReason

V = TypeVar("V", bound="Sequence[float]")
_LARGEST = 2**53


def finish_words(table: Mapping[FinishReason, str]) -> dict[str, FinishReason]:
    """What `finish_reason` looks into, from the words of a wire for each word of hb, in one text."""
    return {raw: word for word, given in table.items() for raw in given.split()}


def finish_reason(words: Mapping[str, FinishReason], raw: Any, has_calls: bool = False) -> FinishReason:
    """hb's word for the provider's; "other" for one that is not in `words`, and for none.

    `has_calls` is for wires that end a turn as usual when there are tool calls in it: "stop" is "tool_calls" then.
    """
    found = words.get(raw, "other") if isinstance(raw, str) else "other"
    return "tool_calls" if has_calls and found == "stop" else found


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


def read_vectors(
    call: Call, rows: Any, where: str, read: Callable[[Any, int], V], wanted: int | None = None
) -> list[V]:
    """The vector in each row, in order; ResponseShapeError when there is not one per input, all of one length.

    Args:
        call: The call, whose inputs are counted.
        rows: The list in the answer.
        where: What the answer calls it.
        read: The vector of a row, from the row and its place.
        wanted: How many there must be, where that are not all inputs.
    """
    if not isinstance(rows, list):
        raise shape_error(call, f"`{where}` is {kind_of(rows)}, not a list")
    if wanted is None:
        wanted = len(call.inputs)
    if len(rows) != wanted:
        raise shape_error(call, f"{wanted} inputs got {len(rows)} vectors")
    vectors = [read(row, place) for place, row in enumerate(rows)]
    if len({len(vector) for vector in vectors}) > 1:
        raise shape_error(call, "the vectors differ in length")
    return vectors


def read_vector(call: Call, values: Any, where: str) -> list[float]:
    """The numbers of one vector, as floats; ResponseShapeError for anything else."""
    if not isinstance(values, list) or not values:
        raise shape_error(call, f"{where} is {kind_of(values)}, not a list of numbers")
    if not all(type(number) is float for number in values):
        if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in values):
            raise shape_error(call, f"{where} holds something else than numbers")
        values = [float(number) for number in values]
    # The sum is not finite when any number is not, and is had sooner than a look at each.
    if not isfinite(sum(values)):
        raise shape_error(call, f"{where} has a number that is not finite")
    return values  # type: ignore[no-any-return]
