"""HTTP/1.1 as bytes: reading requests, writing answers. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

HEAD_LIMIT = 256 * 1024
LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_PHRASES = {status.value: status.phrase for status in HTTPStatus} | {529: "Site Is Overloaded"}


class MalformedRequest(Exception):
    """The client's bytes are not HTTP/1.1."""


def parse_head(head: bytes) -> tuple[str, str, str, list[tuple[str, str]], dict[str, str]]:
    """Split a request head (without its final blank line).

    Returns method, target, version, raw headers and headers by lower-case name (repeated ones joined by a comma).
    Raises MalformedRequest.
    """
    first, *lines = head.decode("latin-1").split("\r\n")
    try:
        method, target, version = first.split(" ")
    except ValueError:
        raise MalformedRequest(f"request line {first[:100]!r}") from None
    raw: list[tuple[str, str]] = []
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise MalformedRequest(f"header line {line[:100]!r}")
        value = value.strip(" \t")
        raw.append((name, value))
        name = name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return method, target, version, raw, headers


class Body:
    """Collects a request body from a growing buffer, by Content-Length or chunks."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit():
            raise MalformedRequest(f"content-length {length[:100]!r}")
        self._needed = int(length)
        self._data = bytearray()

    def take(self, buffer: bytearray) -> bytes | None:
        """Consume what belongs to the body; the whole body once it is complete, else None."""
        if self.chunked:
            return self._take_chunks(buffer)
        if len(buffer) < self._needed:
            return None
        body = bytes(buffer[: self._needed])
        del buffer[: self._needed]
        return body

    def _take_chunks(self, buffer: bytearray) -> bytes | None:
        while (end := buffer.find(b"\r\n")) >= 0:
            try:
                size = int(bytes(buffer[:end]).partition(b";")[0], 16)
            except ValueError:
                raise MalformedRequest(f"chunk size {bytes(buffer[:100])!r}") from None
            if size == 0:
                # Trailers end with a blank line; without any, that is the one right after the size line.
                final = buffer.find(b"\r\n\r\n", end)
                if final < 0:
                    return None
                del buffer[: final + 4]
                return bytes(self._data)
            if len(buffer) < end + 2 + size + 2:
                return None
            self._data += buffer[end + 2 : end + 2 + size]
            del buffer[: end + 2 + size + 2]
        return None


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Encode a response head, its final blank line included."""
    return open_head(status, headers) + b"\r\n"


def open_head(status: int, headers: Mapping[str, str]) -> bytes:
    """Encode a response head that may still get header lines (no final blank line)."""
    lines = [f"HTTP/1.1 {status} {_PHRASES.get(status, 'Unknown')}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in headers.items()]
    return "".join(lines).encode("latin-1")


def response(status: int, body: bytes, content_type: str = "application/json", **headers: str) -> bytes:
    """Encode a whole response with Content-Length; underscores in header names stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return head(status, {"content-type": content_type, "content-length": str(len(body)), **named}) + body


def chunk(data: bytes) -> bytes:
    """Frame one piece of a chunked body; `data` must not be empty, since an empty chunk ends the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def dumps(value: Any) -> bytes:
    """Compact JSON as real UTF-8, so that cuts inside a character happen; lone surrogates stay escaped."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def encode_body(body: Any) -> tuple[bytes, str]:
    """Bytes and content type of a reply's body: bytes and str as they are, anything else as JSON."""
    if isinstance(body, bytes):
        return body, "application/octet-stream"
    if isinstance(body, str):
        return body.encode(), "text/plain; charset=utf-8"
    return dumps(body), "application/json"
