"""Streamed bodies as the data of their events: server-sent events, and lines of JSON. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase.errors import EventTooLarge
from heavenbase.http.sse import TEXT_EVENT_LIMIT, EventParser

if TYPE_CHECKING:
    from collections.abc import Iterable


class ServerEvents:
    """Server-sent events; one that the end of the body cuts off is none."""

    __slots__ = ("_parser",)

    def __init__(self, limit: int = TEXT_EVENT_LIMIT) -> None:
        self._parser = EventParser(limit)

    def feed(self, piece: bytes) -> Iterable[bytes]:
        """The data of the events that these bytes complete."""
        return [event.data for event in self._parser.feed(piece)]

    def flush(self) -> Iterable[bytes]:
        """Nothing: an event ends with an empty line."""
        return ()


class Lines:
    """One JSON value a line (NDJSON), in linear time; the last line may lack its end.

    Raises EventTooLarge when one line has more than `limit` bytes.
    """

    __slots__ = ("_limit", "_pieces", "_size")

    def __init__(self, limit: int = TEXT_EVENT_LIMIT) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterable[bytes]:
        """The lines that these bytes complete, without blank ones."""
        *lines, rest = piece.split(b"\n")
        if lines:
            lines[0] = b"".join([*self._pieces, lines[0]])
            self._pieces, self._size = [], 0
        if rest:
            self._pieces.append(rest)
            self._size += len(rest)
        if self._size > self._limit or any(len(line) > self._limit for line in lines):
            raise EventTooLarge(f"one line of the stream has more than {self._limit:,} bytes", maybe_billed=True)
        return [line for line in lines if not line.isspace() and line]

    def flush(self) -> Iterable[bytes]:
        """The line that the end of the body ends."""
        line = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        # Half a line is no event: the stream was cut there.
        return [line] if line.rstrip().endswith(b"}") else []
