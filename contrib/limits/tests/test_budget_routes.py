"""A route goes on to a target that fits where a budget has no room for the first, and says so."""

from __future__ import annotations

import asyncio
import warnings
from decimal import Decimal
from typing import Any

import pytest

import heavenbase as hb
from hb_routing import balance, cascade, fallback
from heavenbase.errors import BudgetExceeded, FallbackExhausted, FallbackWarning

from .budget_support import MONDAY, House

CENT = Decimal("0.01")


def routed(house: House, route: Any, **options: Any) -> hb.LLM:
    given = {"max_tokens": 1000, "max_retries": 0, **options}
    return hb.LLM(route=route, kernel=house.kernel, **given)


@pytest.mark.parametrize("is_async", [False, True])
def test_near_the_end_of_a_budget_a_cheaper_target_answers_and_it_is_announced(is_async: bool) -> None:
    house = House([{"name": "team", "money": "0.02", "every": "day"}])
    llm = routed(house, fallback("bank/dear", "bank/cheap"))

    async def ask() -> Any:
        return await llm.acomplete("hi")

    with pytest.warns(FallbackWarning, match="bank/cheap answers in the place of bank/dear: .*budget"):
        answer = asyncio.run(ask()) if is_async else llm.complete("hi")
    assert (answer.served_by, [asked.model for asked in house.bank.asked]) == ("bank/cheap", ["cheap"])
    assert [(hop.target, hop.outcome) for hop in answer.hops] == [("bank/dear", "failed"), ("bank/cheap", "served")]
    assert "budget" in answer.hops[0].reason
    assert answer.attempts[0].reason is not None
    assert "budget" in answer.attempts[0].reason
    assert [attempt.model for attempt in answer.attempts] == ["cheap"]
    assert house.spent() == answer.cost.amount


def test_a_stream_goes_on_to_the_cheaper_target_before_its_first_content() -> None:
    house = House([{"money": "0.02"}])
    llm = routed(house, fallback("bank/dear", "bank/cheap"))
    with pytest.warns(FallbackWarning, match="bank/cheap answers"):
        assert "".join(llm.stream("hi")) == "yes"
    assert [asked.model for asked in house.bank.asked] == ["cheap"]


@pytest.mark.parametrize("kind", [fallback, balance, cascade])
def test_where_no_target_fits_the_error_is_of_the_budget_with_the_soonest_end(kind: Any) -> None:
    rules = [
        {"name": "dear", "match": "bank/dear", "money": "0.04", "every": "hour"},
        {"name": "cheap", "match": "bank/cheap", "money": "0.0002", "every": "day"},
    ]
    house = House(rules, wall=MONDAY + 60)
    for model in ("dear", "cheap"):
        house.llm(model).complete("hi")
    before = len(house.bank.asked)
    with pytest.raises((FallbackExhausted, BudgetExceeded)) as caught:
        routed(house, kind("bank/dear", "bank/cheap")).complete("hi")
    assert caught.value.kind == "budget"
    assert caught.value.retry_after == (86340 if kind is cascade else 3540)
    assert caught.value.attempts == ()
    assert len(house.bank.asked) == before


def test_a_budget_opens_no_breaker() -> None:
    """The target is as well as before: who has room is served by it at once."""
    house = House([{"per": "tenant", "money": "0.04"}])
    llm = routed(house, fallback("bank/dear", "bank/cheap"))
    llm.complete("hi", tenant="acme")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        for _ in range(12):
            assert llm.complete("hi", tenant="acme").served_by == "bank/cheap"
    assert llm.complete("hi", tenant="other").served_by == "bank/dear"


def test_of_several_keys_of_a_target_the_next_has_a_budget_of_its_own() -> None:
    house = House([{"per": "key", "money": "0.04"}])
    keys = ["sk-first-of-the-house", "sk-second-of-the-house"]
    llm = routed(house, fallback({"model": "bank/dear", "keys": keys}))
    for _ in range(2):
        llm.complete("hi")
    with pytest.raises(FallbackExhausted) as caught:
        llm.complete("hi")
    assert caught.value.kind == "budget"
    assert len(house.rows()) == 2
    assert {row.spent.money for row in house.rows()} == {house.rows()[0].spent.money}


def test_all_targets_of_a_call_count_together() -> None:
    house = House([{"per": "call", "money": "0.032"}])
    house.bank.says = lambda call, asked: hb.errors.ServerError("broken", status=500, maybe_billed=True)
    with pytest.raises(FallbackExhausted) as caught:
        routed(house, fallback("bank/dear", "bank/dear2", "bank/cheap")).complete("hi")
    assert [asked.model for asked in house.bank.asked] == ["dear", "cheap"]
    assert [type(error).__name__ for _, error in caught.value.errors] == [
        "ServerError",
        "BudgetExceeded",
        "ServerError",
    ]
