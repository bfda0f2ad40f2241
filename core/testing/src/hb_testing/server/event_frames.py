"""Frames of Amazon's event streams: lengths and headers in binary, each frame proved by two checksums.

    frame   total length, length of headers, CRC-32 of these two, headers, payload, CRC-32 of all before it
    header  length of the name, the name, type 7 (text), length of the value, the value

All numbers are big-endian; the name's length has one byte, the value's two, the others four.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping

_TEXT = 7
_FIXED = 16
"""Bytes of a frame beside headers and payload."""


def encode(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One frame with text headers."""
    named = b"".join(_header(name, value) for name, value in headers.items())
    begun = prelude(_FIXED + len(named) + len(payload), len(named)) + named + payload
    return begun + struct.pack(">I", zlib.crc32(begun))


def prelude(total: int, headers: int) -> bytes:
    """The first twelve bytes of a frame of `total` bytes, `headers` of which are headers."""
    lengths = struct.pack(">II", total, headers)
    return lengths + struct.pack(">I", zlib.crc32(lengths))


def event(kind: str, payload: bytes) -> bytes:
    """An event of this type with a JSON payload."""
    return encode({":event-type": kind, ":content-type": "application/json", ":message-type": "event"}, payload)


def exception(kind: str, payload: bytes) -> bytes:
    """An exception of this type, which ends the stream."""
    return encode({":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}, payload)


def decode(data: bytes) -> Iterator[tuple[dict[str, str], bytes]]:
    """(headers, payload) of each whole frame; ValueError for one whose checksum is wrong. Text headers only."""
    while len(data) >= _FIXED:
        total, length = struct.unpack(">II", data[:8])
        if data[:12] != prelude(total, length):
            raise ValueError("the checksum of a frame's lengths is wrong")
        if len(data) < total:
            return
        frame, data = data[:total], data[total:]
        if struct.unpack(">I", frame[-4:])[0] != zlib.crc32(frame[:-4]):
            raise ValueError("the checksum of a frame is wrong")
        yield _headers(frame[12 : 12 + length]), frame[12 + length : -4]


def _header(name: str, value: str) -> bytes:
    written, said = name.encode(), value.encode()
    return struct.pack(">B", len(written)) + written + struct.pack(">BH", _TEXT, len(said)) + said


def _headers(data: bytes) -> dict[str, str]:
    found = {}
    while data:
        end = 1 + data[0]
        (size,) = struct.unpack(">H", data[end + 1 : end + 3])
        found[data[1:end].decode()] = data[end + 3 : end + 3 + size].decode()
        data = data[end + 3 + size :]
    return found
