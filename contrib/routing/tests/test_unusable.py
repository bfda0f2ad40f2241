"""Targets whose plugin cannot be used are passed over and told of, wherever they stand and whatever is asked."""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

import pytest

from hb_cli.story import story_of
from hb_routing import balance, cascade, fallback
from heavenbase.errors import FallbackExhausted, FallbackWarning, PluginConflict, PluginError, PluginLoadError
from heavenbase.llm import LLM
from heavenbase.plugin import Gateway

from .support import House, colours

BROKEN = {"model": "m", "provider": "one", "gateway": "broken"}
BLOCKED = {"model": "m", "provider": "one", "gateway": "twice"}


class Broken(Gateway):
    """A gateway whose SDK cannot be imported."""

    name = "broken"
    calls = 0

    def check(self) -> None:
        raise ImportError("no SDK here")


class Twice(Gateway):
    """A gateway that two packages claim."""

    name = "twice"

    def check(self) -> None:
        raise PluginConflict("two packages claim it")


@pytest.fixture
def broken(house: House) -> House:
    warnings.simplefilter("ignore", FallbackWarning)
    house.kernel = house.make({"heavenbase.llm.strict_plugins": True}, plugins=[Broken(), Twice()])
    return house


PLACES: list[Any] = [
    [BROKEN, "two/m", "three/m"],
    [BROKEN, BLOCKED, "two/m"],
    [{"route": [BROKEN, BLOCKED]}, "two/m"],
    [{"route": {"kind": "cascade", "targets": [BROKEN, "two/m"]}}, "three/m"],
    {"kind": "cascade", "targets": [BROKEN, "two/m"], "judge": "finish"},
    {"kind": "balance", "targets": [{**BROKEN, "weight": 1}, {"model": "two/m", "weight": 0}]},
    {"kind": "balance", "targets": [{"model": "two/m", "weight": 0}, {**BROKEN, "weight": 1}]},
    [{**BROKEN, "keys": ["k-1", "k-2"]}, "two/m"],
]


@pytest.mark.parametrize("form", range(4))
@pytest.mark.parametrize("place", range(len(PLACES)))
def test_it_is_passed_over_in_every_form(broken: House, place: int, form: int) -> None:
    llm = broken.routed(PLACES[place])
    assert list(colours(broken, llm))[form]()
    assert broken.counts() == (0, 1, 0)


def test_in_the_middle_and_at_the_end_it_stands_in_nobodys_way(broken: House) -> None:
    broken.fail("two", 401)
    answer = broken.llm("two/m", BROKEN, "three/m", BLOCKED).complete("hi")
    assert [(hop.target, hop.outcome) for hop in answer.hops] == [
        ("two/m", "failed"),
        ("one/m", "skipped"),
        ("three/m", "served"),
    ]
    assert "no SDK here" in answer.hops[1].reason


def test_the_hops_and_a_warning_say_why(broken: House) -> None:
    with pytest.warns(FallbackWarning, match="two/m answers in the place of one/m: .*no SDK here"):
        answer = broken.llm(BROKEN, "two/m").complete("hi")
    assert [hop.outcome for hop in answer.hops] == ["skipped", "served"]
    assert "no SDK here" in (answer.attempts[0].reason or "")


def test_where_all_others_fail_each_is_named(broken: House) -> None:
    broken.fail("two", 400, 401)
    with pytest.raises(FallbackExhausted, match=r"no SDK here.*two packages claim it.*two/m") as caught:
        broken.routed(fallback(BROKEN, BLOCKED, "two/m", on=["rejected"])).chat("hi")
    assert [type(error).__name__ for _, error in caught.value.errors] == [
        *("PluginLoadError", "PluginConflict", "RequestRejected"),
    ]
    assert str(caught.value).count("no SDK here") == 1


@pytest.mark.parametrize("targets", [[BROKEN, BLOCKED], [{"route": [BROKEN]}, BLOCKED]])
@pytest.mark.parametrize("kind", [fallback, cascade, balance])
def test_where_all_are_so_each_is_named_and_nothing_is_sent(broken: House, kind: Any, targets: list[Any]) -> None:
    with pytest.raises(FallbackExhausted, match=r"no SDK here.*two packages claim it") as caught:
        broken.routed(kind(*targets)).chat("hi")
    assert all(isinstance(error, PluginError) for _, error in caught.value.errors)
    assert broken.counts() == (0, 0, 0)


def test_what_was_given_for_it_goes_to_nobody_else(broken: House) -> None:
    llm = broken.llm(BROKEN, "two/m", api_key="key-of-another", headers={"x-of": "one"})
    llm.chat("hi")
    llm.chat("hi", api_key="key-of-another")
    for request in broken.servers["two"].requests:
        assert request.headers["authorization"] == "Bearer key-of-two"
        assert "x-of" not in request.headers
    with pytest.raises(FallbackExhausted, match="extra_body belongs to one"):
        llm.chat("hi", extra_body={"user": "one"})


def test_embeddings_and_images_pass_it_over_too(broken: House) -> None:
    targets = [{**BROKEN, "model": "e"}, "two/e"]
    assert broken.llm(*targets).embed("hi")
    assert asyncio.run(broken.llm(*targets).aembed("hi"))
    assert broken.llm(BROKEN, "two/m").imagen("a cat")
    assert broken.counts()[0] == 0


def test_a_call_of_its_own_is_not_sent_elsewhere(broken: House) -> None:
    with pytest.raises(PluginLoadError, match="no SDK here"):
        broken.llm(BROKEN, "two/m").to_client()
    with pytest.raises(PluginLoadError, match="no SDK here"):
        LLM(model=[BROKEN], kernel=broken.kernel)


def test_explain_says_what_keeps_it_from_being_asked(broken: House) -> None:
    llm = broken.llm(BROKEN, "two/m", BLOCKED)
    call = broken.kernel.call("complete", llm.spec, {}, is_async=False, messages=[{"role": "user", "content": "hi"}])
    story = story_of(broken.kernel, call)
    rows = story["route"]["targets"]
    assert [row["target"] for row in rows] == ["one/m", "two/m", "one/m"]
    assert ["no SDK here" in row["problem"] for row in rows] == [True, False, False]
    assert "two packages claim it" in rows[2]["problem"]
    assert "no SDK here" in story["request_error"]
    assert (story["request"], story["provider"]["value"]) == (None, "one")
