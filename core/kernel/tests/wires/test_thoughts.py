"""Thoughts in tags before a text, however it is cut, and those in a provider's own answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavenbase.types import Chunk
from heavenbase.wires.thoughts import TagFilter, untagged, without_thoughts


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("answer", "answer"),
        ("<think>hm</think>\n\nanswer", "answer"),
        ("\n<think>\nhm\n</think>answer", "answer"),
        ("<thinking>hm</thinking> answer", "answer"),
        ("<think>a</think>\n<think>b</think>\nanswer", "answer"),
        ("<think></think>\n\nanswer", "answer"),
        ("<think>never closed", ""),
        ("<thi", "<thi"),
        ("<p>html</p>", "<p>html</p>"),
        ("  indented", "  indented"),
        ("say <think>x</think>", "say <think>x</think>"),
        ("", ""),
        ("  \n", "  \n"),
        ("<think>a < b </thin k></think>c", "c"),
    ],
)
def test_b9_thoughts_in_tags_are_taken_off_the_beginning(text: str, left: str) -> None:
    assert untagged(text) == left
    for size in (1, 2, 3, 7):
        tags = TagFilter()
        pieces = [tags.feed(text[place : place + size]) for place in range(0, len(text), size)]
        assert "".join(pieces) + tags.flush() == left


@given(st.text(alphabet="<>/think ga\n", max_size=60), st.integers(1, 9))
def test_b9_it_is_the_same_however_the_text_is_cut(text: str, size: int) -> None:
    tags = TagFilter()
    pieces = [tags.feed(text[place : place + size]) for place in range(0, len(text), size)]
    assert "".join(pieces) + tags.flush() == untagged(text)


def test_b9_an_answer_that_begins_again_is_read_again() -> None:
    tags = TagFilter()
    chunks = [Chunk("<think>a"), Chunk(kind="restart"), Chunk("<think>b</think>c", raw={}), Chunk("d", raw={})]
    assert [tags.strip(chunk).text for chunk in chunks] == ["", "", "c", "d"]
    assert tags.is_open


def test_b9_what_was_asked_for_is_no_thought() -> None:
    raw = {"reasoning": {"effort": "low"}, "usage": {"reasoning_tokens": 3}, "content": "<think>x</think>y", "n": [1]}
    assert without_thoughts(raw) == {**raw, "content": "y"}
