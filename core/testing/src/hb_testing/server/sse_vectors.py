"""Streams that tell a WHATWG event-stream parser from an approximate one, with the events they must yield.

The cases are those of the Web Platform Tests' eventsource/format-* files, plus separators that only look like line
ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One dispatched event; `id` is the last event id at that moment."""

    data: str
    event: str = "message"
    id: str = ""


@dataclass(frozen=True, slots=True)
class SseVector:
    """The bytes of a stream up to its end, and the events a conforming parser dispatches."""

    stream: bytes
    events: tuple[SseEvent, ...]
    retry: int | None = None


def _data(*values: str) -> tuple[SseEvent, ...]:
    return tuple(map(SseEvent, values))


_BOM = b"\xef\xbb\xbf"
_LONG = b"x" * 2048

SSE_VECTORS: Mapping[str, SseVector] = {
    # Only one BOM at the very start is dropped; another one becomes part of an unknown field's name.
    "bom": SseVector(_BOM + b"data:1\n\n" + _BOM + b"data:2\n\ndata:3\n\n", _data("1", "3")),
    "bom-2": SseVector(_BOM + _BOM + b"data:1\n\ndata:2\n\ndata:3\n\n", _data("2", "3")),
    "comments": SseVector(
        b"data:1\r:\0\n:\r\ndata:2\n:" + _LONG + b"\rdata:3\n:data:fail\r:" + _LONG + b"\ndata:4\n\n",
        _data("1\n2\n3\n4"),
    ),
    # What is not closed by a blank line is never dispatched, nor is its id.
    "data-before-final-empty-line": SseVector(b"retry:1000\ndata:test1\n\nid:test\ndata:test2", _data("test1"), 1000),
    "field-data": SseVector(b"data:\n\ndata\ndata\n\ndata:test\n\n", _data("", "\n", "test")),
    "field-event": SseVector(b"event:test\ndata:x\n\ndata:x\n\n", (SseEvent("x", "test"), SseEvent("x"))),
    "field-event-empty": SseVector(b"event: \ndata:data\n\n", _data("data")),
    "field-id": SseVector(
        "id: …\nretry: 200\ndata: hello\n\n".encode(),
        (SseEvent("hello", id="…"),),
        200,
    ),
    "field-id-persists": SseVector(b"id: 1\ndata: a\n\ndata: b\n\n", (SseEvent("a", id="1"), SseEvent("b", id="1"))),
    "field-id-changes": SseVector(
        b"id: 1\ndata: a\n\nid: 2\ndata: b\n\ndata: c\n\n",
        (SseEvent("a", id="1"), SseEvent("b", id="2"), SseEvent("c", id="2")),
    ),
    "field-id-resets": SseVector(
        b"id: 1\ndata: a\n\nid:\ndata: b\n\ndata: c\n\n",
        (SseEvent("a", id="1"), SseEvent("b"), SseEvent("c")),
    ),
    "field-id-null": SseVector(
        b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n", (SseEvent("a", id="1"), SseEvent("b", id="1"))
    ),
    "field-parsing": SseVector(
        b"data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\n"
        b"data:4\n\n",
        _data("\0\n 2\n1\n3\n\n4"),
    ),
    "field-retry": SseVector(b"retry:03000\ndata:x\n\n", _data("x"), 3000),
    "field-retry-bogus": SseVector(b"retry:3000\nretry:1000x\ndata:x\n\n", _data("x"), 3000),
    "field-retry-empty": SseVector(b"retry\ndata:test\n\n", _data("test")),
    "field-unknown": SseVector(
        b"data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n",
        _data("test\n\ntest"),
    ),
    "leading-space": SseVector(b"data:\ttest\rdata: \ndata:test\n\n", _data("\ttest\n\ntest")),
    "newlines": SseVector(b"data:test\r\ndata\ndata:test\r\n\r\n", _data("test\n\ntest")),
    "null-character": SseVector(b"data:\0\n\n", _data("\0")),
    "utf-8": SseVector("data:ok…\n\n".encode(), _data("ok…")),
    # str.splitlines breaks at each of these; an event stream does not.
    "separators": SseVector(
        "data:a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\x1dh\x1ei\n\n".encode(),
        _data("a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\x1dh\x1ei"),
    ),
}
