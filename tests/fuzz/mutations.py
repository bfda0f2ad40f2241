"""Answers of a provider, broken on purpose: values of JSON, the events of a stream, frames. Each from a seeded random.

A body or event is a value of JSON, with two things that JSON has not: `Raw` stands for itself, `Pairs` is an object
whose names may stand twice.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from hb_testing.server import event_frames

Path = tuple[Any, ...]


class Raw(str):
    """Text that is written as it is."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object, pair by pair."""


ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    7,
    1.5,
    2**63,
    10**400,
    1e308,
    "",
    "x",
    " ",
    "null",
    "\ud800",
    "a\x00b\u2028\x1b[31m\u202e",
    "{}",
    '{"a": 1, "a": 2}',
    [],
    [None],
    ["x"],
    [[]],
    [{}],
    {},
    {"a": 1},
    {"type": "text", "text": "x"},
    {"message": ["x"], "code": {}},
)
"""What may stand in any place."""
NOT_JSON: tuple[Raw, ...] = (
    *map(
        Raw,
        (
            "NaN",
            "Infinity",
            "-Infinity",
            "1e400",
            "-1e999",
            "01",
            "+1",
            "'x'",
            "undefined",
            "[1,]",
            "{a:1}",
            "9" * 400 + ".5",
            "9" * 5000,
        ),
    ),
    Raw("[" * 100_000 + "]" * 100_000),
    Raw('{"a":' * 5000 + "1" + "}" * 5000),
)
"""What no answer may hold: such an answer is an error, wherever that stands."""
LAWFUL = (Raw("[" * 150 + "]" * 150), Raw("-0"), Raw("1E5"), Raw('"\\ud83d\\ude00"'), Raw('"\\udc00\\ud800"'))


def dumps(value: Any) -> bytes:
    """The JSON of a value, with what stands for itself."""
    return _dumps(value).encode()


def _dumps(value: Any) -> str:
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict | Pairs):
        pairs = value if isinstance(value, Pairs) else value.items()
        return "{" + ",".join(f"{_text(name)}:{_dumps(held)}" for name, held in pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dumps, value)) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    written = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if any("\ud800" <= letter <= "\udfff" for letter in written) else written


# Values


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Where anything stands in a value, itself first."""
    yield at
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, held in items:
        yield from paths(held, (*at, name))


def at(value: Any, path: Path) -> Any:
    """What stands there."""
    for name in path:
        value = value[name]
    return value


def replaced(value: Any, path: Path, new: Any) -> Any:
    """The value with another one in that place."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def without(value: Any, path: Path) -> Any:
    """The value without what stands there."""
    held = at(value, path[:-1])
    copy = dict(held) if isinstance(held, dict) else list(held)
    del copy[path[-1]]
    return replaced(value, path[:-1], copy)


def swaps(value: Any) -> list[tuple[Path, int]]:
    """Every place of a value, with every odd thing that may stand there; the last number takes the place away."""
    return [(path, which) for path in paths(value) for which in range(len(ODD) + (path != ()))]


def swap(value: Any, path: Path, which: int) -> Any:
    """One of them."""
    return without(value, path) if which == len(ODD) else replaced(value, path, ODD[which])


def spoilt(value: Any, random: Random, words: Sequence[str]) -> Any:
    """The value with some changes; `words` are names that a reader may look for."""
    for _ in range(random.choice((1, 1, 1, 2, 3, 5))):
        if not isinstance(value, dict | list):
            return value
        value = _changed(value, random, words)
    return value


def _changed(value: Any, random: Random, words: Sequence[str]) -> Any:
    path = random.choice([path for path in paths(value) if not _is_final(value, path)])
    held = at(value, path)
    change = random.randrange(10)
    if change == 0 and path:
        return without(value, path)
    if change == 1:
        return replaced(value, path, [held] if random.random() < 0.5 else {random.choice(words): held})
    if change == 2 and isinstance(held, dict):
        return replaced(value, path, {**held, random.choice(words): _grown(random, words)})
    if change == 3 and isinstance(held, dict) and held:
        renamed = {(random.choice(words) if random.random() < 0.3 else name): it for name, it in held.items()}
        return replaced(value, path, renamed)
    if change == 4 and isinstance(held, list):
        return replaced(value, path, random.choice((held * 2, held[::-1], [*held, _grown(random, words)], held[:1])))
    if change == 5 and isinstance(held, dict):
        return replaced(value, path, list(held.values()))
    if change == 6 and isinstance(held, list):
        return replaced(value, path, held[0] if held else {})
    if change == 7:
        return replaced(value, path, random.choice((*NOT_JSON, *LAWFUL)))
    if change == 8 and isinstance(held, dict) and held:
        name = random.choice(list(held))
        return replaced(value, path, Pairs([*held.items(), (name, random.choice(ODD))]))
    return replaced(value, path, random.choice(ODD) if random.random() < 0.6 else _grown(random, words))


