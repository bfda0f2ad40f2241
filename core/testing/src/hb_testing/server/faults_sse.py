"""Faults of server-sent events: E4 cut and line ends, E5 the parser's vectors, E8 odd tool-call deltas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from hb_testing.server.answers import Action, Answer, Pause, Reply, Step, Stream
from hb_testing.server.faults import argument, fault
from hb_testing.server.faults_connection import stream_head
from hb_testing.server.http import LAST_CHUNK, chunk
from hb_testing.server.sse_vectors import SSE_VECTORS
from hb_testing.server.wire import Exchange

SEPARATORS_TEXT = "a\u2028b\u2029c\u0085d\x0be\x0cf"
# Long enough for a reader that waits for the first part to see it alone.
_BETWEEN_PARTS = 0.002


def _rewritten(exchange: Exchange, newline: bytes, mode: str) -> Iterator[Step]:
    """A good stream with other line ends; whole, byte by byte, or in two parts cut at the argument."""
    stream = exchange.stream()
    body = b"".join(stream.events).replace(b"\n", newline)
    yield stream_head(stream)
    if mode == "bytes":
        for byte in body:
            yield chunk(bytes((byte,)))
            yield Pause(0)
    elif mode == "cut":
        position = argument(exchange, 0, len(body) // 2)
        for part in (body[:position], body[position:]):
            if part:
                yield chunk(part)
                yield Pause(_BETWEEN_PARTS)
    else:
        yield chunk(body)
    yield LAST_CHUNK
    yield Action.KEEP_OPEN


for _name, _newline in (("lf", b"\n"), ("cr", b"\r"), ("crlf", b"\r\n")):
    for _mode in ("", "bytes", "cut"):
        _full = f"E4.{_name}-{_mode}".rstrip("-")
        fault(_full)(partial(_rewritten, newline=_newline, mode=_mode))
fault("E4.bytes")(partial(_rewritten, newline=b"\n", mode="bytes"))
fault("E4.cut")(partial(_rewritten, newline=b"\n", mode="cut"))


def _vector(exchange: Exchange, name: str) -> Answer:
    return Stream(opening=[], content=[SSE_VECTORS[name].stream], closing=[])


for _name in SSE_VECTORS:
    fault(f"E5.{_name}")(partial(_vector, name=_name))


@fault("E5.text")
def separators_in_text(exchange: Exchange) -> Answer:
    """A good stream whose text is `SEPARATORS_TEXT`, unescaped where JSON allows it."""
    return exchange.wire.stream(exchange, Reply(chunks=(SEPARATORS_TEXT,)))


def _delta(
    index: int | None, id_: str | None = None, name: str | None = None, arguments: str = ""
) -> Mapping[str, Any]:
    call: dict[str, Any] = {"function": {"arguments": arguments}}
    if index is not None:
        call["index"] = index
    if id_ is not None:
        call |= {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"tool_calls": [call]}


def _two_calls(first: int | None, second: int | None) -> list[Mapping[str, Any]]:
    return [
        _delta(first, "call_1", "get_weather"),
        _delta(first, arguments='{"city":'),
        _delta(first, arguments='"Paris"}'),
        _delta(second, "call_2", "get_time"),
        _delta(second, arguments='{"zone":"CET"}'),
    ]


_DELTAS: Mapping[str, list[Mapping[str, Any]]] = {
    "no-index": _two_calls(None, None),
    "reused-index": _two_calls(0, 0),
    "one-based": _two_calls(1, 2),
    "empty-arguments": [_delta(0, "call_1", "get_time")],
}


def _odd_calls(exchange: Exchange, deltas: list[Mapping[str, Any]], calls: list[Mapping[str, Any]]) -> Answer:
    if exchange.wire.streams(exchange):
        exchange.given = Reply(chunks=deltas, finish_reason="tool_calls")
    else:
        exchange.given = Reply(tool_calls=calls)
    return exchange.wire.handle(exchange)


# no-index, reused-index, one-based: get_weather {"city": "Paris"} and get_time {"zone": "CET"};
# empty-arguments: get_time with the arguments "".
for _name, _deltas in _DELTAS.items():
    _calls: list[Mapping[str, Any]] = [
        {"id": "call_1", "name": "get_weather", "arguments": {"city": "Paris"}},
        {"id": "call_2", "name": "get_time", "arguments": {"zone": "CET"}},
    ]
    if _name == "empty-arguments":
        _calls = [{"id": "call_1", "name": "get_time", "arguments": ""}]
    fault(f"E8.{_name}", wire="openai")(partial(_odd_calls, deltas=_deltas, calls=_calls))
