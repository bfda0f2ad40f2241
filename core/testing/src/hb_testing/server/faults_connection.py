"""Faults of the connection: N2 closed too early, E9 silent.

N2.a cannot be told from N2.b by a client whose whole request fitted into the socket buffers: with a body of some
megabytes its sending fails for certain. `resetting_port` resets connections before any request.
"""

from __future__ import annotations

from collections.abc import Iterator

from hb_testing.server.answers import Action, Answer, Reply, Step, Stream
from hb_testing.server.faults import argument, fault
from hb_testing.server.framing import split
from hb_testing.server.http import chunk, head
from hb_testing.server.wire import Exchange
from heavenbase.errors import InputError


@fault("N2.a", before_body=True)
def reset_before_reading(exchange: Exchange) -> Answer:
    """RST as soon as the head shows which fault is meant; the body is never read."""
    return [Action.RESET]


@fault("N2.b")
def reset_after_reading(exchange: Exchange) -> Answer:
    """RST after the whole request, with no byte answered."""
    return [Action.RESET]


@fault("N2.c")
def close_in_body(exchange: Exchange) -> Answer:
    """A plain answer, or a stream up to its content, with a Content-Length 50 (argument) too long; then FIN."""
    kind, body = good(exchange)
    if exchange.wire.streams(exchange):
        body = b"".join(exchange.stream().opening)
    length = str(len(body) + argument(exchange, 0, 50))
    return [head(200, {"content-type": kind, "content-length": length}) + body, Action.CLOSE]


@fault("E9.a")
def never_answer(exchange: Exchange) -> Answer:
    """Read the request and say nothing."""
    return [Action.STALL]


@fault("E9.b")
def only_headers(exchange: Exchange) -> Answer:
    """Response headers, then nothing."""
    kind, _ = good(exchange)
    return [head(200, {"content-type": kind, "transfer-encoding": "chunked"}), Action.STALL]


@fault("E9.c")
def stop_after_first(exchange: Exchange) -> Iterator[Step]:
    """The first token of a stream (or half of a plain answer), then nothing."""
    if not exchange.wire.streams(exchange):
        kind, body = good(exchange)
        yield head(200, {"content-type": kind, "content-length": str(len(body))}) + body[: len(body) // 2]
    else:
        stream = exchange.stream()
        yield stream_head(stream)
        for event in (*stream.opening, *stream.content[:1]):
            yield chunk(event)
    yield Action.STALL


def good(exchange: Exchange) -> tuple[str, bytes]:
    """Content type and unframed bytes of the good answer."""
    answer = exchange.wire.handle(exchange)
    if isinstance(answer, Stream):
        return answer.content_type, b"".join(answer.events)
    if isinstance(answer, Reply):
        return "application/json", split(answer)[1]
    raise InputError("this wire answers raw steps, which a fault cannot cut; answer a Reply or a Stream")


def stream_head(stream: Stream) -> bytes:
    """The response head of a stream whose chunks are sent one by one."""
    return head(200, {"content-type": stream.content_type, "transfer-encoding": "chunked"})
