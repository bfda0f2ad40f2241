"""Server-sent events from bytes: the WHATWG algorithm, incremental, bounded, in linear time. No I/O."""

from __future__ import annotations

import re
from typing import NamedTuple

from heavenbase.errors import EventTooLarge

TEXT_EVENT_LIMIT = 16 * 1024 * 1024
IMAGE_EVENT_LIMIT = 64 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n?")


class Event(NamedTuple):
    """One dispatched event: `data` as UTF-8 bytes (lines joined by LF), its type, and the last event id."""

    data: bytes
    type: str = "message"
    id: str = ""

    @property
    def text(self) -> str:
        """The data as text; invalid UTF-8 becomes U+FFFD, as the standard says."""
        return self.data.decode("utf-8", "replace")


class EventParser:
    """Feed it bytes, it returns the events that they complete; an event cut off by the end of the stream is none.

    Raises EventTooLarge when one event, or one line, has more than `limit` bytes. `retry` is the last reconnection
    time that the stream asked for, in milliseconds.
    """

    __slots__ = ("_after_cr", "_begun", "_id", "_limit", "_pending", "retry")

    def __init__(self, limit: int = TEXT_EVENT_LIMIT) -> None:
        self._limit = limit
        self._pending = bytearray()
        self._begun = False
        self._after_cr = False
        self._id = ""
        self.retry: int | None = None

    def feed(self, data: bytes) -> list[Event]:
        """The events completed by these bytes."""
        if not self._begun:
            data = self._skip_bom(data)
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
        events: list[Event] = []
        for block in blocks:
            if len(block) > self._limit:
                self._check(len(block))
            if block.startswith(b"data: ") and b"\n" not in block:
                events.append(Event(block[6:], "message", self._id))
            else:
                event = self._parse(block)
                if event is not None:
                    events.append(event)
        return events

    def _skip_bom(self, data: bytes) -> bytes:
        data = bytes(self._pending) + data
        self._pending.clear()
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._pending += data
            return b""
        self._begun = True
        return data.removeprefix(_BOM)

    def _parse(self, block: bytes) -> Event | None:
        lines: list[bytes] = []
        kind = ""
        for line in block.split(b"\n"):
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"data":
                lines.append(value)
            elif name == b"event":
                kind = value.decode("utf-8", "replace")
            elif name == b"id":
                if b"\0" not in value:
                    self._id = value.decode("utf-8", "replace")
            elif name == b"retry" and value.isdigit() and len(value) < 19:
                self.retry = int(value)
        return Event(b"\n".join(lines), kind or "message", self._id) if lines else None

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise EventTooLarge(f"one event of the stream has more than {self._limit:,} bytes", maybe_billed=True)
