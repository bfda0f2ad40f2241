"""The cases of one wire and verb: good answers, broken in every place once, and in many ways by chance."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from hb_testing.server import event_frames
from tests.fuzz import mutations, samples
from tests.fuzz.wires import Sample, Wire

EVENT_TYPES = {"bedrock": "application/vnd.amazon.eventstream", "ollama": "application/x-ndjson"}


@dataclass(frozen=True)
class Case:
    """One broken answer. `how` says what was done; it says the same as its `origin`, if it has one."""

    how: str
    sample: Sample
    origin: Sample | None = None
    is_json: bool = True


def all_samples(wire: Wire, verb: str, made: Sequence[Sample]) -> list[Sample]:
    """The good answers of a verb: as the server makes them, those built in, and recorded ones where there are any."""
    found = list(made)
    if verb not in ("chat", "stream"):
        return found
    for body in samples.built_in(wire.name, verb):
        if verb == "chat":
            found.append(Sample(verb, json.dumps(body, ensure_ascii=False).encode()))
        else:
            found.append(_stream(wire, body))
    for data in samples.recorded(wire.name):
        events = list(cut(wire, data))
        if (len(events) > 1 or not data.startswith(b"{")) == (verb == "stream"):
            found.append(_stream(wire, events) if verb == "stream" else Sample(verb, data))
    return found


def _stream(wire: Wire, events: Sequence[bytes]) -> Sample:
    return Sample("stream", events=tuple(events), content_type=EVENT_TYPES.get(wire.name, "text/event-stream"))


def cut(wire: Wire, data: bytes) -> Iterator[bytes]:
    """The events of a recorded stream, as they are framed."""
    if wire.name == "bedrock" and data.startswith(b"\x00"):
        while data:
            size = struct.unpack(">I", data[:4])[0]
            yield data[:size]
            data = data[size:]
    elif data.startswith(b"{"):
        yield from data.splitlines(keepends=True)
    else:
        pieces = data.replace(b"\r\n", b"\n").split(b"\n\n")
        yield from (piece + b"\n\n" for piece in pieces if piece)


def cases(wire: Wire, found: Sequence[Sample], random: Random, count: int) -> Iterator[Case]:
    """So many cases: by turns one that breaks one place of one sample, and one that is left to chance."""
    places = [(n, place) for n, sample in enumerate(found) for place in _places(wire, sample)]
    random.shuffle(places)
    for number in range(count):
        if number % 2 and places:
            which, place = places.pop()
            yield _systematic(wire, found[which], place)
        else:
            yield _by_chance(wire, random.choice(found), random)


# In every place


def _places(wire: Wire, sample: Sample) -> Iterator[tuple[Any, ...]]:
    """Every place of a sample, and what to do there."""
    if sample.events:
        for number, event in enumerate(sample.events):
            held = _decoded(wire, event)
            yield from (("event", number, path, which) for path, which in mutations.swaps(held) if held is not None)
            yield from (("drop", number), ("double", number), ("end", number), ("glue", number))
        yield from (("cut", place) for place in range(0, sum(map(len, sample.events)), 7))
    else:
        yield from (("body", path, which) for path, which in mutations.swaps(sample.decoded))
        yield from (("cut", place) for place in range(0, len(sample.body), 11))


def _systematic(wire: Wire, sample: Sample, place: tuple[Any, ...]) -> Case:
    kind, *where = place
    how = f"{kind} {where}"
    if kind == "body":
        return Case(how, replace(sample, body=mutations.dumps(mutations.swap(sample.decoded, *where))))
    if kind == "cut" and not sample.events:
        return Case(how, replace(sample, body=sample.body[: where[0]]), is_json=False)
    events, number = list(sample.events), where[0]
    if kind == "event":
        held = _decoded(wire, events[number])
        events[number] = _encoded(wire, events[number], mutations.dumps(mutations.swap(held, *where[1:])))
    elif kind == "drop":
        del events[number]
    elif kind == "double":
        events.insert(number, events[number])
    elif kind == "end":
        events = events[:number]
    elif kind == "glue":
        events[number] = events[number].rstrip(b"\r\n")
    else:
        events = [b"".join(events)[:number]]
    return Case(how, replace(sample, events=tuple(events) or (b"",)))


# By chance


def _by_chance(wire: Wire, sample: Sample, random: Random) -> Case:
    if not sample.events:
        if random.random() < 0.15:
            return Case("damage", replace(sample, body=mutations.damaged(sample.body, random)))
        value = mutations.spoilt(sample.decoded, random, wire.words)
        return Case("spoil", replace(sample, body=mutations.dumps(value)), is_json=mutations.is_json(value))
    events = list(sample.events)
    kind = random.choice(("spoil", "spoil", "spoil", "spoil", "order", "damage", "type", "name", "pieces", "neutral"))
    if wire.name == "bedrock" and kind in ("name", "neutral"):
        kind = "frame"
    if kind == "spoil":
        for _ in range(random.choice((1, 1, 2, 3))):
            number = random.randrange(len(events))
            held = _decoded(wire, events[number])
            spoilt = mutations.spoilt({} if held is None else held, random, wire.words)
            events[number] = _encoded(wire, events[number], mutations.dumps(spoilt))
    elif kind == "order":
        events = mutations.disordered(events, random)
    elif kind == "damage":
        events = [mutations.damaged(b"".join(events), random)]
    elif kind == "type":
        types = ("application/json", "text/html; charset=utf-8", "", "text/plain", "application/octet-stream", "a/b")
        return Case(kind, replace(sample, content_type=random.choice(types)))
    elif kind == "name":
        number, name = random.randrange(len(events)), random.choice((*wire.words, "error", "ping", "", "\x00"))
        events[number] = b"event: " + name.encode() + b"\n" + events[number]
    elif kind == "frame":
        number = random.randrange(len(events))
        events[number] = mutations.reframed(events[number], random)
    elif kind == "pieces":
        size = random.choice((1, 2, 5, 1000))
        data = b"".join(events)
        events = [data[place : place + size] for place in range(0, len(data), size)]
        return Case(kind, replace(sample, events=tuple(events)), origin=sample)
    else:
        return Case("neutral", replace(sample, events=tuple(_neutral(wire, events, random))), origin=sample)
    return Case(kind, replace(sample, events=tuple(event for event in events if event) or (b"\n",)))


def _neutral(wire: Wire, events: list[bytes], random: Random) -> list[bytes]:
    """The same stream, said in another way that the format allows."""
    if wire.name == "ollama":
        return [event.replace(b"\n", b"\r\n") if random.random() < 0.5 else b"\n" + event for event in events]
    change = random.randrange(6)
    if change == 0:
        return [b"\xef\xbb\xbf" + events[0], *events[1:]]
    if change in (1, 2):
        return [event.replace(b"\n", (b"\r\n", b"\r")[change - 1]) for event in events]
    if change == 3:
        return [piece for event in events for piece in (b": keep alive\n\n", event, b":\n")]
    if change == 4:
        return [b"retry: 10\nid: 7\nx: y\n" + event for event in events]
    return [event.replace(b"data: ", b"data:") for event in events]


def _decoded(wire: Wire, event: bytes) -> Any:
    """What an event says; None where that is no JSON."""
    if wire.name == "bedrock":
        said = next(iter(event_frames.decode(event)))[1]
    else:
        said = event.partition(b"data:")[2] if b"data:" in event else event
    try:
        return json.loads(said)
    except (ValueError, RecursionError):
        return None


def _encoded(wire: Wire, event: bytes, said: bytes) -> bytes:
    """The event with something else in it."""
    if wire.name == "bedrock":
        return event_frames.encode(next(iter(event_frames.decode(event)))[0], said)
    if wire.name == "ollama":
        return said + b"\n"
    head, _, _ = event.partition(b"data:")
    return head.lstrip(b":") + b"data: " + said + b"\n\n"
