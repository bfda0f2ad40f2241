"""Thoughts in tags before a text, however it is cut, and those in a provider's own answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavenbase.details import Details
from heavenbase.types import Choice, ChoiceDelta, Chunk, Citation, Completion, TokenLogprob
from heavenbase.wires.thoughts import TagFilter, strip_tags, untagged, without_thoughts


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


def test_b9_places_and_tokens_are_those_of_the_text_that_is_left() -> None:
    tagged = ["<think>", "so", "</think>", "\n\n", "Hello", " there"]
    cited, other = Citation(19, 24, url="https://a.example"), Choice(1, "<think>x</think>ho")
    tokens = [TokenLogprob(it, -1.0) for it in tagged]
    whole = Completion("".join(tagged), details=Details(citations=[cited], logprobs=tokens, others=[other]), raw={})
    strip_tags(whole)
    assert whole.text == "Hello there"
    assert (whole.citations[0].start, whole.citations[0].end) == (0, 5)
    assert [it.token for it in whole.logprobs] == ["Hello", " there"]
    assert [it.text for it in whole.choices] == ["Hello there", "ho"]

    tags, gathered = TagFilter(), []
    for piece, token in zip(tagged, tokens, strict=True):
        others = [ChoiceDelta("<think>x</think>ho", index=1)] if piece == "so" else []
        gathered.append(tags.strip(Chunk(piece, details=Details(logprobs=[token], others=others))))
    gathered.append(tags.strip(Chunk(finish_reason="stop", details=Details(citations=[cited]))))
    assert "".join(it.text for it in gathered) == "Hello there"
    assert [token.token for it in gathered for token in it.logprobs] == ["Hello", " there"]
    assert [it.text for chunk in gathered for it in chunk.choices] == ["ho"]
    assert gathered[-1].citations == whole.citations
    assert not tags.is_done
