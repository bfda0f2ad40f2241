"""Streams through a route: free hops before the first content, announced recovery behind it."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from hb_routing import fallback
from heavenbase.errors import FallbackExhausted, FallbackWarning, StreamInterrupted
from heavenbase.types import Chunk

from .support import House

WORDS = ["one ", "two ", "three ", "four"]


def chunks_of(house: House, route: Any, is_async: bool, **options: Any) -> list[Chunk]:
    llm = house.routed(route)
    if not is_async:
        return list(llm.stream("hi", include="chunk", **options))

    async def gather() -> list[Chunk]:
        return [chunk async for chunk in llm.astream("hi", include="chunk", **options)]

    return asyncio.run(gather())


def cut(house: House, name: str = "one", tokens: int = 2) -> None:
    """The stream of a server breaks behind so many pieces."""
    house.servers[name].reply("".join(WORDS), chunks=WORDS)
    house.servers[name].strike(f"E2.{tokens}", name)


BOTH = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


@BOTH
@pytest.mark.parametrize("fault", ["E3.before", "E1.before", "S5.503"])
def test_e3_before_the_first_content_a_hop_is_free_and_silent(house: House, fault: str, is_async: bool) -> None:
    house.servers["one"].strike(fault, "one")
    house.servers["two"].reply("hello")
    with pytest.warns(FallbackWarning, match="in the place of one/m"):
        found = chunks_of(house, ["one/m", "two/m"], is_async)
    assert "".join(chunk.text for chunk in found) == "hello"
    assert {chunk.kind for chunk in found} == {"delta"}


@BOTH
def test_e2_after_content_a_stream_fails_by_default_with_what_came(house: House, is_async: bool) -> None:
    cut(house)
    with pytest.raises(StreamInterrupted) as caught:
        chunks_of(house, ["one/m", "two/m"], is_async)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "one two "
    assert house.counts() == (1, 0, 0)


@BOTH
def test_e2_restart_announces_that_what_came_is_void(house: House, is_async: bool) -> None:
    cut(house)
    house.servers["two"].reply("whole answer")
    with pytest.warns(FallbackWarning):
        found = chunks_of(house, fallback("one/m", "two/m", stream_fallback="restart"), is_async)
    kinds = [chunk.kind for chunk in found]
    place = kinds.index("restart")
    assert "".join(chunk.text for chunk in found[:place]) == "one two "
    assert "".join(chunk.text for chunk in found[place:]) == "whole answer"
    assert house.servers["two"].requests[0].json["messages"] == [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize("include", ["text", "content", ["text", "usage"], "chunk", "structured"])
@BOTH
def test_every_restart_is_told_where_the_pieces_do_not_show_it(
    house: House, is_async: bool, include: Any, caplog: pytest.LogCaptureFixture
) -> None:
    warnings.simplefilter("ignore", FallbackWarning)
    llm = house.routed(fallback("one/m", "two/m", stream_fallback="restart"))

    async def gather() -> list[Any]:
        return [piece async for piece in llm.astream("hi", include=include)]

    for _ in range(2):
        cut(house)
        asyncio.run(gather()) if is_async else list(llm.stream("hi", include=include))
    told = [record.getMessage() for record in caplog.records if "began again" in record.getMessage()]
    assert len(told) == (0 if include in ("chunk", "structured") else 2)
    assert all('include="chunk"' in text for text in told)


@BOTH
def test_e2_user_turn_goes_on_and_nothing_is_said_twice(house: House, is_async: bool) -> None:
    cut(house)
    house.servers["two"].reply("three four")
    route = fallback("one/m", "two/m", stream_fallback="user_turn", stream_prompt="go on")
    with pytest.warns(FallbackWarning):
        found = chunks_of(house, route, is_async, max_tokens=100)
    assert "".join(chunk.text for chunk in found) == "one two three four"
    assert [chunk.kind for chunk in found].count("continue") == 1
    sent = house.servers["two"].requests[0].json
    assert sent["messages"][-2:] == [{"role": "assistant", "content": "one two "}, {"role": "user", "content": "go on"}]
    limit = sent.get("max_tokens", sent.get("max_completion_tokens"))
    assert 90 <= limit < 100  # less what was spent


@BOTH
def test_the_completion_of_a_stream_that_went_on_is_whole(house: House, is_async: bool) -> None:
    cut(house)
    house.servers["two"].reply("three four")
    llm = house.routed(fallback("one/m", "two/m", stream_fallback="user_turn"))
    names = ["text", "completion"]

    async def ask() -> Any:
        return [item async for item in llm.astream("hi", include=names)]

    with pytest.warns(FallbackWarning):
        items = asyncio.run(ask()) if is_async else list(llm.stream("hi", include=names))
    whole = items[-1]["completion"]
    assert whole.text == "one two three four"
    assert whole.served_by == "two/m"
    assert [hop.outcome for hop in whole.hops] == ["failed", "served"]
    assert [attempt.provider for attempt in whole.attempts] == ["one", "two"]


def test_g19_prefill_is_for_models_that_begin_with_a_given_text(house: House) -> None:
    cut(house)
    house.servers["two"].reply("three four")
    route = fallback("one/m", "two/m", stream_fallback="prefill")
    with pytest.warns(FallbackWarning) as caught:
        chunks_of(house, route, False)
    assert any("does not begin with a given text" in str(warning.message) for warning in caught)
    assert house.servers["two"].requests[0].json["messages"][-1]["role"] == "user"


def test_g19_prefill_sends_the_partial_last_where_the_model_takes_it(house: House) -> None:
    providers = {"two": {"capabilities": {"prefill": True}}}
    house.kernel = house.make(more=providers)
    cut(house)
    house.servers["two"].reply("three four")
    with pytest.warns(FallbackWarning):
        found = chunks_of(house, fallback("one/m", "two/m", stream_fallback="prefill"), False)
    assert house.servers["two"].requests[0].json["messages"][-1] == {"role": "assistant", "content": "one two "}
    assert "".join(chunk.text for chunk in found) == "one two three four"


@pytest.mark.parametrize("mode", ["prefill", "user_turn"])
@pytest.mark.parametrize(
    "options",
    [
        {
            "tools": [
                {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
            ]
        },
        {"n": 2},
    ],
    ids=["tools", "n"],
)
def test_with_tools_or_several_choices_only_a_restart_is_right(
    house: House, mode: str, options: dict[str, Any]
) -> None:
    cut(house)
    house.servers["two"].reply("whole")
    with pytest.warns(FallbackWarning) as caught:
        found = chunks_of(house, fallback("one/m", "two/m", stream_fallback=mode), False, **options)
    assert any("begins again" in str(warning.message) for warning in caught)
    assert [chunk.kind for chunk in found if chunk.kind != "delta"] == ["restart"]


def test_a_second_break_is_recovered_by_a_third_target(house: House) -> None:
    cut(house)
    cut(house, "two", 1)
    house.servers["three"].reply("the end")
    with pytest.warns(FallbackWarning):
        found = chunks_of(house, fallback("one/m", "two/m", "three/m", stream_fallback="restart"), False)
    texts: list[str] = [""]
    for chunk in found:
        if chunk.kind == "restart":
            texts.append("")
        texts[-1] += chunk.text
    assert texts == ["one two ", "one ", "the end"]


def test_all_failed_before_content_is_exhausted(house: House) -> None:
    for name in ("one", "two"):
        house.servers[name].strike("S5.500", name)
    with pytest.raises(FallbackExhausted) as caught:
        chunks_of(house, ["one/m", "two/m"], False)
    assert (caught.value.kind, len(caught.value.errors)) == ("server", 2)


@BOTH
def test_leaving_a_routed_stream_closes_its_connection(house: House, is_async: bool) -> None:
    house.servers["one"].reply("".join(WORDS * 50), chunks=WORDS * 50, pause=0.01)
    llm = house.llm("one/m", "two/m")
    if is_async:

        async def leave() -> None:
            stream = llm.astream("hi")
            async for _ in stream:
                break
            await stream.aclose()  # type: ignore[attr-defined]

        asyncio.run(leave())
    else:
        for _ in llm.stream("hi"):
            break
    house.servers["one"].wait_for(lambda server: server.connections == 0)


ASKS: dict[str, Callable[[Any], Any]] = {
    "chat": lambda llm: llm.chat("hi", stream_chat=True),
    "stream": lambda llm: "".join(llm.stream("hi")),
}


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_a_restart_of_a_stream_that_is_gathered_loses_nothing(house: House, ask: Callable[[Any], Any]) -> None:
    cut(house)
    house.servers["two"].reply("whole")
    with pytest.warns(FallbackWarning):
        found = ask(house.routed(fallback("one/m", "two/m", stream_fallback="restart")))
    assert found in ("whole", "one two whole")  # pieces that were shown cannot be taken back; an answer can
