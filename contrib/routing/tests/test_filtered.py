"""`on = ["content_filter"]`: providers tell of a filter by an error or by how an answer ends, and both go on."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import pytest

from hb_routing import balance, cascade, fallback
from heavenbase.errors import ContentFiltered, FallbackExhausted, FallbackWarning
from heavenbase.types import Chunk

from .support import House, colours

ON: dict[str, Any] = {"on": ["content_filter"]}
REJECTED = "it ended with content_filter"


@pytest.fixture(autouse=True)
def quiet() -> None:
    warnings.simplefilter("ignore", FallbackWarning)


def filtered(house: House, *names: str, text: str = "") -> None:
    for name in names:
        house.servers[name].reply(text, finish_reason="content_filter")


@pytest.mark.parametrize("form", range(4))
@pytest.mark.parametrize("word", ["content_filter", "content_filtered", ContentFiltered])
def test_a_filtered_answer_is_followed_by_the_next_target(house: House, word: Any, form: int) -> None:
    filtered(house, "one")
    llm = house.routed(fallback("one/m", "two/m", on=[word]))
    assert list(colours(house, llm))[form]()
    assert house.counts() == (1, 1, 0)


def test_it_is_told_as_rejected_and_paid_for(house: House) -> None:
    filtered(house, "one", text="so far")
    answer = house.routed(fallback("one/m", "two/m", **ON)).complete("hi")
    assert [(hop.target, hop.outcome, hop.reason) for hop in answer.hops] == [
        ("one/m", "rejected", REJECTED),
        ("two/m", "served", ""),
    ]
    first, second = answer.attempts
    assert first.rejected == REJECTED
    assert first.usage is not None
    assert second.usage is not None
    assert answer.usage is not None
    assert answer.usage.total_tokens == first.usage.total_tokens + second.usage.total_tokens


def test_what_a_filtered_stream_cost_stands_with_its_attempt(house: House) -> None:
    filtered(house, "one")
    llm = house.routed(fallback("one/m", "two/m", **ON))
    *_, end = llm.stream("hi", include=["text", "completion"], reduce=False)
    answer = end["completion"]
    first, second = answer.attempts
    assert first.rejected == REJECTED
    assert first.usage is not None
    assert answer.usage.total_tokens == first.usage.total_tokens + second.usage.total_tokens


@pytest.mark.parametrize("is_async", [False, True])
def test_a_stream_that_is_filtered_before_content_is_paid_for_too(house: House, is_async: bool) -> None:
    filtered(house, "one")
    llm = house.routed(fallback("one/m", "two/m", **ON))

    async def gather() -> list[Chunk]:
        return [chunk async for chunk in llm.astream("hi", include=["chunk", "completion"], reduce=False)]

    found: Any = asyncio.run(gather()) if is_async else list(llm.stream("hi", include=["chunk", "completion"]))
    answer = found[-1]["completion"]
    assert [hop.outcome for hop in answer.hops] == ["rejected", "served"]
    assert [attempt.rejected for attempt in answer.attempts] == [REJECTED, None]
    assert answer.usage.total_tokens > answer.attempts[1].usage.total_tokens


def test_behind_content_a_filter_ends_the_stream(house: House) -> None:
    filtered(house, "one", text="so far")
    pieces = list(house.routed(fallback("one/m", "two/m", **ON)).stream("hi", include="chunk"))
    assert "".join(piece.text for piece in pieces) == "so far"
    assert any(piece.finish_reason == "content_filter" for piece in pieces)
    assert house.counts() == (1, 0, 0)


@pytest.mark.parametrize("on", [None, ["server"]])
def test_without_the_word_a_filtered_answer_is_an_answer(house: House, on: Any) -> None:
    filtered(house, "one")
    assert house.routed(fallback("one/m", "two/m", on=on)).complete("hi").finish_reason == "content_filter"
    assert house.counts() == (1, 0, 0)


@pytest.mark.parametrize("is_stream", [False, True])
def test_where_all_are_filtered_the_last_answer_is_not_lost(house: House, is_stream: bool) -> None:
    filtered(house, "one", "two")
    llm = house.routed(fallback("one/m", "two/m", **ON))
    with pytest.raises(FallbackExhausted, match=rf"one/m: {REJECTED}; two/m: {REJECTED}") as caught:
        list(llm.stream("hi")) if is_stream else llm.chat("hi")
    assert caught.value.partial is not None
    assert caught.value.partial.finish_reason == "content_filter"


def test_the_last_tier_of_a_cascade_gives_what_it_has(house: House) -> None:
    filtered(house, "one", "two")
    llm = house.routed(cascade("one/m", "two/m", **ON))
    assert llm.complete("hi").finish_reason == "content_filter"
    assert house.counts() == (1, 1, 0)


@pytest.mark.parametrize("form", range(4))
def test_a_route_around_another_goes_on_too(house: House, form: int) -> None:
    filtered(house, "one")
    llm = house.routed(fallback(balance("one/m"), "two/m", **ON))
    assert list(colours(house, llm))[form]()
    assert house.counts() == (1, 1, 0)


@pytest.mark.parametrize("form", range(4))
def test_an_error_of_the_filter_goes_on_as_before(house: House, form: int) -> None:
    house.servers["one"].reply("the content filter refused it", status=400)
    llm = house.routed(fallback("one/m", "two/m", **ON))
    assert list(colours(house, llm))[form]()
    assert house.counts() == (1, 1, 0)
