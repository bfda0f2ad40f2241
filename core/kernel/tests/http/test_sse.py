"""The event-stream parser: the standard's vectors, any cut of the bytes, bounds, linear time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hb_testing.server import SSE_VECTORS
from heavenbase.errors import EventTooLarge
from heavenbase.http.events import ServerEvents

GOOD = (
    '\ufeff: hello\nid: 7\ndata: {"a": "ü€😀\u2028"}\n\n'
    "event: ping\ndata: 1\ndata: 2\n\n:keepalive\n\ndata\n\ndata: [DONE]\n\n"
).encode()
EVENTS = ['{"a": "ü€😀\u2028"}'.encode(), b"1\n2", b"", b"[DONE]"]


def parse(*pieces: bytes) -> list[bytes]:
    parser = ServerEvents()
    return [event for piece in pieces for event in parser.feed(piece)]


@pytest.mark.parametrize("name", sorted(SSE_VECTORS))
@pytest.mark.parametrize("step", [None, 1, 2, 3])
def test_vectors_of_the_standard(name: str, step: int | None) -> None:
    vector = SSE_VECTORS[name]
    stream = vector.stream
    parser = ServerEvents()
    pieces = [stream] if step is None else [stream[at : at + step] for at in range(0, len(stream), step)]
    found = [event for piece in pieces for event in parser.feed(piece)]
    assert [event.decode("utf-8", "replace") for event in found] == [event.data for event in vector.events]


@pytest.mark.parametrize("newline", [b"\n", b"\r", b"\r\n"])
def test_every_cut_into_two_gives_the_same_events(newline: bytes) -> None:
    stream = GOOD.replace(b"\n", newline)
    for at in range(len(stream) + 1):
        assert parse(stream[:at], stream[at:]) == EVENTS


@given(
    lines=st.lists(
        st.sampled_from(
            [b"data: x", b"data:y", b"data", b"id: 1", b"id: 2\0", b"event: e", b": c", b"", b"", b"retry: 5", b"zz: 1"]
        ),
        max_size=30,
    ),
    ends=st.lists(st.sampled_from([b"\n", b"\r", b"\r\n"]), min_size=30, max_size=30),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_events_do_not_depend_on_the_cuts(lines: list[bytes], ends: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(line + end for line, end in zip(lines, ends, strict=False))
    places = sorted({min(cut, len(stream)) for cut in cuts})
    pieces = [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
    expected = parse(stream)
    assert parse(*pieces) == expected
    assert parse(*(bytes((byte,)) for byte in stream)) == expected


def test_an_event_leaves_with_its_last_byte() -> None:
    parser = ServerEvents()
    assert parser.feed(b"data: 1\r\n\r") == [b"1"]
    assert parser.feed(b"\ndata: 2\r\r") == [b"2"]


def test_what_no_blank_line_closes_is_no_event() -> None:
    assert parse(b"data: 1\n\ndata: 2\n") == [b"1"]


def test_invalid_utf8_is_kept() -> None:
    assert parse(b"data: caf\xe9\n\n") == [b"caf\xe9"]


@pytest.mark.parametrize("step", [7, 1000])
def test_a_line_without_an_end_is_too_large(step: int) -> None:
    parser = ServerEvents(limit=10_000)
    for _ in range(10_000 // step):
        parser.feed(b"x" * step)
    with pytest.raises(EventTooLarge, match="10,000 bytes"):
        parser.feed(b"x" * step)


def test_an_event_of_many_lines_is_too_large() -> None:
    parser = ServerEvents(limit=1000)
    with pytest.raises(EventTooLarge):
        parser.feed(b"data: 1234567890\n" * 100)


def test_a_whole_event_above_the_limit_is_too_large() -> None:
    with pytest.raises(EventTooLarge):
        ServerEvents(limit=100).feed(b"data: " + b"x" * 200 + b"\n\n")


def test_a_large_event_in_small_pieces_takes_linear_time() -> None:
    def seconds(size: int) -> float:
        parser = ServerEvents()
        piece = b"x" * 512
        started = time.process_time()
        parser.feed(b"data: ")
        for _ in range(size // len(piece)):
            parser.feed(piece)
        [event] = parser.feed(b"\n\n")
        assert len(event) == size // 512 * 512
        return time.process_time() - started

    seconds(100_000)
    once, fourfold = min(seconds(500_000) for _ in range(3)), min(seconds(2_000_000) for _ in range(3))
    assert fourfold < 4 * once * 3 + 0.01