def _is_final(value: Any, path: Path) -> bool:
    return any(isinstance(at(value, path[:end]), Pairs | Raw) for end in range(len(path)))


def _grown(random: Random, words: Sequence[str], depth: int = 0) -> Any:
    """Some value, with names in it that a reader may look for."""
    kind = random.randrange(5) if depth < 4 else 0
    if kind < 2:
        return random.choice(ODD) if random.random() < 0.7 else random.choice(words)
    if kind == 2:
        return [_grown(random, words, depth + 1) for _ in range(random.randrange(1, 3))]
    return {random.choice(words): _grown(random, words, depth + 1) for _ in range(random.randrange(1, 5))}


def is_json(value: Any) -> bool:
    """Whether nothing stands in a value that no JSON has."""
    if isinstance(value, Raw):
        return value in LAWFUL
    if isinstance(value, Pairs):
        return all(is_json(held) for _, held in value)
    if isinstance(value, dict):
        return all(map(is_json, value.values()))
    return all(map(is_json, value)) if isinstance(value, list) else True


# Bytes


def damaged(body: bytes, random: Random) -> bytes:
    """Bytes with a cut, a hole, or other bytes in some place."""
    if not body:
        return b"\x00"
    place = random.randrange(len(body))
    end = min(len(body), place + random.choice((1, 1, 2, 9, 60)))
    noise = random.choice((b"\xff", b"\xe2\x82", b"\x00", b"\n", b"\r", b"\n\n", b'"', b"}", b"{", b"\xef\xbb\xbf"))
    return random.choice(
        (
            body[:place],
            body[place:],
            body[:place] + body[end:],
            body[:place] + noise + body[place:],
            body[:place] + noise + body[end:],
            body[:place] + body[place:end] * 2 + body[end:],
            body + body[place:],
        )
    )


# Streams


def disordered(events: Sequence[bytes], random: Random) -> list[bytes]:
    """The events of a stream dropped, doubled, in another order, or as one."""
    found = list(events)
    for _ in range(random.choice((1, 1, 2, 4))):
        if not found:
            return found
        place, other = random.randrange(len(found)), random.randrange(len(found))
        change = random.randrange(6)
        if change == 0:
            del found[place]
        elif change == 1:
            found.insert(place, found[place])
        elif change == 2:
            found[place], found[other] = found[other], found[place]
        elif change == 3:
            found = found[:place]
        elif change == 4:
            found = [*found, *found[place:]]
        else:
            found[place] = found[place].rstrip(b"\r\n")
    return found


def reframed(frame: bytes, random: Random) -> bytes:
    """A frame of Amazon's with a wrong length, checksum or header."""
    headers, payload = next(iter(event_frames.decode(frame)))
    change = random.randrange(12)
    size = random.choice((0, 1, 11, 15, 16, len(frame) - 1, len(frame) + 1, 2**24 + 1, 2**31, 2**32 - 1))
    if change == 0:
        return struct.pack(">I", size) + frame[4:]
    if change == 1:
        return event_frames.prelude(size, struct.unpack(">I", frame[4:8])[0]) + frame[12:]
    if change == 2:
        return event_frames.prelude(len(frame), size) + frame[12:]
    if change == 3:
        return frame[:-4] + bytes(random.randrange(256) for _ in range(4))
    if change == 4:
        return _sealed(random.randbytes(random.randrange(1, 40)), payload)
    if change == 5:
        kind = random.randrange(11)
        held = (
            b"",
            b"",
            b"\x01",
            b"\x00\x01",
            b"\x00" * 4,
            b"\x00" * 8,
            b"\x00\x02ab",
            b"\x00\x02\xff\xfe",
            b"\x00" * 8,
        )
        value = held[kind] if kind < len(held) else b"\x00" * 16
        return _sealed(b"\x0b:event-type" + bytes((kind,)) + value, payload)
    if change == 6:
        return event_frames.encode(
            {**headers, ":message-type": random.choice(("", "error", "exception", "x"))}, payload
        )
    if change == 7:
        return event_frames.encode({**headers, ":event-type": random.choice(("", "x", "chunk", "metadata"))}, payload)
    if change == 8:
        left = dict(headers)
        left.pop(random.choice(list(left)))
        return event_frames.encode(left, payload)
    if change == 9:
        return event_frames.encode(headers, damaged(payload, random))
    if change == 10:
        return event_frames.exception(random.choice(("throttlingException", "x", "")), payload)
    return damaged(frame, random)


def _sealed(headers: bytes, payload: bytes) -> bytes:
    begun = event_frames.prelude(16 + len(headers) + len(payload), len(headers)) + headers + payload
    return begun + struct.pack(">I", zlib.crc32(begun))
