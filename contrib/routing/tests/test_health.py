"""Breakers, cooldowns, waits that are hops, keys in turn: with a clock that only sleeping moves."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from hb_routing import balance, cascade, fallback
from hb_routing.health import Health
from hb_testing.server import Reply
from heavenbase.errors import FallbackExhausted, FallbackWarning, HBError, Overloaded, RateLimitError
from heavenbase.llm import LLM
from heavenbase.routes import Breaker
from heavenbase.spec import LLMSpec

from .support import House, colours


@pytest.fixture(autouse=True)
def quiet() -> None:
    warnings.simplefilter("ignore", FallbackWarning)


def test_a_target_that_fails_again_and_again_is_left_alone_for_a_while(house: House) -> None:
    house.servers["one"].strike("S5.500", "one")
    llm = house.routed(fallback("one/m", "two/m", breaker={"failures": 2, "cooldown": 30}), max_retries=0)
    for _ in range(5):
        llm.chat("hi")
    assert house.counts()[:2] == (2, 5)
    answer = llm.complete("hi")
    assert [(hop.target, hop.outcome) for hop in answer.hops] == [("one/m", "open"), ("two/m", "served")]


def test_one_probe_goes_out_when_the_cooldown_is_over_and_closes_the_breaker(house: House) -> None:
    house.servers["one"].strike("S5.500", "one")
    llm = house.routed(fallback("one/m", "two/m", breaker={"failures": 1, "cooldown": 30}), max_retries=0)
    llm.chat("hi")
    house.time.now += 31
    llm.chat("hi")  # the probe fails, and the next cooldown is longer
    assert house.counts()[0] == 2
    house.time.now += 31
    llm.chat("hi")
    assert house.counts()[0] == 2
    house.time.now += 31
    house.servers["one"].strike(None)
    assert llm.complete("hi").served_by == "one/m"
    assert llm.complete("hi").served_by == "one/m"


def test_a_limit_of_a_callers_own_is_a_hop_and_opens_no_breaker(house: House) -> None:
    async def limit(call: Any, next: Any) -> Any:
        if call.controls.get("tenant") == "acme" and call.spec.provider == "one":
            raise RateLimitError("used up", code="local_limit", retryable=False, retry_after=60.0)
        return await next(call)

    limit.around = "attempt"  # type: ignore[attr-defined]
    llm = house.routed(fallback("one/m", "two/m", breaker={"failures": 1}), middleware=[limit])
    for tenant, served in (("acme", "two/m"), ("another", "one/m"), ("acme", "two/m"), ("another", "one/m")):
        assert llm.complete("hi", tenant=tenant).served_by == served
    assert house.time.slept == []


def test_a_wait_longer_than_hop_after_is_a_hop_and_the_target_is_left_alone(house: House) -> None:
    house.servers["one"].reply("slow down", status=429, headers={"retry-after": "20"})
    llm = house.llm("one/m", "two/m")
    assert llm.complete("hi").served_by == "two/m"
    assert llm.complete("hi").served_by == "two/m"
    assert (house.counts()[:2], house.time.slept) == ((1, 2), [])
    house.time.now += 21
    assert llm.complete("hi").served_by == "one/m"


def test_a_short_wait_stays_at_the_target(house: House) -> None:
    house.servers["one"].reply("slow down", status=429, headers={"retry-after": "1"})
    assert house.llm("one/m", "two/m").complete("hi").served_by == "one/m"
    assert house.time.slept == [pytest.approx(1.125)]


def test_the_last_target_waits(house: House) -> None:
    house.fail("one", 503, 503, 503)
    house.servers["two"].reply("slow down", status=429, headers={"retry-after": "20"})
    answer = house.llm("one/m", "two/m").complete("hi")
    assert answer.served_by == "two/m"
    assert house.time.slept[-1] >= 20
    assert answer.attempts[-1].waited == pytest.approx(house.time.slept[-1])


def test_all_open_waits_for_the_soonest_within_the_limit(house: House) -> None:
    for name, seconds in (("one", "8"), ("two", "6")):
        house.servers[name].reply("slow down", status=429, headers={"retry-after": seconds})
    llm = house.routed(fallback("one/m", "two/m"), max_retries=0)
    with pytest.raises(FallbackExhausted) as caught:
        llm.chat("hi")
    assert (caught.value.kind, caught.value.retry_after) == ("rate_limit", 6)
    answer = llm.complete("hi")
    assert answer.served_by == "two/m"
    assert sum(house.time.slept) == pytest.approx(6, abs=1)


def test_all_open_for_long_asks_the_soonest_once(house: House) -> None:
    for name in ("one", "two"):
        house.servers[name].strike("S5.500", name)
    route = fallback("one/m", "two/m", breaker={"failures": 1, "cooldown": 50})
    with pytest.raises(FallbackExhausted):
        house.routed(route).chat("hi")
    before = sum(house.counts())
    with pytest.raises(FallbackExhausted):
        house.routed(route).chat("hi")
    assert sum(house.counts()) == before + 1


def test_s5_a_thousand_calls_to_dead_servers_make_few_requests(house: House) -> None:
    for name in ("one", "two"):
        house.servers[name].strike("S5.503", name)
    llm = house.llm("one/m", "two/m")
    for _ in range(100):
        with pytest.raises(HBError):
            llm.chat("hi")
    assert sum(house.counts()) <= 120 + 60


def test_s2_quota_pauses_long_and_hops_at_once(house: House) -> None:
    house.servers["one"].strike("S2.429", "one")
    llm = house.llm("one/m", "two/m")
    for _ in range(3):
        assert llm.complete("hi").served_by == "two/m"
    assert house.counts()[0] == 1
    house.time.now += 299
    llm.chat("hi")
    assert house.counts()[0] == 1


def test_a_refused_credential_hops_in_a_fallback_with_a_warning_that_names_the_target(house: House) -> None:
    warnings.simplefilter("error", FallbackWarning)
    house.servers["one"].strike("S1.401", "one")
    with pytest.warns(FallbackWarning, match=r"two/m answers in the place of one/m: auth"):
        house.llm("one/m", "two/m").chat("hi")
    house.llm("one/m", "two/m").chat("hi")  # told once


def test_that_another_target_answers_is_told_once_for_each_and_not_in_every_call(house: House) -> None:
    house.servers["one"].strike("S5.500", "one")
    llm = house.llm(max_retries=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for form in [*colours(house, llm), *colours(house, llm)]:
            form()
        house.servers["two"].strike("S5.500", "two")
        for form in [*colours(house, llm), *colours(house, llm)]:
            form()
    told = [str(each.message).partition(":")[0] for each in caught if each.category is FallbackWarning]
    assert told == ["two/m answers in the place of one/m", "three/m answers in the place of one/m"]


def test_several_keys_of_one_target_are_taken_in_turn(house: House) -> None:
    llm = house.routed([{"model": "one/m", "keys": ["first-key", "second-key"]}])
    for _ in range(4):
        llm.chat("hi")
    used = [request.headers["authorization"] for request in house.servers["one"].requests]
    assert used == ["Bearer first-key", "Bearer second-key"] * 2


@pytest.mark.parametrize("status", [401, 402, 429])
def test_a_key_that_is_refused_or_used_up_makes_room_for_the_next(house: House, status: int) -> None:
    house.servers["one"].reply("no", status=status, headers={"retry-after": "30"} if status == 429 else {})
    llm = house.routed([{"model": "one/m", "keys": ["first-key", "second-key"]}, "two/m"])
    answer = llm.complete("hi")
    assert answer.served_by == "one/m"
    used = [request.headers["authorization"] for request in house.servers["one"].requests]
    assert used == ["Bearer first-key", "Bearer second-key"]
    assert "first-key" not in f"{answer!r} {llm.spec.route!r}"


@pytest.mark.parametrize("headers", [{}, {"retry-after": "1"}])
def test_a_limit_of_one_key_costs_neither_a_repetition_nor_a_wait(house: House, headers: dict[str, str]) -> None:
    for ask in colours(house, house.routed([{"model": "one/m", "keys": ["first-key", "second-key"]}, "two/m"])):
        house.servers["one"].clear()
        house.servers["one"].script(lambda request: Reply("slow down", status=429, headers=headers))
        ask()
        used = [request.headers["authorization"] for request in house.servers["one"].requests]
        assert used[:2] in (["Bearer first-key", "Bearer second-key"], ["Bearer second-key", "Bearer first-key"])
        assert len(set(used[1:])) == 1  # the last key is tried as often as any target
        house.time.now += 100


def test_the_errors_of_all_keys_are_told(house: House) -> None:
    house.servers["one"].script(lambda request: Reply("slow down", status=429))
    llm = house.routed([{"model": "one/m", "keys": ["first-key", "second-key"]}], max_retries=0)
    with pytest.raises(FallbackExhausted) as caught:
        llm.chat("hi")
    assert [(label, error.kind) for label, error in caught.value.errors] == [("one/m", "rate_limit")] * 2


def test_keys_are_never_shown(house: House) -> None:
    house.servers["one"].strike("S1.401", "one")
    llm = house.routed([{"model": "one/m", "keys": ["first-secret-key", "second-secret-key"]}])
    with pytest.raises(HBError) as caught:
        llm.chat("hi")
    assert "secret-key" not in f"{caught.value!r} {caught.value} {llm!r} {llm.spec!r} {vars(caught.value)!r}"


def test_a_rate_limit_of_one_key_leaves_the_model_free_for_others(house: House) -> None:
    house.servers["one"].reply("slow down", status=429, headers={"retry-after": "30"})
    with pytest.raises(RateLimitError):
        LLM(model="one/m", kernel=house.kernel).chat("hi", max_retries=0)
    assert house.llm("one/m", api_key="another-key").complete("hi").served_by == "one/m"


def test_least_busy_and_latency_are_known_of_targets(house: House) -> None:
    llm = house.routed(balance("one/m", "two/m", by="latency"))
    for _ in range(2):
        llm.chat("hi")
    assert house.counts()[:2] == (1, 1)  # who was never asked is asked first


def opened(health: Health, spec: LLMSpec, *, since: float, calls: int) -> list[tuple[str, ...]]:
    """Calls that are on their way together, and fail together."""
    probed = [health.enter(spec, since) for _ in range(calls)]
    for each in probed:
        health.leave(spec, since, None, Overloaded("busy"), Breaker(), each)
    return probed


def test_calls_that_were_on_their_way_when_a_breaker_opened_do_not_keep_it_open_for_longer(house: House) -> None:
    spec, health = LLM(model="one/m", kernel=house.kernel).spec, Health()
    opened(health, spec, since=0.0, calls=50)
    assert health.opens(spec, 1.0) == 4.0
    assert health.opens(spec, 5.0) == 0


def test_only_the_probe_itself_makes_room_for_another(house: House) -> None:
    spec, health = LLM(model="one/m", kernel=house.kernel).spec, Health()
    late = health.enter(spec, 0.0)
    opened(health, spec, since=0.0, calls=5)
    probe = health.enter(spec, 6.0)
    assert len(probe) == 1
    health.leave(spec, 6.5, None, Overloaded("busy"), Breaker(), late)
    assert health.opens(spec, 6.5) > 0  # the probe is still on its way
    assert health.enter(spec, 6.5) == ()
    health.leave(spec, 7.0, None, Overloaded("busy"), Breaker(), probe)
    assert health.opens(spec, 7.0) == 10.0


def in_a_storm(house: House, llm: LLM) -> None:
    """Use up the budget of retries of both targets, and leave each one failure before its breaker opens."""
    for _ in range(4):
        with pytest.raises(FallbackExhausted):
            llm.chat("hi")
    house.time.slept.clear()


@pytest.mark.parametrize("form", range(4))
def test_l7_a_call_that_opens_the_breakers_waits_like_those_that_find_them_open(house: House, form: int) -> None:
    # Two attempts of each target are paid for already; a server that is well after three seconds is asked once more.
    house.kernel = house.make({"heavenbase.llm.retry.budget_floor": 0, "heavenbase.llm.retry.budget_ratio": 0.0})
    for name in ("one", "two"):
        house.fail(name, *[503] * 5)
    llm = house.llm("one/m", "two/m")
    in_a_storm(house, llm)
    before = sum(house.counts())
    ask = list(colours(house, llm))[form]
    assert ask() == ask()  # the second meets closed breakers
    assert sum(house.counts()) == before + 2 + 2
    assert sum(house.time.slept) == pytest.approx(5)


def test_the_ledger_and_the_hops_tell_of_a_target_that_was_asked_again(house: House) -> None:
    house.kernel = house.make({"heavenbase.llm.retry.budget_floor": 0, "heavenbase.llm.retry.budget_ratio": 0.0})
    for name in ("one", "two"):
        house.fail(name, *[503] * 5)
    llm = house.llm("one/m", "two/m")
    in_a_storm(house, llm)
    answer = llm.complete("hi")
    assert [(hop.target, hop.outcome) for hop in answer.hops] == [
        ("one/m", "failed"),
        ("two/m", "failed"),
        ("one/m", "served"),
    ]
    last = answer.attempts[-1]
    assert (len(answer.attempts), last.reason, last.waited) == (3, "its breaker closed first", pytest.approx(5))


@pytest.mark.parametrize("max_retries", [0, 1])
def test_no_target_is_asked_again_beyond_its_attempts(house: House, max_retries: int) -> None:
    for name in ("one", "two"):
        house.servers[name].strike("S5.503", name)
    route = fallback("one/m", "two/m", breaker={"failures": 1})
    with pytest.raises(FallbackExhausted) as caught:
        house.routed(route, max_retries=max_retries).chat("hi")
    assert len(caught.value.attempts) == sum(house.counts()) == 2 * (max_retries + 1)
    assert sum(house.time.slept) < 2


def test_what_may_have_been_billed_is_not_asked_again_behind_a_wait(house: House) -> None:
    config = {"heavenbase.llm.retry.budget_floor": 0, "heavenbase.llm.retry.budget_ratio": 0.0}
    for name in ("one", "two"):
        house.servers[name].strike("N2.b", name)
    llm = LLM(route=fallback("one/m", "two/m", breaker={"failures": 1}), kernel=house.make(config))
    with pytest.raises(FallbackExhausted) as caught:
        llm.chat("hi")
    assert caught.value.maybe_billed
    assert (house.counts()[:2], house.time.slept) == ((1, 1), [])


def test_a_wait_for_a_breaker_that_is_too_long_ends_in_the_errors_of_all(house: House) -> None:
    config = {"heavenbase.llm.retry.budget_floor": 0, "heavenbase.llm.retry.budget_ratio": 0.0}
    for name in ("one", "two"):
        house.servers[name].strike("S5.503", name)
    route = fallback("one/m", "two/m", breaker={"failures": 1, "cooldown": 11})
    with pytest.raises(FallbackExhausted) as caught:
        LLM(route=route, kernel=house.make(config)).chat("hi")
    assert [name for name, _ in caught.value.errors] == ["one/m", "two/m"]
    assert (house.counts()[:2], house.time.slept) == ((1, 1), [])


@pytest.mark.parametrize("form", range(4))
def test_l7_a_target_that_was_passed_over_is_waited_for_when_the_others_failed(house: House, form: int) -> None:
    house.servers["one"].strike("S5.503", "one")
    house.servers["two"].reply("slow down", status=429, headers={"retry-after": "6"})
    with pytest.raises(FallbackExhausted):
        house.routed(fallback("two/m"), max_retries=0).chat("hi")
    llm = house.routed(fallback("one/m", "two/m"))
    assert list(colours(house, llm))[form]()
    # three attempts of the one and a wait for the other, less what the attempts took
    assert (house.counts()[:2], sum(house.time.slept)) == ((3, 2), pytest.approx(6, abs=0.1))


@pytest.mark.parametrize("form", range(4))
def test_an_answer_that_is_refused_is_followed_by_a_wait_for_the_next_tier(house: House, form: int) -> None:
    house.servers["two"].reply("slow down", status=429, headers={"retry-after": "6"})
    with pytest.raises(FallbackExhausted):
        house.routed(fallback("two/m"), max_retries=0).chat("hi")
    llm = house.routed(cascade("one/m", "two/m", judge=lambda call, answer: "not good enough"))
    assert list(colours(house, llm))[form]()
    assert (house.counts()[:2], house.time.slept) == ((1, 2), [6.0])
