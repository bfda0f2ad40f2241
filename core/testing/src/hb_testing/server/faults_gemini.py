"""Faults in the shape of Gemini's wire: B1 wrong shape, B2 error in a 200, B3 hostile numbers, E8 odd calls."""

from __future__ import annotations

from typing import Any

from hb_testing.server import gemini_answers as answers
from hb_testing.server.answers import Answer, Reply
from hb_testing.server.faults import fault
from hb_testing.server.faults_wire import body_faults
from hb_testing.server.wire import Exchange

WIRE = "gemini"


def _candidate(candidate: Any) -> dict[str, Any]:
    return {"candidates": [candidate], "modelVersion": "m"}


_TEXT = {"role": "model", "parts": [{"text": "hello"}]}
_SHAPES: dict[str, Any] = {
    "candidates-null": {"candidates": None, "modelVersion": "m"},
    "candidates-empty": {"candidates": [], "modelVersion": "m"},
    "candidates-missing": {"modelVersion": "m"},
    "candidates-text": {"candidates": "hello"},
    "candidate-null": _candidate(None),
    "content-missing": _candidate({"index": 0}),
    "content-text": _candidate({"content": "hello", "index": 0}),
    "parts-text": _candidate({"content": {"parts": "hello"}, "index": 0}),
    "part-null": _candidate({"content": {"parts": [None]}, "index": 0}),
    "text-number": _candidate({"content": {"parts": [{"text": 7}]}, "index": 0}),
    "call-nameless": _candidate({"content": {"parts": [{"functionCall": {"args": {}}}]}, "index": 0}),
    "args-text": _candidate({"content": {"parts": [{"functionCall": {"name": "f", "args": "{}"}}]}, "index": 0}),
}
_GOOD = {**_candidate({"content": _TEXT, "finishReason": "STOP"}), "usageMetadata": {"promptTokenCount": "@@"}}

body_faults(
    WIRE,
    malformed={name: (shape, shape) for name, shape in _SHAPES.items()},
    good=(_GOOD, _GOOD),
    errors=(401, 429, 503),
)


@fault("B1.array", wire=WIRE)
def array(exchange: Exchange) -> Answer:
    """JSON that is no object; as a stream, an array without an event."""
    return Reply(body=[])


@fault("E8.empty-arguments", wire=WIRE)
def without_arguments(exchange: Exchange) -> Answer:
    """One call that has no `args` at all."""
    part = {"functionCall": {"name": "get_time"}}
    whole = _candidate({"content": {"parts": [part], "role": "model"}, "finishReason": "STOP", "index": 0})
    if not exchange.wire.streams(exchange):
        return Reply(body=whole)
    stream = exchange.wire.stream(exchange, Reply(text=""))
    stream.content = [answers.event(_candidate({"content": {"parts": [part], "role": "model"}, "index": 0}))]
    return stream


@fault("E8.separate-calls", wire=WIRE)
def calls_in_events_of_their_own(exchange: Exchange) -> Answer:
    """Two calls without ids, one event each when streamed."""
    exchange.given = Reply(
        tool_calls=[
            {"name": "get_weather", "arguments": {"city": "Paris"}},
            {"name": "get_time", "arguments": {"zone": "CET"}},
        ]
    )
    return exchange.wire.handle(exchange)
