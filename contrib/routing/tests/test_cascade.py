"""Cascades: cheap tiers first, judged; what is rejected is paid for."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import pytest

from hb_routing import Heuristic, cascade, fallback
from heavenbase.errors import (
    AuthError,
    FallbackExhausted,
    FallbackWarning,
    InputError,
    PluginLoadError,
    ServerError,
    StructuredOutputError,
    UnknownNameError,
)
from heavenbase.llm import LLM
from heavenbase.types import Completion, Usage

from .support import House, colours

LONG = "This is an answer of more than five words."


@pytest.mark.parametrize("form", range(4))
def test_h19_an_accepted_cheap_answer_asks_nobody_else(house: House, form: int) -> None:
    house.servers["one"].reply(LONG)
    assert list(colours(house, house.routed(cascade("one/m", "two/m"))))[form]() == LONG
    assert house.counts() == (1, 0, 0)


@pytest.mark.parametrize("form", range(4))
def test_h19_a_rejected_answer_goes_to_the_next_tier(house: House, form: int) -> None:
    house.servers["one"].reply("I cannot help with that, sorry about it.")
    house.servers["two"].reply(LONG)
    assert list(colours(house, house.routed(cascade("one/m", "two/m"))))[form]() == LONG
    assert house.counts() == (1, 1, 0)


def test_h20_the_usage_of_rejected_tiers_counts(house: House) -> None:
    for name, text in (("one", "I don't know what that is."), ("two", LONG)):
        house.servers[name].reply(text, usage={"prompt_tokens": 10, "completion_tokens": 7})
    answer = house.routed(cascade("one/m", "two/m")).complete("hi")
    assert answer.usage == Usage(20, 14, tier="default")
    assert (answer.served_by, answer.model) == ("two/m", "m")
    assert [(a.provider, a.rejected) for a in answer.attempts] == [("one", 'it says "i don\'t know"'), ("two", None)]
    assert [hop.outcome for hop in answer.hops] == ["rejected", "served"]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_h20_the_usage_of_rejected_tiers_counts_where_the_last_one_tells_none(house: House, is_async: bool) -> None:
    house.servers["one"].reply("I don't know what that is.", usage={"prompt_tokens": 10, "completion_tokens": 7})
    house.servers["two"].reply(LONG, usage={})
    llm = house.routed(cascade("one/m", "two/m"))

    async def ask() -> list[Any]:
        return [each async for each in llm.astream("hi", include="completion")]

    [answer] = asyncio.run(ask()) if is_async else list(llm.stream("hi", include="completion"))
    assert answer.usage == Usage(10, 7, tier="default")
    assert [attempt.usage for attempt in answer.attempts] == [Usage(10, 7, tier="default"), Usage()]


def test_h19_the_last_tier_is_not_judged(house: House) -> None:
    house.servers["one"].reply("I cannot do that at all.")
    house.servers["two"].reply("no")
    assert house.routed(cascade("one/m", "two/m")).chat("hi") == "no"


def test_h19_a_failing_tier_goes_to_the_next_and_the_last_error_is_raised(house: House) -> None:
    house.fail("one", 500, 500, 500)
    house.fail("two", 503, 503, 503)
    with pytest.raises(ServerError) as caught:
        house.routed(cascade("one/m", "two/m")).chat("hi")
    assert caught.value.status == 503
    assert [attempt.provider for attempt in caught.value.attempts] == ["one"] * 3 + ["two"] * 3


def test_h20_a_refused_credential_does_not_escalate_unless_asked(house: House) -> None:
    house.fail("one", 401, 401)
    with pytest.raises(AuthError):
        house.routed(cascade("one/m", "two/m")).chat("hi")
    house.servers["two"].reply(LONG)
    other = House(house.servers)
    try:
        assert other.routed(cascade("one/m", "two/m", on=["auth"])).chat("hi") == LONG
    finally:
        other.kernel.close()


def test_h19_no_tiers_is_an_error() -> None:
    with pytest.raises(InputError, match="without targets"):
        cascade()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Completion("a b c d", finish_reason="stop", usage=Usage(1, 4)), "4 tokens"),
        (Completion("a b c d e", finish_reason="stop", usage=Usage(1, 5)), None),
        (Completion("x" * 40, finish_reason="length", usage=Usage(1, 9)), "cut off"),
        (Completion("I DON\u2019T KNOW about these things.", finish_reason="stop", usage=Usage(1, 9)), "i don't know"),
        (Completion("I\u2018m not sure about it.", finish_reason="stop", usage=Usage(1, 9)), "i'm not sure"),
        (Completion("I cannot say.", finish_reason="stop", usage=Usage(1, 9)), "i cannot"),
        (Completion("Well, I can't.", finish_reason="stop", usage=Usage(1, 9)), "i can't"),
        (Completion("I'm unable to do so.", finish_reason="stop", usage=Usage(1, 9)), "unable"),
        (Completion("That is beyond my capabilities.", finish_reason="stop", usage=Usage(1, 9)), "beyond"),
        (Completion("I apologize, but no.", finish_reason="stop", usage=Usage(1, 9)), "apologize"),
        (Completion("42", finish_reason="stop"), None),
    ],
)
def test_h21_the_heuristic_judge(answer: Completion, reason: str | None) -> None:
    found = Heuristic()(None, answer)  # type: ignore[arg-type]
    assert (found is None) if reason is None else (found is not None and reason in found)


def test_h21_a_tool_call_will_do_even_where_the_answer_was_cut() -> None:
    from heavenbase.types import ToolCall

    answer = Completion("", finish_reason="length", tool_calls=[ToolCall("1", "f")], usage=Usage(1, 1))
    assert Heuristic()(None, answer) is None  # type: ignore[arg-type]
    assert Heuristic(accept_tool_calls=False)(None, answer) is not None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("knobs", "text", "asked"),
    [
        ({"min_output_tokens": 0}, "ok", (1, 0)),
        ({"patterns": ["pineapple"]}, "A Pineapple is not what was asked for.", (1, 1)),
        ({"patterns": []}, "I cannot say anything about that.", (1, 0)),
    ],
)
def test_h21_all_knobs_are_settable(house: House, knobs: dict[str, Any], text: str, asked: tuple[int, int]) -> None:
    house.servers["one"].reply(text)
    house.servers["two"].reply(LONG)
    house.routed(cascade("one/m", "two/m", judge={"name": "heuristic", **knobs})).chat("hi")
    assert house.counts()[:2] == asked


def test_h21_a_knob_that_is_none_is_an_error_before_anything_is_sent(house: House) -> None:
    with pytest.raises(UnknownNameError, match="min_output_tokens"):
        house.routed(cascade("one/m", "two/m", judge={"name": "heuristic", "min_output_token": 1})).chat("hi")
    assert house.counts() == (0, 0, 0)


def test_h22_tiers_before_the_last_are_not_streamed_and_come_as_one_chunk(house: House) -> None:
    house.servers["one"].reply(LONG)
    found = list(house.routed(cascade("one/m", "two/m")).stream("hi", include="chunk"))
    assert [chunk.text for chunk in found if chunk.text] == [LONG]
    assert "stream" not in house.servers["one"].requests[0].json or not house.servers["one"].requests[0].json["stream"]
    house.servers["one"].reply("I cannot answer this one.")
    house.servers["two"].reply("a b c d", chunks=["a ", "b ", "c ", "d"])
    found = list(house.routed(cascade("one/m", "two/m")).stream("hi", include="chunk"))
    assert [chunk.text for chunk in found if chunk.text] == ["a ", "b ", "c ", "d"]
    assert house.servers["two"].requests[0].json["stream"] is True


def test_h22_a_single_tier_streams(house: House) -> None:
    house.servers["one"].reply("a b", chunks=["a ", "b"])
    found = list(house.routed(cascade("one/m")).stream("hi", include="chunk"))
    assert [chunk.text for chunk in found if chunk.text] == ["a ", "b"]


def test_h23_a_judge_may_be_any_function(house: House) -> None:
    house.servers["one"].reply("blue, blue, blue, blue, blue")
    house.servers["two"].reply("red")
    judge = lambda call, answer: "no blue" if "blue" in answer.text else None  # noqa: E731
    assert house.routed(cascade("one/m", "two/m", judge=judge)).chat("hi") == "red"


def test_a_fallback_may_be_judged_too(house: House) -> None:
    house.servers["one"].reply("", finish_reason="stop")
    house.servers["two"].reply("something")
    with pytest.warns(FallbackWarning, match="rejected"):
        assert house.routed(fallback("one/m", "two/m", judge="finish")).chat("hi") == "something"


def test_a_fallback_whose_answers_are_all_rejected_is_exhausted(house: House) -> None:
    for name in ("one", "two"):
        house.servers[name].reply("", finish_reason="stop")
    with pytest.raises(FallbackExhausted, match="empty"):
        house.routed(fallback("one/m", "two/m", judge="finish")).chat("hi")


@pytest.mark.parametrize("form", range(4))
@pytest.mark.parametrize("kind", [fallback, cascade])
def test_the_structured_judge_rejects_what_has_not_the_form(house: House, kind: Any, form: int) -> None:
    for name, text in (("one", "no JSON"), ("one", "still none"), ("two", '{"a": 1}')):
        house.servers[name].reply(text, usage={"prompt_tokens": 2, "completion_tokens": 3})
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    asks = colours(house, house.routed(kind("one/m", "two/m", judge="structured")), response_format=schema)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        assert list(asks)[form]() == '{"a": 1}'
    assert house.counts() == (2, 1, 0)


def test_without_that_judge_a_wrong_form_is_the_error_of_its_target(house: House) -> None:
    for _ in range(2):
        house.servers["one"].reply("no JSON")
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    with pytest.raises(StructuredOutputError):
        house.llm("one/m", "two/m").chat("hi", response_format=schema)
    assert house.counts() == (2, 0, 0)


@pytest.mark.parametrize(
    "route",
    [
        cascade("one/m", "two/m", judge="heurstic"),
        fallback("one/m", "two/m", judge="heurstic"),
        fallback("one/m", "two/m", judge={"name": "heurstic", "within": 3}),
        fallback("one/m", "two/m", judge={"type": "heurstic"}),
        fallback(cascade("one/m", "two/m", judge="heurstic"), "three/m"),
        {"targets": ["one/m", "two/m"], "judge": "heurstic"},
    ],
)
def test_a_misspelt_judge_is_told_when_the_llm_is_made(house: House, route: Any) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown judge 'heurstic'; did you mean 'heuristic'\?"):
        house.routed(route)


def test_a_judge_that_cannot_be_loaded_is_told_in_its_turn(house: House) -> None:
    class Broken(Heuristic):
        name = "broken"

        def configure(self, options: Any) -> None:
            raise PluginLoadError("judges:broken has no weights")

    llm = LLM(route=cascade("one/m", "two/m", judge="broken"), kernel=house.make(plugins=[Broken()]))
    with pytest.raises(PluginLoadError, match="has no weights"):
        llm.chat("hi")
    assert house.counts() == (0, 0, 0)
