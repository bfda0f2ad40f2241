"""Faults beside those of the matrix, for every wire: answers of another kind, odd streams, broken compression."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from functools import partial
from typing import Any

from hb_testing.server import Action, Answer, Exchange, Pause, Reply, Step, Stream, fault
from hb_testing.server.faults_connection import good, stream_head
from hb_testing.server.http import chunk, head

MANY = 5_000
LONG = "long " * 100_000


def _bytes(exchange: Exchange) -> bytes:
    return good(exchange)[1]


def _json(body: bytes, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(body=body, headers={"content-type": "application/json", **named})


# Bodies of another kind

for _name, _body in {
    "null": b"null",
    "true": b"true",
    "zero": b"0",
    "text": b'"so"',
    "list": b"[]",
    "object": b"{}",
    "lists": b"[[[]]]",
    "blank": b"  \r\n ",
    "html": b"<p>so</p>",
    "utf16": '{"a": 1}'.encode("utf-16"),
}.items():

    @fault(f"X.whole-{_name}")
    def _whole(exchange: Exchange, body: bytes = _body) -> Answer:
        return _json(body)

    @fault(f"X.event-{_name}")
    def _event(exchange: Exchange, body: bytes = _body) -> Answer:
        return Stream([], [exchange.wire.event(body)], [], exchange.wire.stream_type)


def _changed(exchange: Exchange, before: bytes = b"", behind: bytes = b"") -> Answer:
    return _json(before + _bytes(exchange) + behind)


fault("X.garbage-behind")(partial(_changed, behind=b"x"))
fault("X.answer-behind")(partial(_changed, behind=b'{"a": 1}'))
fault("X.blanks-around")(partial(_changed, before=b"\r\n \t", behind=b"\r\n\r\n"))
fault("X.mark-before")(partial(_changed, before=b"\xef\xbb\xbf"))
fault("X.prefix-before")(partial(_changed, before=b")]}'\n"))


@fault("X.twice")
def twice(exchange: Exchange) -> Answer:
    """The good answer, twice."""
    return _json(_bytes(exchange) * 2)


@fault("X.events-for-whole")
def events_for_whole(exchange: Exchange) -> Answer:
    """A stream, whatever was asked for."""
    return exchange.stream()


@fault("X.latin")
def latin(exchange: Exchange) -> Answer:
    """The good answer in another charset, which the head names."""
    exchange.given = Reply(text="Grüße")
    body = _bytes(exchange).replace("ü".encode(), b"\xfc").replace("ß".encode(), b"\xdf").replace(b"\\u00fc", b"\xfc")
    return _json(body, content_type="application/json; charset=latin-1")


# Compression


def _packed(exchange: Exchange, pack: Any, name: str) -> Answer:
    kind, body = good(exchange)
    return Reply(body=pack(body), headers={"content-type": kind, "content-encoding": name})


fault("X.gzip")(partial(_packed, pack=gzip.compress, name="gzip"))
fault("X.x-gzip")(partial(_packed, pack=gzip.compress, name="GZIP"))
fault("X.deflate")(partial(_packed, pack=zlib.compress, name="deflate"))
fault("X.gzip-twice")(partial(_packed, pack=lambda body: gzip.compress(gzip.compress(body)), name="gzip, gzip"))
fault("X.gzip-cut")(partial(_packed, pack=lambda body: gzip.compress(body)[:-12], name="gzip"))
fault("X.gzip-none")(partial(_packed, pack=bytes, name="gzip"))
fault("X.gzip-broken")(partial(_packed, pack=lambda body: gzip.compress(body)[:15] + b"\xff" * 30, name="gzip"))
fault("X.packing-unknown")(partial(_packed, pack=bytes, name="x-acme"))


# Streams


@fault("X.empty-forever")
def empty_forever(exchange: Exchange) -> Iterator[Step]:
    """Good events without content, for ever."""
    stream = exchange.wire.stream(exchange, Reply(chunks=("",) * 2))
    yield stream_head(stream)
    yield from map(chunk, stream.opening)
    while True:
        for event in stream.content or [exchange.wire.event(b"{}")]:
            yield chunk(event)
        yield Pause(0.01)


@fault("X.never-whole")
def never_whole(exchange: Exchange) -> Iterator[Step]:
    """Content, and then an event that comes byte by byte and never ends."""
    stream = exchange.stream()
    yield stream_head(stream)
    yield b"".join(map(chunk, [*stream.opening, *stream.content[:1]]))
    begun = stream.content[1]
    yield chunk(begun[: len(begun) // 2])
    while True:
        yield chunk(b"a")
        yield Pause(0.01)


@fault("X.endless-events")
def endless_events(exchange: Exchange) -> Iterator[Step]:
    """Events without content and without an end, whatever was asked for, as fast as they go."""
    yield head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
    piece = chunk(b": x\n" * 16_000)
    while True:
        yield piece


@fault("X.slow-head")
def slow_head(exchange: Exchange) -> Iterator[Step]:
    """A head that comes byte by byte and never ends."""
    for byte in head(200, {"content-type": "application/json"})[:-2]:
        yield bytes((byte,))
    while True:
        yield b"x"
        yield Pause(0.01)


@fault("X.slow-body")
def slow_body(exchange: Exchange) -> Iterator[Step]:
    """A body that comes byte by byte and never ends."""
    yield head(200, {"content-type": "application/json", "content-length": "1000000"})
    while True:
        yield b" "
        yield Pause(0.01)


@fault("X.no-last-blank")
def no_last_blank(exchange: Exchange) -> Answer:
    """A good stream whose last event has no end of line."""
    stream = exchange.stream()
    stream.closing[-1] = stream.closing[-1].rstrip(b"\r\n")
    return stream


@fault("X.in-lines")
def in_lines(exchange: Exchange) -> Answer:
    """A good stream whose data is written in many lines."""
    stream = exchange.stream()
    events = [event + b"\n\n" for event in b"".join(stream.events).replace(b"\r\n", b"\n").split(b"\n\n") if event]
    return Stream([], list(map(_in_lines, events)), [], stream.content_type)


def _in_lines(event: bytes) -> bytes:
    before, _, said = event.partition(b"data: ")
    if not said.startswith(b"{"):
        return event
    lines = json.dumps(json.loads(said), indent=1).encode().splitlines()
    return before + b"".join(b"data: " + line + b"\n" for line in lines) + b"\n"


@fault("X.pings")
def pings(exchange: Exchange) -> Answer:
    """A good stream with events between its own that say nothing."""
    stream = exchange.stream()
    stream.content = [
        piece for event in stream.content for piece in (b": x\n\n", b"event: ping\n\n", event, b"id: 1\n\n")
    ]
    return stream


@fault("X.done-first")
def done_first(exchange: Exchange) -> Answer:
    """The end before everything else."""
    stream = exchange.stream()
    return Stream(stream.closing[-1:], [], [], stream.content_type)


@fault("X.closing-first")
def closing_first(exchange: Exchange) -> Answer:
    """The closing events, and then the content."""
    stream = exchange.stream()
    return Stream([*stream.opening, *stream.closing], stream.content, [], stream.content_type)


@fault("X.closing-twice")
def closing_twice(exchange: Exchange) -> Answer:
    """Everything behind the content twice."""
    stream = exchange.stream()
    stream.closing = stream.closing * 2
    return stream


@fault("X.stream-twice")
def stream_twice(exchange: Exchange) -> Answer:
    """A good stream, and another one behind it."""
    stream = exchange.stream()
    return Stream(stream.events, stream.events, [], stream.content_type)


@fault("X.many")
def many(exchange: Exchange) -> Answer:
    """A good stream of thousands of pieces."""
    return exchange.wire.stream(exchange, Reply(chunks=("ab",) * MANY))


@fault("X.half-character")
def half_character(exchange: Exchange) -> Answer:
    """A stream that ends inside of a character."""
    stream = exchange.wire.stream(exchange, Reply(chunks=("Grü",)))
    data = b"".join([*stream.opening, *stream.content])
    return Stream([], [data[: data.index("ü".encode()) + 1]], [], stream.content_type)


@fault("X.blank-type")
def blank_type(exchange: Exchange) -> Answer:
    """A good stream that does not say what it is."""
    stream = exchange.stream()
    stream.content_type = "application/octet-stream"
    return stream


@fault("X.reset-at-end")
def reset_at_end(exchange: Exchange) -> Answer:
    """A whole stream, and then a reset in place of the end of the body."""
    stream = exchange.stream()
    return [stream_head(stream), *map(chunk, stream.events), Action.RESET]


@fault("X.finished-silence")
def finished_silence(exchange: Exchange) -> Answer:
    """A whole stream, and then nothing, not even the end of the body."""
    stream = exchange.stream()
    return [stream_head(stream), *map(chunk, stream.events), Action.STALL]


# Errors


def _refusal(exchange: Exchange, status: int, message: str) -> Answer:
    return exchange.wire.error(status, message)


fault("X.long-error")(partial(_refusal, status=400, message=LONG))
fault("X.escapes-error")(partial(_refusal, status=400, message="\x1b[31mred\x07\u202e \x00"))
fault("X.empty-error")(partial(_refusal, status=500, message=""))


@fault("X.error-stalls")
def error_stalls(exchange: Exchange) -> Answer:
    """A refusal whose body never comes."""
    return [head(400, {"content-type": "application/json", "content-length": "100"}), Action.STALL]


@fault("X.error-endless")
def error_endless(exchange: Exchange) -> Iterator[Step]:
    """A refusal whose body never ends."""
    yield head(500, {"content-type": "text/html", "transfer-encoding": "chunked"})
    while True:
        yield chunk(b"a" * 65536)


@fault("X.error-reset")
def error_reset(exchange: Exchange) -> Answer:
    """A refusal that is broken off."""
    return [head(429, {"content-type": "application/json", "content-length": "100"}) + b'{"er', Action.RESET]


@fault("X.early", before_body=True)
def early(exchange: Exchange) -> Answer:
    """A refusal before the request has been read, and a closed connection."""
    body = exchange.wire.error(413, "too large").body
    data = json.dumps(body).encode() if not isinstance(body, bytes) else body
    named = {"content-type": "application/json", "content-length": str(len(data)), "connection": "close"}
    return [head(413, named) + data, Action.HALF_CLOSE, Pause(0.05), Action.CLOSE]


@fault("X.half-of-json")
def half_of_json(exchange: Exchange) -> Answer:
    """Half of a good answer, and a reset."""
    kind, body = good(exchange)
    named = {"content-type": kind, "content-length": str(len(body))}
    return [head(200, named) + body[: len(body) // 2], Action.RESET]


@fault("X.key-in-event")
def key_in_event(exchange: Exchange) -> Answer:
    """The key, in an error inside a stream."""
    key = str(exchange.wire.key(exchange.request))
    stream = exchange.stream()
    if exchange.wire.has_error_events:
        stream.closing = [exchange.wire.error_event(401, f"wrong key {key}")]
    return stream


@fault("X.closed-behind")
def closed_behind(exchange: Exchange) -> Answer:
    """A good answer, and a connection that closes without a word."""
    kind, body = good(exchange)
    return [head(200, {"content-type": kind, "content-length": str(len(body))}) + body, Pause(0.01), Action.CLOSE]


@fault("X.old")
def old(exchange: Exchange) -> Answer:
    """A good answer of HTTP/1.0, which ends with the connection."""
    kind, body = good(exchange)
    return [f"HTTP/1.0 200 OK\r\ncontent-type: {kind}\r\n\r\n".encode() + body, Action.CLOSE]
