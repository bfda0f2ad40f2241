"""Which item of a stream an event is about. Pure.

Servers disagree: some number every item 0 or none at all, some give an item another id in each of its events.
"""

from __future__ import annotations

from typing import Any

from heavenbase.http import whole_or_none


class Places:
    """The numbers of a stream's items: the server's where they tell items apart, else the next that is free."""

    __slots__ = ("_by_id", "_by_index", "_used")

    def __init__(self) -> None:
        self._by_id: dict[str, int] = {}
        self._by_index: dict[Any, int] = {}
        """Of the items that are open, by the number that the server gives them."""
        self._used: set[int] = set()

    def opened(self, event: dict[str, Any], item_id: object) -> int:
        """The place of an item that begins."""
        known = self._by_id.get(item_id) if isinstance(item_id, str) else None
        index = whole_or_none(event.get("output_index"))
        if known is not None and (index is None or index in self._used):
            return known  # else it is another item, though its id is that of one
        place = index if index is not None and index not in self._used else max(self._used, default=-1) + 1
        self._used.add(place)
        self._by_index[index] = place
        if isinstance(item_id, str):
            self._by_id[item_id] = place
        return place

    def found(self, event: dict[str, Any], item_id: object) -> int | None:
        """The place of an item that has begun; None when none has."""
        known = self._by_id.get(item_id) if isinstance(item_id, str) else None
        return self._by_index.get(_key(event.get("output_index"))) if known is None else known

    def closed(self, event: dict[str, Any], item_id: object) -> int:
        """The place of an item that ends, and perhaps begins with that."""
        place = self.found(event, item_id)
        if place is None:
            place = self.opened(event, item_id)
        self._by_index.pop(_key(event.get("output_index")), None)
        return place


def _key(index: object) -> int | None:
    return whole_or_none(index)
