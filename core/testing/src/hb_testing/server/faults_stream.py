"""Faults of streams on any wire: E1 truncated, E2 reset, E3 error inside, E6 keep-alives only, E7 too large.

Without a queued reply the streams carry `FAULT_TOKENS`, one per event.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from hb_testing.server.answers import Action, Answer, Pause, Reply, Step, Stream
from hb_testing.server.faults import argument, fault
from hb_testing.server.faults_connection import stream_head
from hb_testing.server.http import LAST_CHUNK, chunk, head
from hb_testing.server.wire import Exchange

_MEBIBYTE = 1024 * 1024
_MARK = "@@"


def _end_early(exchange: Exchange, *, content: bool, framed: bool) -> Answer:
    stream = exchange.stream()
    events = [*stream.opening, *(stream.content if content else ())]
    if framed:
        return Stream(opening=events, content=[], closing=[], content_type=stream.content_type)
    plain = head(200, {"content-type": stream.content_type, "connection": "close"})
    return [plain + b"".join(events), Action.CLOSE]


# Without "-eof" the HTTP body ends properly; with it the end of the connection ends the body, which is also legal.
fault("E1.before")(partial(_end_early, content=False, framed=True))
fault("E1.after")(partial(_end_early, content=True, framed=True))
fault("E1.before-eof")(partial(_end_early, content=False, framed=False))
fault("E1.after-eof")(partial(_end_early, content=True, framed=False))


@fault("E1.no-done")
def no_terminal_marker(exchange: Exchange) -> Answer:
    """Everything but the last event of the stream ([DONE], message_stop)."""
    stream = exchange.stream()
    stream.closing = stream.closing[:-1]
    return stream


@fault("E1.no-finish")
def no_finish_reason(exchange: Exchange) -> Answer:
    """Content, then at once the terminal marker."""
    stream = exchange.stream()
    stream.closing = stream.closing[-1:]
    return stream


@fault("E2")
def reset_in_stream(exchange: Exchange) -> Answer:
    """RST after k content events (argument, default 2)."""
    stream = exchange.stream()
    sent = [*stream.opening, *stream.content[: argument(exchange, 0, 2)]]
    return [stream_head(stream), *map(chunk, sent), Action.RESET]


@fault("E3.a", "E3.before")
def error_before_content(exchange: Exchange) -> Answer:
    """An error event (argument: its status, default 503) as the first event of a 200 stream.

    Where the wire has no such events, the error is the answer.
    """
    status = argument(exchange, 0, 503)
    if not exchange.wire.has_error_events:
        return exchange.wire.error(status, exchange.wire.message(status))
    stream = exchange.stream()
    stream.opening, stream.content, stream.closing = [_error(exchange)], [], []
    return stream


@fault("E3.b", "E3.after")
def error_after_content(exchange: Exchange) -> Answer:
    """As E3.a, after the content. Where the wire has no such events, the stream only ends."""
    stream = exchange.stream()
    stream.closing = [_error(exchange)] if exchange.wire.has_error_events else []
    return stream


def _error(exchange: Exchange) -> bytes:
    status = argument(exchange, 0, 503)
    return exchange.wire.error_event(status, exchange.wire.message(status))


@fault("E6")
def only_keepalives(exchange: Exchange) -> Iterator[Step]:
    """The wire's keep-alive every 10 ms (argument: milliseconds) for ever, before any content; else silence."""
    return _keepalives(exchange, 0)


@fault("E6.after")
def keepalives_after_first(exchange: Exchange) -> Iterator[Step]:
    """As E6, after the first content."""
    return _keepalives(exchange, 1)


def _keepalives(exchange: Exchange, tokens: int) -> Iterator[Step]:
    stream = exchange.stream()
    yield stream_head(stream)
    if tokens:
        yield b"".join(map(chunk, [*stream.opening, *stream.content[:tokens]]))
    if not exchange.wire.keepalive:
        yield Action.STALL
    while True:
        yield chunk(exchange.wire.keepalive)
        yield Pause(argument(exchange, 0, 10) / 1000)


@fault("E7.event")
def huge_event(exchange: Exchange) -> Iterator[Step]:
    """A good stream with one event of N MiB (argument, default 64); made piecewise, so the server stays small."""
    stream, before, after = _around_mark(exchange)
    yield stream_head(stream) + b"".join(map(chunk, [*stream.opening, before]))
    piece = chunk(b"a" * _MEBIBYTE)
    for _ in range(argument(exchange, 0, 64)):
        yield piece
    yield b"".join(map(chunk, [after, *stream.closing])) + LAST_CHUNK
    yield Action.KEEP_OPEN


@fault("E7.line")
def endless_line(exchange: Exchange) -> Iterator[Step]:
    """A stream whose first content event is a line without an end."""
    stream, before, _ = _around_mark(exchange)
    yield stream_head(stream) + b"".join(map(chunk, [*stream.opening, before]))
    piece = chunk(b"a" * (64 * 1024))
    while True:
        yield piece


def _around_mark(exchange: Exchange) -> tuple[Stream, bytes, bytes]:
    stream = exchange.wire.stream(exchange, Reply(chunks=(_MARK,)))
    before, _, after = b"".join(stream.content).partition(_MARK.encode())
    return stream, before, after
