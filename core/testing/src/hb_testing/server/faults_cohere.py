"""Faults in the shape of Cohere's wire: B1 wrong shape, B3 hostile numbers, E8 odd pieces of tool calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from hb_testing.server import cohere_answers as answers
from hb_testing.server.answers import Answer, Reply
from hb_testing.server.faults import fault
from hb_testing.server.faults_wire import body_faults
from hb_testing.server.wire import Exchange

WIRE = "cohere"
_USAGE = {"tokens": {"input_tokens": "@@", "output_tokens": 1}}


def _answer(message: Any) -> dict[str, Any]:
    return {"id": "fault", "finish_reason": "COMPLETE", "message": message}


def _delta(message: Any) -> dict[str, Any]:
    return {"type": "content-delta", "index": 0, "delta": {"message": message}}


def _call(message: Any) -> dict[str, Any]:
    return {"type": "tool-call-start", "index": 0, "delta": {"message": message}}


_NAMELESS = {"tool_calls": [{"id": "c", "type": "function", "function": {"arguments": "{}"}}]}
_NUMBER = {"tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": 7}}]}
body_faults(
    WIRE,
    malformed={
        "message-null": (_answer(None), {"type": "content-delta", "delta": None}),
        "message-missing": ({"id": "fault", "finish_reason": "COMPLETE"}, {"type": "message-end"}),
        "message-list": (_answer([]), {"type": "content-delta", "delta": []}),
        "finish-missing": ({"message": {"content": []}}, {"type": "message-end", "delta": {}}),
        "content-object": (_answer({"content": {}}), _delta({"content": "hello"})),
        "part-null": (_answer({"content": [None]}), _delta({"content": None})),
        "text-number": (_answer({"content": [{"type": "text", "text": 7}]}), _delta({"content": {"text": 7}})),
        "call-nameless": (_answer(_NAMELESS), _call(_NAMELESS)),
        "arguments-number": (_answer(_NUMBER), _call(_NUMBER)),
        "array": ([], []),
    },
    good=(
        {**_answer({"content": [{"type": "text", "text": "hello"}]}), "usage": _USAGE},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": _USAGE}},
    ),
)


def _odd_calls(exchange: Exchange, calls: Sequence[tuple[int, str, Sequence[str]]]) -> Answer:
    """Calls as (number on the wire, name, pieces of arguments)."""
    given = [{"id": f"{name}_1", "name": name, "arguments": "".join(parts)} for _, name, parts in calls]
    reply = Reply(text="", tool_calls=given)
    if not exchange.wire.streams(exchange):
        exchange.given = reply
        return exchange.wire.handle(exchange)
    stream = exchange.wire.stream(exchange, reply)
    stream.content = []
    for (number, name, parts), made in zip(calls, given, strict=True):
        call = {"id": made["id"], "type": "function", "function": {"name": name, "arguments": ""}}
        stream.content += answers.called(number, call, parts)
    return stream


_WEATHER, _TIME = ("get_weather", ['{"city":', '"Paris"}']), ("get_time", ['{"zone":"CET"}'])
_ODD: Mapping[str, Sequence[tuple[int, str, Sequence[str]]]] = {
    "reused-index": [(0, *_WEATHER), (0, *_TIME)],
    "one-based": [(1, *_WEATHER), (2, *_TIME)],
    "empty-arguments": [(0, "get_time", [""])],
    "no-deltas": [(0, "get_time", [])],
}
for _name, _calls in _ODD.items():
    fault(f"E8.{_name}", wire=WIRE)(partial(_odd_calls, calls=_calls))
