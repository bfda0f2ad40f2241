"""Faults in the shape of Ollama's wire: B1 wrong shape, B3 hostile numbers, E8 calls without arguments."""

from __future__ import annotations

from typing import Any

from hb_testing.server.answers import Answer, Reply
from hb_testing.server.faults import fault
from hb_testing.server.faults_wire import body_faults
from hb_testing.server.http import dumps
from hb_testing.server.wire import Exchange

WIRE = "ollama"


def _said(message: Any) -> dict[str, Any]:
    return {"model": "m", "message": message, "done": True, "done_reason": "stop"}


_SHAPES: dict[str, Any] = {
    "message-null": _said(None),
    "message-missing": {"model": "m", "done": True},
    "message-text": _said("hello"),
    "content-list": _said({"role": "assistant", "content": ["hello"]}),
    "calls-object": _said({"role": "assistant", "content": "", "tool_calls": {}}),
    "call-nameless": _said({"role": "assistant", "content": "", "tool_calls": [{"function": {"arguments": {}}}]}),
    "arguments-list": _said({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": [1]}}]}),
    "array": [],
}
_GOOD = {**_said({"role": "assistant", "content": "hello"}), "eval_count": "@@"}

body_faults(WIRE, malformed={name: (shape, shape) for name, shape in _SHAPES.items()}, good=(_GOOD, _GOOD))


@fault("E8.empty-arguments", wire=WIRE)
def without_arguments(exchange: Exchange) -> Answer:
    """One call that has no arguments at all."""
    message = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "get_time"}}]}
    if not exchange.wire.streams(exchange):
        return Reply(body=_said(message))
    stream = exchange.wire.stream(exchange, Reply(text=""))
    stream.content = [dumps({"model": "m", "message": message, "done": False}) + b"\n"]
    return stream


@fault("E8.separate-calls", wire=WIRE)
def calls_in_lines_of_their_own(exchange: Exchange) -> Answer:
    """Two calls without ids, one line each when streamed."""
    exchange.given = Reply(
        tool_calls=[
            {"name": "get_weather", "arguments": {"city": "Paris"}},
            {"name": "get_time", "arguments": {"zone": "CET"}},
        ]
    )
    return exchange.wire.handle(exchange)
