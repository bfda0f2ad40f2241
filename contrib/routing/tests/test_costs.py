"""What a route costs: the ledger prices every request of it, also those whose answers nobody got."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from hb_routing import cascade, fallback
from hb_testing.server import AnthropicWire, LoopbackServer
from heavenbase.errors import FallbackExhausted, FallbackWarning
from heavenbase.ledger import Cost, cost_of
from heavenbase.llm import LLM
from heavenbase.resolution import ModelTable
from heavenbase.types import Usage

from .support import House

WEIGHTS = {"one": 1, "two": 100, "three": 10_000}
"""Cents for a token, by provider."""
FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "n", "schema": {"type": "object", "required": ["n"], "properties": {"n": {}}}},
}
USAGE = {"prompt_tokens": 2, "completion_tokens": 1}


class Weighed(ModelTable):
    """Prices by provider."""

    name = "prices"

    def cost(self, provider: str, model_id: str, usage: Usage, *, at: float) -> Cost | None:
        if provider not in WEIGHTS or usage.total_tokens is None:
            return None
        return Cost(Decimal(usage.total_tokens * WEIGHTS[provider]), source="weights", date="2026-11-01")


@pytest.fixture(autouse=True)
def priced(house: House) -> Iterator[None]:
    house.kernel = house.make(plugins=[Weighed()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        yield


def forms(llm: LLM) -> list[Callable[..., Any]]:
    """Chats and streams, sync and async, as functions that give the whole answer."""

    async def gather(**options: Any) -> Any:
        return [item async for item in llm.astream("hi", include="completion", **options)][-1]

    return [
        lambda **options: llm.complete("hi", **options),
        lambda **options: list(llm.stream("hi", include="completion", **options))[-1],
        lambda **options: asyncio.run(llm.acomplete("hi", **options)),
        lambda **options: asyncio.run(gather(**options)),
    ]


FORM = pytest.mark.parametrize("form", range(4))


def weighed(attempts: Any) -> list[int | None]:
    """What each request cost, in tokens of its provider; as a check of the ledger against itself."""
    for it in attempts:
        if it.cost is not None:
            assert it.cost.amount == it.usage.total_tokens * WEIGHTS[it.provider]
    return [None if it.cost is None else int(it.cost.amount) // WEIGHTS[it.provider] for it in attempts]


@FORM
def test_a_hop_costs_what_the_target_that_answered_does(house: House, form: int) -> None:
    house.fail("one", 503)
    house.servers["two"].reply("hello", usage=USAGE)
    answer = forms(house.llm(max_retries=0))[form]()
    assert [(it.provider, it.error) for it in answer.attempts] == [("one", "overloaded"), ("two", None)]
    assert weighed(answer.attempts) == [None, 3]
    assert answer.cost == Cost(Decimal(300), "USD", "weights", "2026-11-01")


@FORM
def test_a_rejected_tier_is_paid_for(house: House, form: int) -> None:
    house.servers["one"].reply("I cannot", finish_reason="length", usage={"prompt_tokens": 2, "completion_tokens": 5})
    house.servers["two"].reply("hello", usage=USAGE)
    answer = forms(house.routed(cascade("one/m", "two/m", judge="finish")))[form]()
    assert weighed(answer.attempts) == [7, 3]
    assert answer.attempts[0].rejected
    assert (answer.cost.amount, answer.usage.total_tokens) == (7 + 300, 10)
    assert not answer.cost.at_least


@FORM
def test_a_rejected_tier_inside_another_route_is_paid_for_too(house: House, form: int) -> None:
    for name, said in (("one", "length"), ("two", "length"), ("three", "stop")):
        house.servers[name].reply("x", finish_reason=said, usage=USAGE)
    inner = cascade("one/m", "two/m", judge="finish")
    answer = forms(house.routed(fallback(inner, "three/m", judge="finish")))[form]()
    assert weighed(answer.attempts) == [3, 3, 3]
    assert answer.cost.amount == 3 + 300 + 30_000
    assert answer.usage.total_tokens == 9


@FORM
def test_what_had_not_the_form_is_paid_for(house: House, form: int) -> None:
    for text in ("nothing", "nothing at all"):
        house.servers["one"].reply(text, usage={"prompt_tokens": 2, "completion_tokens": 2})
    house.servers["two"].reply('{"n": 1}', usage=USAGE)
    route = cascade("one/m", "two/m", judge="structured")
    answer = forms(house.routed(route))[form](response_format=FORMAT)
    assert weighed(answer.attempts) == [4, 4, 3]
    assert (answer.cost.amount, answer.cost.at_least) == (8 + 300, False)
    assert answer.usage.total_tokens == 11


@FORM
def test_the_error_of_a_route_has_the_costs_of_all(house: House, form: int) -> None:
    house.servers["one"].reply("x", finish_reason="length", usage=USAGE)
    house.fail("two", 503)
    with pytest.raises(FallbackExhausted) as caught:
        forms(house.routed(fallback("one/m", "two/m", judge="finish"), max_retries=0))[form]()
    assert [(it.provider, it.error) for it in caught.value.attempts] == [("one", None), ("two", "overloaded")]
    assert weighed(caught.value.attempts) == [3, None]
    total = cost_of(caught.value.attempts)
    assert total is not None
    assert total.amount == 3


@FORM
def test_the_next_key_of_a_target_is_another_request(house: House, form: int) -> None:
    house.fail("one", 401)
    house.servers["one"].reply("hello", usage=USAGE)
    route = fallback({"model": "one/m", "keys": ["key-a-0123456789", "key-b-0123456789"]}, "two/m")
    answer = forms(house.routed(route))[form]()
    assert weighed(answer.attempts) == [None, 3]
    assert answer.cost.amount == 3


@FORM
def test_what_a_tier_of_unknown_price_cost_leaves_the_whole_unknown(house: House, form: int) -> None:
    house.servers["one"].reply("x", finish_reason="length", usage={})
    house.servers["two"].reply("hello")
    answer = forms(house.routed(cascade("one/m", "two/m", judge="finish")))[form]()
    assert [it.cost is None for it in answer.attempts] == [True, False]
    assert answer.cost is None


@pytest.mark.parametrize("form", [1, 3])
@pytest.mark.parametrize("how", ["restart", "user_turn", "prefill"])
def test_a_stream_that_broke_and_another_that_went_on(house: House, form: int, how: Any) -> None:
    with LoopbackServer(wires=[AnthropicWire(name="one")]) as server:
        given = {"base_url": server.url("one"), "gateway": "anthropic", "wire": "anthropic"}
        house.kernel = house.make(more={"one": given}, plugins=[Weighed()])
        server.reply("one two three", usage={"prompt_tokens": 4, "completion_tokens": 3})
        server.strike("E2.2", "one")
        house.servers["two"].reply("three", usage=USAGE)
        answer = forms(house.routed(fallback("one/m", "two/m", stream_fallback=how)))[form]()
    first, second = answer.attempts
    # It told of its prompt, and of the first token, when it began.
    assert (first.error, first.usage.total_tokens) == ("stream_interrupted", 5)
    assert (first.cost.amount, first.cost.at_least) == (5, True)
    assert (second.cost.amount, second.cost.at_least) == (300, False)
    assert (answer.cost.amount, answer.cost.at_least) == (305, True)


@pytest.mark.parametrize("form", [1, 3])
def test_a_stream_that_broke_without_a_count_makes_the_whole_a_least(house: House, form: int) -> None:
    house.servers["one"].reply("one two three")
    house.servers["one"].strike("E2.2", "one")
    house.servers["two"].reply("three", usage=USAGE)
    answer = forms(house.routed(fallback("one/m", "two/m", stream_fallback="restart")))[form]()
    assert [it.cost is None for it in answer.attempts] == [True, False]
    assert (answer.cost.amount, answer.cost.at_least) == (300, True)


def remember(house: House) -> None:
    """Have answers kept in memory."""
    config = {"heavenbase.llm.cache.enabled": True, "heavenbase.llm.cache.backend": "memory"}
    house.kernel = house.make(config, plugins=[Weighed()])


@FORM
def test_an_answer_of_the_cache_behind_a_failure_costs_nothing(house: House, form: int) -> None:
    remember(house)
    house.servers["two"].reply("hello", usage=USAGE)
    assert forms(house.llm("two/m", temperature=0))[form]().cost.amount == 300
    kept = forms(house.llm("one/m", "two/m", temperature=0, max_retries=0))[form]()
    assert (kept.cached, kept.attempts, kept.usage.total_tokens) == (True, [], 3)
    assert kept.cost == Cost(Decimal(0), source="cache")


@FORM
def test_an_answer_of_the_cache_that_is_rejected_is_not_paid_again(house: House, form: int) -> None:
    remember(house)
    house.servers["one"].reply("maybe", usage=USAGE)
    assert forms(house.llm("one/m", temperature=0))[form]().cost.amount == 3
    house.servers["two"].reply("hello", usage=USAGE)
    route = cascade("one/m", "two/m", judge=lambda call, answer: "unsure" if answer.text == "maybe" else None)
    answer = forms(house.routed(route, temperature=0))[form]()
    assert answer.text == "hello"
    assert weighed(answer.attempts) == [3]
    assert answer.cost.amount == 300
