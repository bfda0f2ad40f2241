"""Faults in the shape of Anthropic's wire: B1 wrong shape, B2 error in a 200, B3 hostile numbers, B5 and E8 tool use.

Asked for a stream, those of the body put the same JSON into the one event of a stream.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hb_testing.server import anthropic_answers as answers
from hb_testing.server.answers import Answer, Reply, Stream
from hb_testing.server.faults import argument, fault
from hb_testing.server.http import dumps
from hb_testing.server.openai_chat import pieces
from hb_testing.server.wire import FAULT_TEXT, Exchange

_MEGABYTE = 1_000_000
WIRE = "anthropic"

Called = tuple[str, str, list[str]]
"""A tool use: its id, its name, the pieces of its input."""


def _shape(exchange: Exchange, change: Callable[[dict[str, Any]], object]) -> Answer:
    whole = _answer()
    change(whole)
    return _content(exchange, dumps({"type": "message_start", "message": whole} if _streams(exchange) else whole))


fault("B1.content-null", wire=WIRE)(partial(_shape, change=lambda whole: whole.update(content=None)))
fault("B1.content-missing", wire=WIRE)(partial(_shape, change=lambda whole: whole.pop("content")))
fault("B1.content-text", wire=WIRE)(partial(_shape, change=lambda whole: whole.update(content="hello")))
fault("B1.block-null", wire=WIRE)(partial(_shape, change=lambda whole: whole.update(content=[None])))


@fault("B1.array", wire=WIRE)
def array(exchange: Exchange) -> Answer:
    """JSON that is no object."""
    return _content(exchange, b"[]")


def _error_inside(exchange: Exchange, status: int) -> Answer:
    shown: Any = exchange.wire.error(status, exchange.wire.message(status)).body
    if _streams(exchange):
        return Stream(opening=[], content=[answers.event(shown)], closing=[])
    return Reply(body=shown)


for _status in (401, 429, 502, 503, 529):
    fault(f"B2.{_status}", wire=WIRE)(partial(_error_inside, status=_status))


def _literal(exchange: Exchange, literal: bytes) -> Answer:
    whole = _answer() | {"usage": {"input_tokens": 1, "output_tokens": "@@"}}
    written = dumps({"type": "message_start", "message": whole} if _streams(exchange) else whole)
    return _content(exchange, written.replace(b'"@@"', literal))


for _name, _written in (("nan", b"NaN"), ("infinity", b"Infinity"), ("1e400", b"1e400")):
    fault(f"B3.{_name}", wire=WIRE)(partial(_literal, literal=_written))


@fault("B5.one", wire=WIRE)
def huge_input(exchange: Exchange) -> Answer:
    """One tool use with 10 MB of input (argument: MB) in one piece."""
    return _huge(exchange, count=1, megabytes=argument(exchange, 0, 10))


@fault("B5.deltas", wire=WIRE)
def huge_input_in_deltas(exchange: Exchange) -> Answer:
    """One tool use with its input in N deltas (arguments: N, default 10,000, and MB, default 10)."""
    return _huge(exchange, count=argument(exchange, 0, 10_000), megabytes=argument(exchange, 1, 10))


def _huge(exchange: Exchange, count: int, megabytes: int) -> Answer:
    written = json.dumps({"text": "a" * (megabytes * _MEGABYTE)})
    if not _streams(exchange):
        exchange.given = Reply(tool_calls=[{"id": "toolu_1", "name": "write", "arguments": written}])
        return exchange.wire.handle(exchange)
    return _tool_stream(exchange, [("toolu_1", "write", pieces(written, count))], {})


def _tool_stream(exchange: Exchange, calls: list[Called], places: Mapping[int, int]) -> Answer:
    """A stream of tool uses; `places` replaces the numbers of blocks."""
    stream = exchange.wire.stream(exchange, Reply(text="", finish_reason="tool_use"))
    content = []
    for number, (id_, name, parts) in enumerate(calls):
        place = places.get(number, number)
        block = {"type": "tool_use", "id": id_, "name": name, "input": {}}
        start = answers.event({"type": "content_block_start", "index": place, "content_block": block})
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
        events = [answers.event({"type": "content_block_delta", "index": place, "delta": delta}) for delta in deltas]
        content += [start, *events, answers.event({"type": "content_block_stop", "index": place})]
    stream.content = content
    return stream


_TWO = [
    ("toolu_1", "get_weather", ['{"city":', '"Paris"}']),
    ("toolu_2", "get_time", ['{"zone":"CET"}']),
]


def _odd_calls(exchange: Exchange, calls: list[Called], places: Mapping[int, int]) -> Answer:
    if _streams(exchange):
        return _tool_stream(exchange, calls, places)
    given = [{"id": id_, "name": name, "arguments": "".join(parts)} for id_, name, parts in calls]
    exchange.given = Reply(tool_calls=given)
    return exchange.wire.handle(exchange)


# reused-index, one-based: get_weather {"city": "Paris"} and get_time {"zone": "CET"};
# empty-arguments: get_time with the input "", no-deltas: with no piece of input at all.
_ODD: Mapping[str, tuple[list[Called], Mapping[int, int]]] = {
    "reused-index": (_TWO, {0: 0, 1: 0}),
    "one-based": (_TWO, {0: 1, 1: 2}),
    "empty-arguments": ([("toolu_1", "get_time", [""])], {}),
    "no-deltas": ([("toolu_1", "get_time", [])], {}),
}
for _name, (_calls, _places) in _ODD.items():
    fault(f"E8.{_name}", wire=WIRE)(partial(_odd_calls, calls=_calls, places=_places))


def _streams(exchange: Exchange) -> bool:
    return exchange.wire.streams(exchange)


def _answer() -> dict[str, Any]:
    return {
        "id": "msg_fault",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": FAULT_TEXT}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def _content(exchange: Exchange, body: bytes) -> Answer:
    if _streams(exchange):
        return Stream(opening=[], content=[b"data: " + body + b"\n\n"] if body else [], closing=[])
    return Reply(body=body, headers={"content-type": "application/json"})
