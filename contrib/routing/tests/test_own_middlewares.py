"""Middlewares of one target, by its own preset or arguments, and those of the whole call."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path
from typing import Any

import pytest

from hb_routing import cascade, fallback
from heavenbase.errors import FallbackWarning, InputError, PluginContractError, PluginLoadError
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.middleware import Middleware

from .support import House, colours

NOTES: list[str] = []


@pytest.fixture(autouse=True)
def notes() -> list[str]:
    warnings.simplefilter("ignore", FallbackWarning)
    NOTES.clear()
    return NOTES


class Noting(Middleware):
    """Writes down its name, and the target that it stands around."""

    def __init__(self, name: str, place: Any = "call") -> None:
        super().__init__()
        self.name = name
        self.around = place  # type: ignore[misc]

    async def __call__(self, call: Any, next: Any) -> Any:
        NOTES.append(self.name if call.spec.route is not None else f"{self.name} of {call.spec.provider}")
        return await next(call)


NAMES = ("whole", "c", "t", "a", "of_two")
SETTINGS = {
    "heavenbase.llm.presets.drafts": {"route": {"targets": [{"preset": "first"}, "two/m"]}, "middleware": ["whole"]},
    "heavenbase.llm.presets.first": {"model": "m", "provider": "one", "middleware": ["a", "t", "c"]},
    "heavenbase.llm.presets.second": {"model": "m", "provider": "two", "middleware": ["of_two"]},
}


def kernel_of(house: House, **settings: Any) -> Kernel:
    places = {"t": "target", "a": "attempt"}
    plugins = [Noting(name, places.get(name, "call")) for name in NAMES]
    return house.make({**SETTINGS, **settings}, plugins=plugins, middleware=[Noting("kernel"), Noting("k-t", "target")])


def test_those_of_a_targets_preset_stand_around_that_target_alone(house: House, notes: list[str]) -> None:
    house.kernel = kernel_of(house)
    llm = house.llm({"preset": "first"}, {"preset": "second"}, max_retries=0, middleware=[Noting("llm")])
    for ask in colours(house, llm, middleware=[Noting("call")]):
        notes.clear()
        ask()
        assert notes == ["kernel", "llm", "call", "c of one", "k-t of one", "t of one", "a of one"]
    for ask in colours(house, llm):
        notes.clear()
        house.fail("one", 500)
        ask()
        assert notes[2:] == ["c of one", "k-t of one", "t of one", "a of one", "of_two of two", "k-t of two"]


def test_a_retry_asks_the_targets_own_attempts_again(house: House, notes: list[str]) -> None:
    house.kernel = kernel_of(house)
    house.fail("one", 500)
    house.llm({"preset": "first"}, "two/m").chat("hi")
    assert notes == ["kernel", "c of one", "k-t of one", "t of one", "a of one", "a of one"]


def test_those_of_the_preset_that_has_the_route_are_asked_once(house: House, notes: list[str]) -> None:
    house.kernel = kernel_of(house)
    for ask in colours(house, LLM("drafts", kernel=house.kernel, max_retries=0)):
        notes.clear()
        house.fail("one", 500)
        ask()
        assert notes.count("whole") == 1
        assert notes[:3] == ["kernel", "whole", "c of one"]
        assert notes[-1] == "k-t of two"


@pytest.mark.parametrize("target", [{}, {"preset": "second"}])
def test_a_preset_of_all_targets_is_that_of_the_call(house: House, notes: list[str], target: dict[str, Any]) -> None:
    house.kernel = kernel_of(house)
    LLM("second", model=[{"model": "m", "provider": "one", **target}, "two/m"], kernel=house.kernel).chat("hi")
    assert notes == ["kernel", "of_two", "k-t of one"]


def test_the_default_presets_route_has_its_middlewares_too(house: House, notes: list[str]) -> None:
    house.kernel = kernel_of(house, **{"heavenbase.llm.default_preset": "drafts"})
    LLM(kernel=house.kernel).chat("hi")
    assert notes[:3] == ["kernel", "whole", "c of one"]


@pytest.mark.parametrize("form", range(4))
@pytest.mark.parametrize("wrong", [None, "a text", 5])
def test_one_that_gives_no_answer_is_named(house: House, wrong: Any, form: int) -> None:
    async def odd(call: Any, next: Any) -> Any:
        return wrong

    llm = house.llm({"model": "one/m", "args": {"middleware": [odd]}}, "two/m")
    with pytest.raises(PluginContractError, match=f"a middleware answered .* with {type(wrong).__name__}"):
        list(colours(house, llm))[form]()
    assert house.counts() == (0, 0, 0)


@pytest.mark.parametrize("form", [0, 1])
@pytest.mark.parametrize("seconds", [0, 0.001])
def test_one_that_waits_in_a_sync_call_ends_it_before_anybody_is_asked(house: House, seconds: float, form: int) -> None:
    async def waits(call: Any, next: Any) -> Any:
        await asyncio.sleep(seconds)
        return await next(call)

    llm = house.llm({"model": "one/m", "args": {"middleware": [waits]}}, "two/m")
    with pytest.raises(PluginContractError, match="waited asynchronously inside a sync call"):
        list(colours(house, llm))[form]()
    assert house.counts() == (0, 0, 0)


def test_default_arguments_for_all_are_those_of_the_call(house: House, notes: list[str]) -> None:
    house.kernel = kernel_of(house, **{"heavenbase.llm.default_args.middleware": ["of_two"]})
    house.llm("one/m", "two/m").chat("hi")
    assert notes == ["kernel", "of_two", "k-t of one"]


def test_arguments_of_a_target_name_its_own_too(house: House, notes: list[str]) -> None:
    house.kernel = kernel_of(house)
    own = {"middleware": ["c", Noting("object")]}
    llm = house.llm({"model": "one/m", "args": own}, "two/m", middleware=[Noting("llm")])
    for ask in colours(house, llm):
        notes.clear()
        ask()
        assert notes == ["kernel", "llm", "c of one", "object of one", "k-t of one"]
    with pytest.raises(PluginLoadError, match="unknown middleware 'nobody'"):
        house.llm({"model": "one/m", "args": {"middleware": ["nobody"]}}, "two/m").chat("hi")
    with pytest.raises(InputError, match="cannot be a target"):
        house.llm(llm, "three/m")


@pytest.mark.parametrize("verb", ["embed", "aembed"])
def test_embeddings_and_nested_routes_have_them_too(house: House, notes: list[str], verb: str) -> None:
    house.kernel = kernel_of(house)
    inner = fallback({"preset": "first"})
    llm = house.routed(fallback(inner, "two/m"))
    if verb == "embed":
        llm.embed(["a", "b", "c"], embedding_batch_size=2)
    else:
        import asyncio

        asyncio.run(llm.aembed(["a", "b", "c"], embedding_batch_size=2))
    assert notes[:2] == ["kernel", "c of one"]
    assert {name: notes.count(f"{name} of one") for name in ("t", "a")} == {"t": 2, "a": 2}


def test_the_report_and_the_plan_tell_them(house: House) -> None:
    house.kernel = kernel_of(house)
    llm = house.llm({"preset": "first"}, {"preset": "second"}, "three/m", max_retries=0)
    for failed, stack in enumerate((["c", "k-t", "t", "a"], ["of_two", "k-t"], ["k-t"])):
        for name in ("one", "two")[:failed]:
            house.fail(name, 500)
        answer = llm.complete("hi")
        assert answer.report is not None
        assert answer.report.stack == ("kernel", "routing", *stack)
    call = house.kernel.call("complete", llm.spec, {}, is_async=False, messages=[{"role": "user", "content": "hi"}])
    plan = house.kernel.services.load("middleware", "routing").plan(call)
    assert [step.middleware for step in plan.steps] == [("a", "t", "c"), ("of_two",), ()]
    assert [row["middleware"] for row in plan.to_dict()["targets"]] == [["a", "t", "c"], ["of_two"], []]


def test_a_kept_answer_comes_through_the_targets_own(house: House, tmp_path: Path, notes: list[str]) -> None:
    settings = {"heavenbase.llm.cache.enabled": True, "heavenbase.llm.cache.path": str(tmp_path / "answers.db")}
    house.kernel = house.make({**SETTINGS, **settings}, plugins=[Noting(name) for name in NAMES])
    llm = house.llm({"preset": "second"}, "one/m")
    for ask in colours(house, llm):
        notes.clear()
        assert ask() == "echo: hi"
        assert notes == ["of_two of two"]
    notes.clear()
    assert llm.chat("hi") == "echo: hi"
    assert notes == ["of_two of two"]
    assert house.counts() == (0, 1, 0)


def test_a_chat_is_not_answered_with_what_the_judge_rejected_before(house: House, tmp_path: Path) -> None:
    path = str(tmp_path / "answers.db")
    house.kernel = house.make({"heavenbase.llm.cache.enabled": True, "heavenbase.llm.cache.path": path})
    house.servers["one"].reply("a cheap answer")
    house.servers["two"].reply("a dear answer")
    judge = lambda call, answer: "not that one" if "cheap" in answer.text else None  # noqa: E731
    llm = house.routed(cascade("one/m", "two/m", judge=judge))
    assert [llm.chat("hi") for _ in range(3)] == ["a dear answer"] * 3
    assert house.counts() == (1, 1, 0)
