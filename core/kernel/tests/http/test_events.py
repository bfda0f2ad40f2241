"""Streamed bodies as events: lines of JSON in any pieces, bounded, the last one whole or not at all."""

from __future__ import annotations

import pytest

from heavenbase.errors import EventTooLarge
from heavenbase.http.events import Lines, ServerEvents

BODY = b'{"a":"Gr\xc3\xbc\xc3\x9fe"}\n\n{"b":"\xe2\x80\xa8"}\r\n{"c":1}'


def fed(pieces: list[bytes], limit: int = 1000) -> list[bytes]:
    lines = Lines(limit)
    return [line for piece in pieces for line in lines.feed(piece)] + list(lines.flush())


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_pieces_do_not_matter(step: int) -> None:
    pieces = [BODY[start : start + step] for start in range(0, len(BODY), step)]
    assert [line.strip() for line in fed(pieces)] == [
        b'{"a":"Gr\xc3\xbc\xc3\x9fe"}',
        b'{"b":"\xe2\x80\xa8"}',
        b'{"c":1}',
    ]


def test_half_a_line_at_the_end_is_no_event() -> None:
    assert fed([b'{"a":1}\n{"b":']) == [b'{"a":1}']


def test_a_line_above_the_limit_is_refused_whole_or_in_pieces() -> None:
    with pytest.raises(EventTooLarge):
        fed([b"x" * 11 + b"\n"], limit=10)
    with pytest.raises(EventTooLarge):
        fed([b"x" * 6, b"x" * 6], limit=10)
    assert fed([b"x" * 6 + b"\n" + b"x" * 6 + b"\n"], limit=10) == [b"x" * 6, b"x" * 6]


def test_many_small_pieces_take_linear_time() -> None:
    lines = Lines()
    assert not [line for _ in range(20_000) for line in lines.feed(b"x")]
    assert [len(line) for line in lines.feed(b"\n")] == [20_000]


def test_an_event_that_the_end_cuts_off_is_none() -> None:
    events = ServerEvents()
    assert list(events.feed(b"data: one\r\n\r\ndata: tw")) == [b"one"]
    assert list(events.flush()) == []
