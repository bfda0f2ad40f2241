"""Frames of Amazon's event streams out of bytes, however these are cut. Pure.

    total length, length of headers, CRC-32 of these two | headers | payload | CRC-32 of all before it

Every checksum is checked. boto3 has such a reader of its own, which takes longer for a frame than hb for a chunk.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from zlib import crc32

from heavenbase.errors import EventTooLarge, ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from heavenbase.errors import HBError

EVENTS = ("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata")
"""The events of ConverseStream; a later version of the wire may send others beside."""
LARGEST = 24 * 1024 * 1024
"""Bytes of one frame, as boto3 has it."""
LARGEST_HEADERS = 128 * 1024
_PRELUDE = struct.Struct(">III")
_CHECKSUM = struct.Struct(">I")
_LEAST = _PRELUDE.size + _CHECKSUM.size
_KEPT = 64
# Types of header values: the size of a value that is a number, None for one that says its size itself.
_SIZES: Mapping[int, int | None] = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 6: None, 7: None, 8: 8, 9: 16}
_TEXT = 7
_OPENINGS: Mapping[str, bytes] = {name: f'{{"{name}":'.encode() for name in EVENTS}


class Events:
    """The events of one stream, each as the object that Amazon's SDKs make of it: its content under its name.

    `failure` gives the error for the headers and the payload of a frame that tells of one.
    """

    def __init__(self, failure: Callable[[Mapping[str, str], bytes], HBError]) -> None:
        self._frames = FrameReader()
        self._failure = failure

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The events that these bytes complete; `{}` for one that hb does not know. Raises what came as an error."""
        for headers, payload in self._frames.feed(piece):
            if headers.get(":message-type", "event") != "event":
                raise self._failure(headers, payload)
            opening = _OPENINGS.get(headers.get(":event-type", ""))
            yield b"{}" if opening is None else b"%b%b}" % (opening, payload)

    def flush(self) -> Iterable[bytes]:
        """Nothing: half a frame is none."""
        return ()


class FrameReader:
    """The frames of one stream."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._headers: dict[bytes, dict[str, str]] = {}

    def feed(self, data: bytes) -> Iterator[tuple[Mapping[str, str], bytes]]:
        """(text headers, payload) of each frame that these bytes complete.

        Raises ProtocolError for a broken frame, EventTooLarge for one beyond the limit.
        """
        buffer = self._buffer
        buffer += data
        while len(buffer) >= _LEAST:
            total, length, checksum = _PRELUDE.unpack_from(buffer)
            if crc32(buffer[:8]) != checksum:
                raise _broken("a frame's lengths do not match their checksum")
            if total > LARGEST or length > LARGEST_HEADERS:
                raise EventTooLarge(
                    f"an event of the stream has {total:,} bytes, above the limit of {LARGEST:,}", maybe_billed=True
                )
            if total < _LEAST + length:
                raise _broken("a frame is shorter than its parts")
            if len(buffer) < total:
                return
            start, end = _PRELUDE.size + length, total - _CHECKSUM.size
            # A frame may be large: it is checked where it lies, and of a broken one nothing is copied.
            with memoryview(buffer) as view:
                with view[:end] as checked:
                    is_whole = crc32(checked) == _CHECKSUM.unpack_from(view, end)[0]
                headers, payload = bytes(view[_PRELUDE.size : start]), bytes(view[start:end]) if is_whole else b""
            if not is_whole:
                raise _broken("a frame does not match its checksum")
            del buffer[:total]
            yield self._named(headers), payload

    def _named(self, data: bytes) -> dict[str, str]:
        # A stream has a handful of different headers, repeated in thousands of frames.
        found = self._headers.get(data)
        if found is None:
            if len(self._headers) >= _KEPT:
                self._headers.clear()
            found = self._headers[data] = _parsed(data)
        return found


def _parsed(data: bytes) -> dict[str, str]:
    """The headers whose values are text; the others say nothing to hb."""
    found: dict[str, str] = {}
    place = 0
    try:
        while place < len(data):
            end = place + 1 + data[place]
            name, kind = data[place + 1 : end].decode(), data[end]
            size = _SIZES[kind]
            place = end + 1
            if size is None:
                size = int.from_bytes(data[place : place + 2], "big")
                place += 2
            if kind == _TEXT:
                found[name] = data[place : place + size].decode()
            place += size
    except (IndexError, KeyError, UnicodeDecodeError):
        raise _broken("a frame's headers cannot be read") from None
    if place != len(data):
        raise _broken("a frame's headers cannot be read")
    return found


def _broken(what: str) -> ProtocolError:
    # The answer was made, and so may be billed; to ask again would pay twice.
    return ProtocolError(f"the stream is broken: {what}", maybe_billed=True)
