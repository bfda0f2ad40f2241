"""What a provider may write that makes work, by its size, and what is done with it; for test_growth and the bench."""

from __future__ import annotations

import gc
import time
import types
from collections.abc import Callable
from math import log2
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel


class Growing(NamedTuple):
    """An input by its size, what is done with it, and the smallest size that is tried."""

    make: Callable[[int], Any]
    work: Callable[[Any], object]
    size: int


def exponent(growing: Growing, rounds: int = 3) -> float:
    """By which power of the input's size the CPU time grows, from the least times at one and at four sizes."""
    small, large = (least(growing, growing.size * factor, rounds) for factor in (1, 4))
    return log2(large / small) / 2


def least(growing: Growing, size: int, rounds: int) -> float:
    """Seconds of CPU that an input of this size takes, the least of so many."""
    found = growing.make(size)
    gc.collect()
    gc.disable()
    try:
        return min(_timed(growing.work, found) for _ in range(rounds))
    finally:
        gc.enable()


def _timed(work: Callable[[Any], object], given: Any) -> float:
    began = time.thread_time()
    work(given)
    return max(time.thread_time() - began, 1e-6)


# What is done


def _found(text: str) -> object:
    from heavenbase.structured import find_json

    return list(find_json(text))


def _mended(text: str) -> object:
    from heavenbase import LLMToolCallRepair

    return LLMToolCallRepair().arguments(text)


def _grown(text: str) -> object:
    from heavenbase.structured.format import PartialReader, to_format
    from heavenbase.types import Chunk

    reader = PartialReader(to_format("json_object"))
    pieces = [Chunk(text[place : place + 4]) for place in range(0, len(text), 4)]
    return [reader.feed(chunk) for chunk in [*pieces, Chunk(finish_reason="stop")]]


def _assembled(deltas: list[Any]) -> object:
    from heavenbase.gather import ToolCallAssembler

    assembler = ToolCallAssembler()
    for delta in deltas:
        assembler.feed(delta)
    return assembler.calls()


def _deltas(size: int, index: int | None = None, name: str | None = None, ids: bool = False) -> list[Any]:
    from heavenbase.types import ToolCallDelta

    texts = ['{"a": {"b": 1}', *(', "c": {"d": 1}' for _ in range(size)), "}"]
    return [ToolCallDelta(index, f"id{n}" if ids else None, name, text) for n, text in enumerate(texts)]


def _checked(given: tuple[Any, Any]) -> object:
    from heavenbase.schemas.check import problems, without_nulls

    value, schema = given
    return problems(without_nulls(value, schema), schema)


def _converted(depth: int) -> object:
    from heavenbase.structured.format import to_format

    try:
        return to_format(Tree).convert({"root": _nested(depth, "none")})
    except ValueError as error:
        return error


_NAMES = [f"k{number}" for number in range(5)]


def _nested(depth: int, innermost: str = "k4") -> dict[str, Any]:
    value: dict[str, Any] = {"kind": innermost}
    for _ in range(depth - 1):
        value = {"kind": "k4", "child": value}
    return value


def _union(depth: int, innermost: str = "k4") -> tuple[Any, Any]:
    node = {"$ref": "#/$defs/node"}
    kinds: list[Any] = [{"properties": {"child": node, "kind": {"const": name}}} for name in _NAMES]
    schema = {"type": "object", "properties": {"root": node}, "$defs": {"node": {"oneOf": kinds}}}
    return {"root": _nested(depth, innermost)}, schema


class Leaf(BaseModel):
    kind: Literal["k1"]
    child: Node | None = None


class Twig(BaseModel):
    kind: Literal["k2"]
    child: Node | None = None


class Branch(BaseModel):
    kind: Literal["k4"]
    child: Node | None = None


Node = Leaf | Twig | Branch


class Tree(BaseModel):
    root: Node


def _parsed(pieces: list[bytes]) -> object:
    from heavenbase.http import ServerEvents

    events = ServerEvents()
    return [found for piece in pieces for found in events.feed(piece)]


def _lines(pieces: list[bytes]) -> object:
    from heavenbase.http import Lines

    lines = Lines()
    return [found for piece in pieces for found in lines.feed(piece)] + lines.flush()


def _framed(pieces: list[bytes]) -> object:
    from hb_provider_bedrock.frames import FrameReader

    reader = FrameReader()
    return [found for piece in pieces for found in reader.feed(piece)]


def _frames(size: int) -> list[bytes]:
    from hb_testing.server.event_frames import event

    return _cut(event("contentBlockDelta", b'{"delta": {"text": "a word"}}') * size, 100)


def _cut(body: bytes, size: int) -> list[bytes]:
    return [body[place : place + size] for place in range(0, len(body), size)]


def _refused(body: bytes) -> object:
    from heavenbase.http import status_error

    return status_error(_CALL, 500, [], body, wall=time.time)


