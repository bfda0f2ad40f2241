"""Faults in the shape of Bedrock's wire: B1, B3, odd tool uses (E8), and frames that are broken, cut or slow (E20)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from hb_testing.server import event_frames as frames
from hb_testing.server.answers import Action, Answer, Pause, Reply, Step, Stream
from hb_testing.server.bedrock_answers import event
from hb_testing.server.faults import argument, fault
from hb_testing.server.faults_connection import stream_head
from hb_testing.server.faults_wire import body_faults
from hb_testing.server.http import LAST_CHUNK, chunk
from hb_testing.server.wire import FAULT_TEXT, Exchange

WIRE = "bedrock"
_MEBIBYTE = 1024 * 1024


def _whole(**changes: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": [{"text": FAULT_TEXT}]}
    whole = {"output": {"message": message}, "stopReason": "end_turn", "usage": {"inputTokens": 1, "outputTokens": 1}}
    return {**whole, **changes}


_DELTA = {"contentBlockIndex": 0, "delta": {"text": FAULT_TEXT}}
body_faults(
    WIRE,
    malformed={
        "output-null": (_whole(output=None), {"delta": None}),
        "message-null": (_whole(output={"message": None}), {"delta": "text"}),
        "content-null": (_whole(output={"message": {"content": None}}), {"delta": {"text": 1}}),
        "block-null": (_whole(output={"message": {"content": [None]}}), {"delta": {"toolUse": None}}),
        "reason-missing": ({"output": _whole()["output"]}, {"delta": {"reasoningContent": "x"}}),
    },
    good=(_whole(usage={"inputTokens": 1, "outputTokens": "@@"}), {**_DELTA, "padding": "@@"}),
)

_TWO = [
    ("tooluse_1", "get_weather", ['{"city":', '"Paris"}']),
    ("tooluse_2", "get_time", ['{"zone":"CET"}']),
]
Called = tuple[str, str, list[str]]


def _odd_calls(exchange: Exchange, calls: list[Called], first: int = 0) -> Answer:
    if not exchange.wire.streams(exchange):
        given = [{"id": id_, "name": name, "arguments": "".join(parts)} for id_, name, parts in calls]
        exchange.given = Reply(tool_calls=given)
        return exchange.wire.handle(exchange)
    stream = exchange.wire.stream(exchange, Reply(text="", finish_reason="tool_use"))
    stream.content = [piece for n, call in enumerate(calls) for piece in _use(call, n + first)]
    return stream


def _use(call: Called, place: int) -> list[bytes]:
    id_, name, parts = call
    start = {"contentBlockIndex": place, "start": {"toolUse": {"toolUseId": id_, "name": name}}}
    deltas = [{"contentBlockIndex": place, "delta": {"toolUse": {"input": part}}} for part in parts]
    return [
        event("contentBlockStart", start),
        *(event("contentBlockDelta", delta) for delta in deltas),
        event("contentBlockStop", {"contentBlockIndex": place}),
    ]


def _reused(exchange: Exchange) -> Answer:
    """Two calls in blocks of the same number, one after the other."""
    answer = _odd_calls(exchange, _TWO)
    if isinstance(answer, Stream):
        answer.content = [piece for call in _TWO for piece in _use(call, 0)]
    return answer


fault("E8.one-based", wire=WIRE)(partial(_odd_calls, calls=_TWO, first=1))
fault("E8.reused-index", wire=WIRE)(_reused)
fault("E8.empty-arguments", wire=WIRE)(partial(_odd_calls, calls=[("tooluse_1", "get_time", [""])]))
fault("E8.no-deltas", wire=WIRE)(partial(_odd_calls, calls=[("tooluse_1", "get_time", [])]))


@fault("B5.one", wire=WIRE)
def huge_input(exchange: Exchange) -> Answer:
    """One tool use with 10 MB of input (argument: MB) in one piece."""
    written = json.dumps({"text": "a" * (argument(exchange, 0, 10) * 1_000_000)})
    return _odd_calls(exchange, [("tooluse_1", "write", [written])])


# Frames


def _changed(exchange: Exchange, place: int) -> Answer:
    """A good stream with one bit of its second event another."""
    stream = exchange.stream()
    frame = bytearray(stream.content[1])
    frame[place] ^= 1
    stream.content[1] = bytes(frame)
    return stream


fault("E20.lengths", wire=WIRE)(partial(_changed, place=3))
fault("E20.prelude", wire=WIRE)(partial(_changed, place=11))
fault("E20.payload", wire=WIRE)(partial(_changed, place=-10))
fault("E20.checksum", wire=WIRE)(partial(_changed, place=-1))


@fault("E20.cut", wire=WIRE)
def cut_frame(exchange: Exchange) -> Answer:
    """A stream whose HTTP body ends properly, in the middle of its second event."""
    stream = exchange.stream()
    half = stream.content[1][: len(stream.content[1]) // 2]
    stream.content, stream.closing = [stream.content[0], half], []
    return stream


@fault("E20.error", wire=WIRE)
def error_frame(exchange: Exchange) -> Answer:
    """A frame of the type error, which has no payload, after the content."""
    headers = {":message-type": "error", ":error-code": "InternalFailure", ":error-message": "An internal server error"}
    stream = exchange.stream()
    stream.closing = [frames.encode(headers, b"")]
    return stream


@fault("E20.unknown", wire=WIRE)
def unknown_event(exchange: Exchange) -> Answer:
    """A good stream with an event of a type that nobody knows."""
    stream = exchange.stream()
    stream.content.insert(1, frames.event("laterInvention", b'{"x":1}'))
    return stream


@fault("E20.slow", wire=WIRE)
def byte_by_byte(exchange: Exchange) -> Iterator[Step]:
    """A good stream in pieces of one byte, each of its events after a pause (argument: milliseconds, default 1)."""
    stream = exchange.stream()
    yield stream_head(stream)
    for frame in stream.events:
        yield Pause(argument(exchange, 0, 1) / 1000)
        yield b"".join(chunk(frame[place : place + 1]) for place in range(len(frame)))
    yield LAST_CHUNK
    yield Action.KEEP_OPEN


@fault("E7.event", wire=WIRE)
def huge_event(exchange: Exchange) -> Iterator[Step]:
    """A stream with an event of N MiB (argument, default 64), which is sent as long as somebody reads it."""
    stream = exchange.stream()
    size = argument(exchange, 0, 64) * _MEBIBYTE
    yield stream_head(stream) + b"".join(map(chunk, [*stream.opening, frames.prelude(size, 0)]))
    piece = chunk(b"a" * _MEBIBYTE)
    for _ in range(size // _MEBIBYTE):
        yield piece
    yield Action.CLOSE
