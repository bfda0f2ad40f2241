"""Faults that look different on each wire, registered from examples.

    body_faults(
        "acme",
        malformed={"content-null": ({"content": None}, {"delta": None})},
        good=({"content": "hello", "tokens": "@@"}, {"delta": "hello", "tokens": "@@"}),
        errors=(401, 429),
    )

Each example is a whole answer and the one event of a stream. Asked for a stream, all of them put the event there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from hb_testing.server.answers import Answer, Reply, Stream
from hb_testing.server.faults import fault
from hb_testing.server.http import dumps
from hb_testing.server.wire import Exchange

Example = tuple[Any, Any]
NUMBER = "@@"
LITERALS: Mapping[str, bytes] = {"nan": b"NaN", "infinity": b"Infinity", "1e400": b"1e400"}


def body_faults(
    family: str, *, malformed: Mapping[str, Example], good: Example | None = None, errors: Collection[int] = ()
) -> None:
    """Register the faults of a body for wires of a family.

    B1.<name>    for each of `malformed`: an answer without the shape that the provider promises
    B2.<status>  for each of `errors`: the error of that status, in an answer of status 200
    B3.<name>    nan, infinity, 1e400 in place of the text "@@" in `good`
    """
    for name, example in malformed.items():
        fault(f"B1.{name}", wire=family)(partial(_example, example=example))
    for status in errors:
        fault(f"B2.{status}", wire=family)(partial(_error, status=status))
    if good is not None:
        for name, literal in LITERALS.items():
            fault(f"B3.{name}", wire=family)(partial(_example, example=good, number=literal))


def json_content(exchange: Exchange, body: bytes) -> Answer:
    """A body with status 200: whole, or as the only event of a stream."""
    wire = exchange.wire
    if wire.streams(exchange):
        content = [wire.event(body)] if body else []
        return Stream(opening=[], content=content, closing=[], content_type=wire.stream_type)
    return Reply(body=body, headers={"content-type": "application/json"})


def _example(exchange: Exchange, example: Example, number: bytes = b"") -> Answer:
    body = dumps(example[exchange.wire.streams(exchange)])
    return json_content(exchange, body.replace(dumps(NUMBER), number) if number else body)


def _error(exchange: Exchange, status: int) -> Answer:
    wire = exchange.wire
    message = wire.message(status)
    if wire.streams(exchange):
        event = wire.error_event(status, message)
        return Stream(opening=[], content=[event], closing=[], content_type=wire.stream_type)
    return Reply(body=wire.error(status, message).body)