def _back(messages: list[Any]) -> object:
    import heavenbase as hb

    return hb.LLMSession(hb.LLM("mock"), messages).back(len(messages) // 4)


def _detailed(events: list[Any]) -> object:
    from hb_wire_openai.answers import Thinking
    from hb_wire_openai.streams import ChatStream

    stream = ChatStream(_CALL, Thinking(False, ("reasoning_details",)), lambda error: error)
    return [stream.take(event) for event in events][-1]


_SPEC = types.SimpleNamespace(
    provider="p", model_id="m", gateway="g", api_key=None, gateway_key=None, headers={}, args={}, provider_record={}
)
_CALL: Any = types.SimpleNamespace(spec=_SPEC, target="p/m", messages=[], args={}, inputs=[], secrets=list)


def _details(size: int) -> list[Any]:
    delta = {"reasoning_details": [{"type": "reasoning.text", "index": 0, "text": "a thought "}]}
    choice: Any = {"index": 0, "delta": delta, "finish_reason": None}
    return [*({"choices": [choice]} for _ in range(size)), {"choices": [{"delta": {}, "finish_reason": "stop"}]}]


def _sources(size: int) -> list[dict[str, Any]]:
    """Pieces of an answer that each name a new source, for words whose place is not as it was counted."""
    found = []
    for place in range(size):
        segment = {"startIndex": 9**9, "endIndex": 9**9, "text": f"ü{place}."}
        supports = [{"segment": segment, "groundingChunkIndices": [place]}]
        chunks = [{"web": {"uri": f"https://a.example/{place}"}}]
        found.append({"groundingMetadata": {"groundingChunks": chunks, "groundingSupports": supports}})
    return found


def _cited(pieces: list[dict[str, Any]]) -> object:
    from hb_provider_gemini.details import citations_of

    text = "".join(f"ü{place}." for place in range(len(pieces)))
    found = citations_of(pieces, [{"text": text}])
    assert found[-1].end == len(text)
    return found


def _verdicts(size: int) -> list[Any]:
    from heavenbase.details import Details
    from heavenbase.types import Chunk, FilterResult

    return [Chunk("a", details=Details(filters=[FilterResult(f"c{place}")])) for place in range(size)]


def _told(chunks: list[Any]) -> object:
    from heavenbase.gather import Gathering

    gathering = Gathering()
    gathering.chunks.extend(chunks)
    return gathering.completion(_CALL)


def _gathered(size: int) -> object:
    from heavenbase.gather import Gathering
    from heavenbase.types import Chunk

    gathering = Gathering()
    for _ in range(size):
        gathering.feed(Chunk("a word ", raw={}))
    return gathering.completion(_CALL)


def _turns(size: int) -> list[Any]:
    return [{"role": role, "content": "x"} for _ in range(size) for role in ("user", "assistant")]


GROWING: dict[str, Growing] = {
    "json: a fence and blanks": Growing(lambda n: "```" + " " * n + "x", _found, 50_000),
    "json: fences without an end": Growing(lambda n: "``` json\n" * n, _found, 1_500),
    "json: open brackets": Growing(lambda n: "[1," * n, _found, 2_000),
    "json: open objects": Growing(lambda n: '{"a":' * n, _found, 2_000),
    "json: brackets in prose": Growing(lambda n: "see {x} and [y] " * n, _found, 150),
    "json: escaped quotes, cut": Growing(lambda n: '{"a": "' + '\\"' * n, _mended, 2_000),
    "json: quoted words, cut": Growing(lambda n: '{"a": "' + 'say \\"x\\", ' * n, _mended, 300),
    "json: quotes that nothing escapes": Growing(lambda n: '{"a": "' + 'he "said" x, ' * n + '"}', _mended, 200),
    "json: single quotes": Growing(lambda n: "{'a': '" + "it's " * n + "'}", _mended, 300),
    "json: blanks behind commas": Growing(lambda n: '{"a": [1' + ",   " * n + "]}", _mended, 500),
    "json: parentheses": Growing(lambda n: '{"a": ' + "(" * n + "}", _mended, 800),
    "partial: a long text": Growing(lambda n: '{"a": "' + "a word, " * n + '"}', _grown, 2_000),
    "partial: many fields": Growing(lambda n: '{"a": [' + '{"b": 1}, ' * n + "1]}", _grown, 500),
    "partial: brackets in prose": Growing(lambda n: "see {x} and [y] " * n, _grown, 500),
    "calls: an index": Growing(lambda n: _deltas(n, index=0), _assembled, 3_000),
    "calls: a name each time": Growing(lambda n: _deltas(n, name="f"), _assembled, 1_500),
    "calls: an id each time": Growing(lambda n: _deltas(n, index=0, ids=True), _assembled, 1_500),
    "calls: many calls": Growing(lambda n: _deltas(n, name="f", ids=True), _assembled, 1_500),
    "schema: unique items": Growing(
        lambda n: ([{"a": place} for place in range(n)], {"type": "array", "uniqueItems": True}), _checked, 4_000
    ),
    "schema: a union that fits": Growing(_union, _checked, 12),
    "schema: a union that does not": Growing(lambda n: _union(n, "none"), _checked, 4),
    "schema: a union of pydantic": Growing(lambda n: n, _converted, 8),
    "events: small pieces": Growing(lambda n: _cut(b'data: {"a": 1}\n\n' * n, 7), _parsed, 2_000),
    "events: one long event": Growing(lambda n: _cut(b"data: " + b"x" * n + b"\n\n", 64), _parsed, 200_000),
    "events: comments": Growing(lambda n: _cut(b": keep-alive\n" * n, 13), _parsed, 3_000),
    "lines: small pieces": Growing(lambda n: _cut(b'{"a": 1}\n' * n, 7), _lines, 2_000),
    "lines: one long line": Growing(lambda n: _cut(b'{"a": "' + b"x" * n + b'"}\n', 64), _lines, 200_000),
    "frames: small pieces": Growing(_frames, _framed, 500),
    "errors: titles without an end": Growing(lambda n: b"<title" * n, _refused, 2_500),
    "errors: brackets": Growing(lambda n: b"<" * n, _refused, 15_000),
    "errors: words": Growing(lambda n: b'{"error": {"message": "' + b"model " * n + b'"}}', _refused, 2_500),
    "stream: details of thoughts": Growing(_details, _detailed, 1_500),
    "stream: sources": Growing(_sources, _cited, 500),
    "stream: verdicts": Growing(_verdicts, _told, 2_000),
    "stream: chunks": Growing(lambda n: n, _gathered, 3_000),
    "session: turns back": Growing(_turns, _back, 1_000),
}
