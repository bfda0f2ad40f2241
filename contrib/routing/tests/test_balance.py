"""Balance: weights, load, latency, and affinity that keeps providers' prompt caches warm."""

from __future__ import annotations

import random
import warnings
from collections import Counter
from typing import Any

import pytest

from hb_routing import balance
from heavenbase.errors import FallbackExhausted, FallbackWarning, LossyRequestWarning
from heavenbase.session import LLMSession

from .support import House


@pytest.fixture(autouse=True)
def quiet() -> None:
    warnings.simplefilter("ignore", FallbackWarning)


def served(house: House, route: Any, count: int, messages: Any = None) -> Counter[str]:
    llm = house.routed(route)
    return Counter(
        str(llm.complete(messages(place) if messages is not None else "hi").served_by) for place in range(count)
    )


def test_calls_are_divided_by_weight(house: House) -> None:
    house.kernel = house.make(random=random.Random(7).random)
    targets = [{"model": "one/m", "weight": 3}, {"model": "two/m", "weight": 1}, {"model": "three/m", "weight": 0}]
    found = served(house, balance(*targets), 200)
    assert 120 < found["one/m"] < 180
    assert 20 < found["two/m"] < 80
    assert found["three/m"] == 0


def test_a_target_that_fails_is_followed_by_the_next(house: House) -> None:
    house.servers["one"].strike("S5.500", "one")
    assert served(house, balance("one/m", "two/m"), 4) == {"two/m": 4}


def test_all_failed_is_exhausted(house: House) -> None:
    for name in ("one", "two"):
        house.servers[name].strike("S5.500", name)
    with pytest.raises(FallbackExhausted):
        house.routed(balance("one/m", "two/m")).chat("hi")


@pytest.mark.parametrize("affinity", ["session", "prefix"])
def test_a_session_or_a_prefix_stays_at_one_target(house: House, affinity: str) -> None:
    house.kernel = house.make(random=random.Random(7).random)
    llm = house.routed(balance("one/m", "two/m", "three/m", affinity=affinity))
    homes = set()
    for number in range(12):
        begin = [
            {"role": "system", "content": f"instructions {number if affinity == 'prefix' else 0}"},
            {"role": "user", "content": f"question {number}"},
        ]
        first = llm.complete(begin)
        longer = [*begin, first.message, {"role": "user", "content": "and then?"}]
        assert llm.complete(longer).served_by == first.served_by
        homes.add(first.served_by)
    assert len(homes) > 1


def test_prompt_cache_key_names_what_belongs_together(house: House) -> None:
    llm = house.routed(balance("one/m", "two/m", "three/m", affinity="session"))
    found = {llm.complete(f"question {number}", prompt_cache_key="mine").served_by for number in range(8)}
    assert len(found) == 1


def test_conversations_that_begin_alike_are_one_session_unless_a_key_tells_them_apart(house: House) -> None:
    house.kernel = house.make(random=random.Random(7).random)
    llm = house.routed(balance("one/m", "two/m", "three/m", affinity="session"))
    alike = [LLMSession(llm, system="be brief") for _ in range(10)]
    assert len({session.send("hi", "completion").served_by for session in alike}) == 1
    homes = set()
    for number in range(10):
        session = LLMSession(llm, system="be brief")
        asked = [session.send(text, "completion", prompt_cache_key=f"user {number}") for text in ("hi", "and then?")]
        assert len({answer.served_by for answer in asked}) == 1
        homes.add(asked[0].served_by)
    assert len(homes) > 1


def test_a_target_without_prompt_cache_key_is_asked_all_the_same(house: House) -> None:
    rule = {"drop": {"prompt_cache_key": "it has none"}}
    house.kernel = house.make(more={name: {"parameters": [rule]} for name in ("one", "two", "three")})
    llm = house.routed(balance("one/m", "two/m", "three/m", affinity="session"))
    with pytest.warns(LossyRequestWarning, match="it has none"):
        answers = [llm.complete(f"question {number}", prompt_cache_key="mine") for number in range(4)]
    assert len({answer.served_by for answer in answers}) == 1
    assert answers[0].report.entries["prompt_cache_key"].outcome == "dropped"
    assert len(answers[0].attempts) == 1


def test_with_affinity_a_failing_home_is_left_for_the_same_second(house: House) -> None:
    llm = house.routed(balance("one/m", "two/m", "three/m", affinity="session"))
    home = str(llm.complete("hi").served_by).partition("/")[0]
    house.servers[home].strike("S5.500", home)
    assert len({llm.complete("hi").served_by for _ in range(4)}) == 1


def test_least_busy_prefers_who_has_fewer_calls_on_their_way(house: House) -> None:
    llm = house.routed(balance("one/m", "two/m", by="least_busy"))
    router = llm.spec.route
    stream = llm.stream("hi", include="chunk")
    next(stream)
    busy = next(name for name in ("one", "two") if house.servers[name].request_count)
    other = "two" if busy == "one" else "one"
    assert llm.complete("hi").served_by == f"{other}/m"
    stream.close()  # type: ignore[attr-defined]
    assert router is llm.spec.route
