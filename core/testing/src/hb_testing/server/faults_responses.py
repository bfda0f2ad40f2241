"""Faults in the shape of the Responses wire: B1 wrong shape, B2 error in a 200, B3 hostile numbers, B5 and E8 calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from hb_testing.server import responses_answers as answers
from hb_testing.server.answers import Answer, Reply, Stream
from hb_testing.server.faults import argument, fault
from hb_testing.server.faults_wire import body_faults
from hb_testing.server.openai_chat import pieces
from hb_testing.server.wire import Exchange

WIRE = "openai_responses"
_MEGABYTE = 1_000_000

Item = dict[str, Any]
Event = Mapping[str, Any]


def _whole(**fields: Any) -> dict[str, Any]:
    return {"id": "resp_fault", "object": "response", "status": "completed", "model": "m", **fields}


def _ended(whole: dict[str, Any]) -> dict[str, Any]:
    return {"type": f"response.{whole['status']}", "response": whole}


def _message(content: Any) -> Item:
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}


def _call(number: int, name: str, arguments: Any) -> Item:
    ids = {"id": f"fc_{number}", "call_id": f"call_{number}"}
    return {"type": "function_call", **ids, "name": name, "arguments": arguments, "status": "completed"}


_GOOD = _whole(output=[_message([{"type": "output_text", "text": "hello"}])], usage={"input_tokens": "@@"})
_SHAPES: dict[str, dict[str, Any]] = {
    "output-null": _whole(output=None),
    "output-missing": _whole(),
    "output-empty": _whole(output=[]),
    "output-text": _whole(output="hello"),
    "item-null": _whole(output=[None]),
    "item-text": _whole(output=["hello"]),
    "content-null": _whole(output=[_message(None)]),
    "content-text": _whole(output=[_message("hello")]),
    "part-null": _whole(output=[_message([None])]),
    "text-number": _whole(output=[_message([{"type": "output_text", "text": 7}])]),
    "call-nameless": _whole(output=[{"type": "function_call", "call_id": "call_1", "arguments": "{}"}]),
}
body_faults(
    WIRE,
    malformed={name: (shape, _ended(shape)) for name, shape in _SHAPES.items()}
    | {
        "array": ([], []),
        "type-missing": ({}, {"delta": "hello"}),
        "delta-null": (_SHAPES["part-null"], {"type": "response.output_text.delta", "output_index": 0, "delta": None}),
        "added-null": (_SHAPES["item-null"], {"type": "response.output_item.added", "output_index": 0, "item": None}),
        "response-null": ({"status": "completed"}, {"type": "response.completed", "response": None}),
    },
    good=(_GOOD, _ended(_GOOD)),
    errors=(401, 503),
)


def _failed(exchange: Exchange, status: int, code: str) -> Answer:
    """An answer that ends as `failed`, with its error inside."""
    whole = _whole(output=[], error={"code": code, "message": exchange.wire.message(status)}) | {"status": "failed"}
    if not exchange.wire.streams(exchange):
        return Reply(body=whole)
    stream = exchange.stream()
    stream.content, stream.closing = [], [answers.event(_ended(whole))]
    return stream


fault("B2.429", wire=WIRE)(partial(_failed, status=429, code="rate_limit_exceeded"))
fault("B2.502", wire=WIRE)(partial(_failed, status=502, code="server_error"))


@fault("B5.one", wire=WIRE)
def huge_arguments(exchange: Exchange) -> Answer:
    """One function call with 10 MB of arguments (argument: MB) in one piece."""
    return _huge(exchange, count=1, megabytes=argument(exchange, 0, 10))


@fault("B5.deltas", wire=WIRE)
def huge_arguments_in_deltas(exchange: Exchange) -> Answer:
    """One function call with its arguments in N deltas (arguments: N, default 10,000, and MB, default 10)."""
    return _huge(exchange, count=argument(exchange, 0, 10_000), megabytes=argument(exchange, 1, 10))


def _huge(exchange: Exchange, count: int, megabytes: int) -> Answer:
    item = _call(1, "write", json.dumps({"text": "a" * (megabytes * _MEGABYTE)}))
    return _answered(exchange, [item], _events([item], count=count))


def _events(
    calls: list[Item], *, count: int = 2, index: Callable[[int], int | None] = lambda place: place
) -> list[Event]:
    """What a stream says of these calls; `index` gives the number of the item at a place, None for none."""
    events: list[Event] = []
    for place, item in enumerate(calls):
        number = index(place)
        where = {} if number is None else {"output_index": number}
        delta = {"type": "response.function_call_arguments.delta", **where, "item_id": item["id"]}
        events.append({"type": "response.output_item.added", **where, "item": {**item, "arguments": ""}})
        events += [{**delta, "delta": piece} for piece in pieces(item["arguments"], count)]
        events.append({"type": "response.output_item.done", **where, "item": item})
    return events


def _answered(exchange: Exchange, calls: list[Item], events: list[Event]) -> Answer:
    whole = _whole(output=calls)
    if not exchange.wire.streams(exchange):
        return Reply(body=whole)
    stream: Stream = exchange.wire.stream(exchange, Reply(text=""))
    stream.content = [answers.event(event) for event in events]
    stream.closing = [answers.event(_ended(whole))]
    return stream


_TWO = [_call(1, "get_weather", '{"city":"Paris"}'), _call(2, "get_time", '{"zone":"CET"}')]
_OBJECTS = [_call(1, "get_weather", {"city": "Paris"}), _call(2, "get_time", {"zone": "CET"})]
_EMPTY = [_call(1, "get_time", "")]
_NEW_IDS = [
    {**event, "item_id": f"other_{place}"} if "item_id" in event else event for place, event in enumerate(_events(_TWO))
]


def _only(calls: list[Item], kind: str) -> list[Event]:
    return [event for event in _events([{**c, "arguments": ""} for c in calls]) if event["type"].endswith(kind)]


# empty-arguments, no-deltas: get_time with no arguments; all others: get_weather and get_time with theirs.
_ODD: Mapping[str, tuple[list[Item], list[Event]]] = {
    "no-index": (_TWO, _events(_TWO, index=lambda place: None)),
    "reused-index": (_TWO, _events(_TWO, index=lambda place: 0)),
    "one-based": (_TWO, _events(_TWO, index=lambda place: place + 1)),
    "changing-ids": (_TWO, _NEW_IDS),
    "whole-items": (_TWO, [event for event in _events(_TWO) if event["type"] == "response.output_item.done"]),
    "no-fragments": (_TWO, [event for event in _events(_TWO) if "delta" not in event]),
    "object-arguments": (
        _OBJECTS,
        [{"type": "response.output_item.done", "output_index": n, "item": item} for n, item in enumerate(_OBJECTS)],
    ),
    "empty-arguments": (
        _EMPTY,
        [
            *_only(_EMPTY, "added"),
            {"type": "response.function_call_arguments.delta", "output_index": 0, "item_id": "fc_1", "delta": ""},
            *_only(_EMPTY, "done"),
        ],
    ),
    "no-deltas": (_EMPTY, _events(_EMPTY)),
}
for _name, (_calls, _said) in _ODD.items():
    fault(f"E8.{_name}", wire=WIRE)(partial(_answered, calls=_calls, events=_said))
