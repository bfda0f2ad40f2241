"""Faults of the body: B1 wrong shape, B2 error in a 200, B3 hostile JSON, B4 bombs, B5 huge tool arguments.

Asked for a stream, they put the same JSON into the one event of a stream.
"""

from __future__ import annotations

import functools
import json
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from hb_testing.server import openai_chat as chat
from hb_testing.server.answers import Answer, Reply, Step
from hb_testing.server.faults import argument, fault
from hb_testing.server.faults_wire import json_content
from hb_testing.server.http import chunk, dumps, head
from hb_testing.server.wire import FAULT_TEXT, Exchange

_MEGABYTE = 1_000_000
_DEEP = 100_000
_PIECE = 64 * 1024
_PAGE = "<!DOCTYPE html><html><body><h1>Welcome to the captive portal</h1></body></html>"


@fault("B1.html")
def html(exchange: Exchange) -> Answer:
    """200 with an HTML page."""
    return Reply(body=_PAGE, headers={"content-type": "text/html"})


@fault("B1.empty")
def empty(exchange: Exchange) -> Answer:
    """200 with no body at all."""
    return json_content(exchange, b"")


@fault("B1.invalid-json")
def invalid_json(exchange: Exchange) -> Answer:
    """JSON that stops in the middle."""
    return json_content(exchange, b'{"id":"x","object":"chat.completion","choices":[{"index":0,')


@fault("B1.invalid-utf8")
def invalid_utf8(exchange: Exchange) -> Answer:
    """Good JSON but for one byte that is not UTF-8."""
    return json_content(exchange, dumps(_answer(exchange, "caf@")).replace(b"@", b"\xe9"))


def _choices(exchange: Exchange, change: Callable[[dict[str, Any]], object]) -> Answer:
    whole = _answer(exchange, FAULT_TEXT)
    change(whole)
    return json_content(exchange, dumps(whole))


fault("B1.choices-null", wire="openai")(partial(_choices, change=lambda whole: whole.update(choices=None)))
fault("B1.choices-empty", wire="openai")(partial(_choices, change=lambda whole: whole.update(choices=[])))
fault("B1.choices-missing", wire="openai")(partial(_choices, change=lambda whole: whole.pop("choices")))
fault("B1.message-null", wire="openai")(
    partial(_choices, change=lambda whole: whole["choices"][0].update(dict.fromkeys(("message", "delta"))))
)


def _error_inside(exchange: Exchange, status: int) -> Answer:
    return json_content(exchange, dumps({"error": {"code": status, "message": exchange.wire.message(status)}}))


for _status in (401, 429, 502, 503):
    fault(f"B2.{_status}", wire="openai")(partial(_error_inside, status=_status))


@fault("B3.depth")
def deep(exchange: Exchange) -> Answer:
    """Arrays nested 100,000 deep (or as deep as the argument says)."""
    levels = argument(exchange, 0, _DEEP)
    return json_content(exchange, b'{"id":"x","choices":' + b"[" * levels + b"]" * levels + b"}")


def _literal(exchange: Exchange, literal: bytes) -> Answer:
    whole = _answer(exchange, FAULT_TEXT) | {
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": "@@"}
    }
    return json_content(exchange, dumps(whole).replace(b'"@@"', literal))


for _name, _written in (("nan", b"NaN"), ("infinity", b"Infinity"), ("1e400", b"1e400")):
    fault(f"B3.{_name}", wire="openai")(partial(_literal, literal=_written))


def _text(exchange: Exchange, text: str) -> Answer:
    exchange.given = Reply(text=text, chunks=(text,))
    return exchange.wire.handle(exchange)


fault("B3.surrogate")(partial(_text, text="half \ud800 pair"))
fault("B3.nul")(partial(_text, text="a \x00 b"))


@fault("B4.gzip")
def gzip_bomb(exchange: Exchange) -> Answer:
    """Zeros (argument in MB, default 100) compressed about a thousandfold."""
    kind = exchange.wire.stream_type if exchange.wire.streams(exchange) else "application/json"
    bomb = _bomb(argument(exchange, 0, 100))
    return Reply(body=bomb, headers={"content-type": kind, "content-encoding": "gzip"})


@functools.cache
def _bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(_MEGABYTE)
    return b"".join(packer.compress(zeros) for _ in range(megabytes)) + packer.flush()


@fault("B4.endless")
def endless(exchange: Exchange) -> Iterator[Step]:
    """A chunked body that never ends: white space, which starts any JSON and is one line of any stream."""
    kind = exchange.wire.stream_type if exchange.wire.streams(exchange) else "application/json"
    yield head(200, {"content-type": kind, "transfer-encoding": "chunked"})
    piece = chunk(b" " * _PIECE)
    while True:
        yield piece


def _arguments(megabytes: int) -> str:
    return json.dumps({"text": "a" * (megabytes * _MEGABYTE)})


@fault("B5.one", wire="openai")
def huge_arguments(exchange: Exchange) -> Answer:
    """One tool call with 10 MB of arguments (argument: MB) in one piece."""
    return _huge(exchange, pieces=1, megabytes=argument(exchange, 0, 10))


@fault("B5.deltas", wire="openai")
def huge_arguments_in_deltas(exchange: Exchange) -> Answer:
    """One tool call with its arguments in N deltas (arguments: N, default 10,000, and MB, default 10)."""
    return _huge(exchange, pieces=argument(exchange, 0, 10_000), megabytes=argument(exchange, 1, 10))


def _huge(exchange: Exchange, pieces: int, megabytes: int) -> Answer:
    arguments = _arguments(megabytes)
    if not exchange.wire.streams(exchange):
        exchange.given = Reply(tool_calls=[{"id": "call_1", "name": "write", "arguments": arguments}])
        return exchange.wire.handle(exchange)
    opened = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "write", "arguments": ""}}
    rest = [{"index": 0, "function": {"arguments": piece}} for piece in chat.pieces(arguments, pieces)]
    exchange.given = Reply(chunks=[{"tool_calls": [delta]} for delta in (opened, *rest)], finish_reason="tool_calls")
    return exchange.wire.handle(exchange)


def _answer(exchange: Exchange, text: str) -> dict[str, Any]:
    """A good answer as an object: a completion, or its only chunk."""
    part = {"role": "assistant", "content": text}
    streamed = exchange.wire.streams(exchange)
    choice = {"index": 0, "delta" if streamed else "message": part, "finish_reason": None if streamed else "stop"}
    kind = "chat.completion.chunk" if streamed else "chat.completion"
    return {"id": "chatcmpl-fault", "object": kind, "created": chat.CREATED, "model": "m", "choices": [choice]}
