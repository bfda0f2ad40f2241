"""Streamed bodies as the data of their events: server-sent events, and lines of JSON. Bounded, linear time, no I/O."""

from __future__ import annotations

import re

from heavenbase.errors import EventTooLarge

TEXT_EVENT_LIMIT = 16 * 1024 * 1024
IMAGE_EVENT_LIMIT = 64 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n?")


class ServerEvents:
    """Server-sent events as WHATWG says, of each the data alone; one that the end of the body cuts off is none.

    Raises EventTooLarge when one event, or one line, has more than `limit` bytes.
    """

    __slots__ = ("_after_cr", "_begun", "_limit", "_pending")

    def __init__(self, limit: int = TEXT_EVENT_LIMIT) -> None:
        self._limit = limit
        self._pending = bytearray()
        self._begun = False
        self._after_cr = False

    def feed(self, piece: bytes) -> list[bytes]:
        """The data of the events that these bytes complete, in UTF-8, lines joined by LF."""
        data = piece
        if self._after_cr and data:
            # The CR that ended the last piece already counted as a line end; this LF belongs to it.
            data = data.removeprefix(b"\n")
            self._after_cr = False
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = _LINE_END.sub(b"\n", data)
        pending = self._pending
        if pending:
            # Only the last byte before these can be half of an event's end, so nothing is searched twice.
            start = len(pending) - 1
            pending += data
            if pending.find(b"\n\n", start) < 0:
                self._check(len(pending))
                return []
            data = bytes(pending)
            pending.clear()
        *blocks, rest = data.split(b"\n\n")
        if rest:
            self._check(len(rest))
            pending += rest
        if blocks and not self._begun:
            self._begun = True
            blocks[0] = blocks[0].removeprefix(_BOM)
        if len(data) > self._limit:
            for block in blocks:
                self._check(len(block))
        # Most are one line of data each, and nothing else.
        events = [block[6:] for block in blocks if block.startswith(b"data: ")]
        if len(events) == len(blocks) and data.count(b"\n") == 2 * len(blocks):
            return events
        events.clear()
        for block in blocks:
            fields = [line.partition(b":") for line in block.split(b"\n")]
            lines = [value.removeprefix(b" ") for name, _, value in fields if name == b"data"]
            if lines:
                events.append(b"\n".join(lines))
        return events

    def flush(self) -> list[bytes]:
        """Nothing: an event ends with an empty line."""
        return []

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise EventTooLarge(f"one event of the stream has more than {self._limit:,} bytes", maybe_billed=True)


class Lines:
    """One JSON value a line (NDJSON), in linear time; the last line may lack its end.

    Raises EventTooLarge when one line has more than `limit` bytes.
    """

    __slots__ = ("_limit", "_pieces", "_size")

    def __init__(self, limit: int = TEXT_EVENT_LIMIT) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[bytes]:
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

    def flush(self) -> list[bytes]:
        """The line that the end of the body ends."""
        line = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        # Half a line is no event: the stream was cut there.
        return [line] if line.rstrip().endswith(b"}") else []
