"""Lists that come in pages, and dates and numbers in them, for gateways to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from heavenbase.http.payload import shape_error
from heavenbase.operations.results import Listing
from heavenbase.wires.details import any_number, first_text

if TYPE_CHECKING:
    from heavenbase.call import Call, WireRequest

T = TypeVar("T")
_LONGEST = 16
"""Digits; no number of bytes, tokens or seconds has more."""

PAGES = 100
"""Pages of one list that are read."""


async def listed(
    gateway: Any,
    call: Call,
    request: Callable[[str | None], WireRequest],
    read: Callable[[Call, Any], tuple[list[T], str | None]],
) -> Listing[T]:
    """The items of a list in pages, up to the number in `call.subject`.

    `request` makes that of the page behind a cursor, of the first one for None; `read` tells the items of a decoded
    page, and the cursor of the next one.
    """
    items: list[T] = []
    pages: list[Any] = []
    cursor: str | None = None
    while True:
        decoded, (found, following) = await gateway.exchange(call, request(cursor), lambda _, it: (it, read(call, it)))
        items += found
        pages.append(decoded)
        more = following is not None and following != cursor
        if len(items) >= call.subject or not more or len(pages) == PAGES:
            break
        cursor = following
    raw = pages[0] if len(pages) == 1 else pages
    return Listing(items[: call.subject], len(items) > call.subject or more, raw=raw)


def id_of(call: Call, row: Mapping[str, Any], name: str = "id", *more: str) -> str:
    """What names an item of a list, in the first of these fields that is text; ResponseShapeError for none."""
    found = first_text(dict(row), name, *more)
    if found is None:
        raise shape_error(call, f"an item of the list has no `{name}`")
    return found


def number_of(row: Mapping[str, Any], *names: str) -> int | None:
    """The first of these fields that is a number above zero, also one in text, as Google writes large ones."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str):
            found: float | None = int(value) if value.isdecimal() and len(value) < _LONGEST else None
        else:
            found = any_number(dict(row), name)
        if found is not None and 0 < found < 10**_LONGEST:
            return int(found)
    return None


def seconds_of(row: Mapping[str, Any], *names: str) -> float | None:
    """Epoch seconds of the first of these fields that is a date."""
    from datetime import datetime

    for name in names:
        with suppress(ValueError, OverflowError):
            return datetime.fromisoformat(first_text(dict(row), name) or "").timestamp()
        if (found := number_of(row, name)) is not None:
            return float(found)
    return None
