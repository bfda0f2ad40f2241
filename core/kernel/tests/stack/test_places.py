"""The stack: where middlewares stand, how often they are asked, and where they may be named."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from heavenbase.errors import InputTypeError, PluginLoadError, ServerError, UnknownNameError
from heavenbase.llm import LLM
from heavenbase.middleware import Judge, Middleware, Setting
from heavenbase.types import Completion

from ..support import both_colours, calling, make_kernel, scripted

NOTES: list[str] = []


@pytest.fixture(autouse=True)
def notes() -> list[str]:
    NOTES.clear()
    return NOTES


class Noting(Middleware):
    """Writes down its name when a call comes to it."""

    settings: ClassVar[Mapping[str, Setting]] = {"times": Setting("int", 1, "how often it writes", minimum=0)}

    def __init__(self, name: str, place: Any = "call") -> None:
        super().__init__()
        self.name = name
        self.around = place  # type: ignore[misc]

    async def __call__(self, call: Any, next: Any) -> Any:
        NOTES.extend([self.name] * self.options["times"])
        return await next(call)


def test_places_come_in_their_order_and_the_first_of_a_place_is_outermost() -> None:
    given = [Noting("a1", "attempt"), Noting("t1", "target"), Noting("c1"), Noting("a2", "attempt"), Noting("c2"),
             Noting("t2", "target")]  # fmt: skip
    house = scripted(middleware=tuple(given))
    for verb in ("chat", "stream", "embed", "imagen"):
        for ask in both_colours(house.llm, verb):
            NOTES.clear()
            ask("x")
            assert NOTES == ["c1", "c2", "t1", "t2", "a1", "a2"], verb
    call = house.kernel.call("complete", house.llm.spec, {}, is_async=False, messages=[])
    rows = [(row["name"], row["place"]) for row in house.kernel.stack.described(call)]
    inside = [("cache", "target"), ("t1", "target"), ("t2", "target"), ("structured answers", "target")]
    assert rows == [("c1", "call"), ("c2", "call"), *inside, ("retry", "target"), ("a1", "attempt"), ("a2", "attempt")]


def test_only_attempts_are_repeated_by_a_retry(notes: list[str]) -> None:
    around = (Noting("c"), Noting("t", "target"), Noting("a", "attempt"))
    for verb in ("chat", "stream"):
        for colour in (0, 1):
            notes.clear()
            house = scripted(ServerError("no"), ServerError("no"), "hi", middleware=around)
            both_colours(house.llm, verb)[colour]("x")
            assert notes == ["c", "t", "a", "a", "a"]


@pytest.mark.parametrize("colour", [0, 1])
def test_an_embedding_in_batches_is_one_call_and_each_batch_a_question_to_its_target(
    notes: list[str], colour: int
) -> None:
    house = scripted(middleware=(Noting("c"), Noting("t", "target"), Noting("a", "attempt")))
    ask = both_colours(house.llm, "embed")[colour]
    assert len(ask(["a", "b", "c", "d", "e"], embedding_batch_size=2)) == 5
    assert {name: notes.count(name) for name in "cta"} == {"c": 1, "t": 3, "a": 3}


@pytest.mark.parametrize("verb", ["chat", "stream"])
@pytest.mark.parametrize("colour", [0, 1])
def test_each_round_with_tools_is_one_call(notes: list[str], verb: str, colour: int) -> None:
    def add(a: int, b: int) -> int:
        return a + b

    house = scripted(calling(("add", {"a": 1, "b": 2})), "three", middleware=(Noting("c"), Noting("t", "target")))
    both_colours(house.llm, verb)[colour]("x", tools=[add])
    assert notes == ["c", "t", "c", "t"]


def test_a_kept_answer_is_asked_of_no_target(notes: list[str]) -> None:
    from ..cache.dict_cache import DictCache

    config = {"heavenbase.llm.cache.enabled": True, "heavenbase.llm.cache.backend": "dict"}
    house = scripted(middleware=(Noting("c"), Noting("t", "target")), plugins=(DictCache(),), config=config)
    for ask in both_colours(house.llm, "chat"):
        ask("x")
    assert notes == ["c", "t", "c"]


# Where they are named


class Published(Noting):
    """One that is found by its name."""

    def __init__(self) -> None:
        super().__init__("published")


def test_those_of_settings_preset_llm_and_call_are_added_up(notes: list[str]) -> None:
    config = {
        "heavenbase.llm.middleware": ["published"],
        "heavenbase.llm.presets.house": {"model": "acme/tiny", "middleware": ["of_preset"]},
    }
    of_preset = Noting("of_preset")
    kernel = make_kernel(plugins=(Published(), of_preset), config=config, middleware=(Noting("kernel"),))
    llm = LLM(kernel=kernel, middleware=[Noting("llm")])
    for verb in ("chat", "stream", "complete"):
        for ask in both_colours(llm, verb):
            notes.clear()
            ask("x", middleware=[Noting("call")])
            assert notes == ["published", "kernel", "of_preset", "llm", "call"]
    notes.clear()
    llm.chat("x")
    assert notes == ["published", "kernel", "of_preset", "llm"]


def test_a_name_will_do_in_code_too_and_its_settings_are_read(notes: list[str]) -> None:
    config = {"heavenbase.middleware.published.times": 3}
    kernel = make_kernel(plugins=(Published(),), config=config)
    LLM(kernel=kernel).chat("x")
    assert notes == []
    LLM(kernel=kernel).chat("x", middleware=["published"])
    assert notes == ["published"] * 3
    notes.clear()
    LLM(kernel=kernel, middleware=["published"]).chat("x")
    assert notes == ["published"] * 3


class Namesake(Judge):
    """A judge that has the name of a middleware."""

    name = "published"
    settings: ClassVar[Mapping[str, Setting]] = {"word": Setting("str", "a", "a word")}


def test_a_judge_and_a_middleware_of_one_name_have_settings_of_their_own() -> None:
    config = {"heavenbase.middleware.published.times": 2, "heavenbase.judges.published.word": "b"}
    kernel = make_kernel(plugins=(Published(), Namesake()), config=config, middleware=("published",))  # type: ignore[arg-type]
    assert kernel.services.load("middleware", "published").options == {"times": 2}
    assert kernel.services.load("judges", "published").options == {"word": "b"}
    own = kernel.services.load("judges", "published", {"word": "c"})
    assert (own.options, kernel.services.load("judges", "published").options) == ({"word": "c"}, {"word": "b"})


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ("published", InputTypeError, "a list"),
        (["publishd"], PluginLoadError, "publishd"),
        ([Noting], InputTypeError, "middleware"),
        ([3], InputTypeError, "middleware"),
        ([Noting("n", "route")], UnknownNameError, "route"),
    ],
)
def test_what_is_no_middleware_is_refused_before_anything_is_sent(given: Any, error: Any, words: str) -> None:
    house = scripted(plugins=(Published(),))
    for ask in both_colours(house.llm, "chat"):
        with pytest.raises(error, match=words):
            ask("x", middleware=given)
    assert house.gateway.calls == []


# What the report tells


def test_the_report_names_what_the_call_went_through(notes: list[str]) -> None:
    house = scripted(middleware=(Noting("a", "attempt"), Noting("c")))
    for ask in both_colours(house.llm, "complete"):
        assert ask("x").report.stack == ("c", "a")
        assert ask("x", middleware=[Noting("more", "target")]).report.stack == ("c", "more", "a")
    for ask in both_colours(house.llm, "stream"):
        [answer] = [found for found in ask("x", include="completion") if found]
        assert answer.report.stack == ("c", "a")
    assert scripted().llm.complete("x").report.stack == ()


def test_the_report_of_several_rounds_names_it_too() -> None:
    def add(a: int, b: int) -> int:
        return a + b

    house = scripted(calling(("add", {"a": 1, "b": 2})), "three", middleware=(Noting("c"),))
    answer = house.llm.complete("x", tools=[add])
    assert (answer.text, answer.report.stack) == ("three", ("c",))


def test_a_function_is_named_by_its_name() -> None:
    async def shout(call: Any, next: Any) -> Any:
        answer: Completion = await next(call)
        answer.text = answer.text.upper()
        return answer

    answer = asyncio.run(scripted("hi").llm.acomplete("x", middleware=[shout]))
    assert (answer.text, answer.report.stack) == ("HI", ("shout",))
