"""The one guarded fetcher of URLs that callers give."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.fetch.fetcher import Fetched as Fetched, Fetcher as Fetcher

__getattr__, __dir__ = front(
    __name__,
    {
        "fetcher": "Fetched Fetcher",
    },
)
