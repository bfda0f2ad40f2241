"""The most that a request may come to, before it is sent."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hb_limits.budgets.bounds import AROUND_CALL, AROUND_MESSAGE, MEDIUM, bound_of
from heavenbase.errors import BudgetExceeded
from heavenbase.image import make_picture
from heavenbase.ledger import Cost
from heavenbase.types import Usage

from .budget_support import PRICES, House, Priced


def bound(house: House, messages: Any, **options: Any) -> Any:
    found: list[Any] = []
    house.bank.says = lambda call, asked: found.append(bound_of(call, 0.0)) or Usage(1, 1)
    house.llm().complete(messages, **options)
    return found[0]


def test_the_bound_of_an_answer() -> None:
    house = House([{"tokens": 10**9}])
    assert bound(house, "hi", n=3).output == 3000
    assert bound(house, "hi", reasoning_max_tokens=500).output == 1500
    assert bound(house, "hi", max_tokens=None, max_completion_tokens=70).output == 70


def test_the_bound_of_a_prompt() -> None:
    house = House([{"tokens": 10**9}])
    plain = bound(house, "hi").input
    assert plain == 2 + AROUND_CALL + AROUND_MESSAGE
    assert bound(house, "hi", images=[make_picture("a cat")]).input == plain + MEDIUM
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
    assert bound(house, "hi", tools=[tool]).input > plain + 600


def test_vectors_are_asked_by_their_batches_and_pictures_have_no_price() -> None:
    house = House([{"money": "1", "per": "call"}, {"name": "all", "money": "1"}])
    house.llm().embed(["a", "bb"], embedding_batch_size=1)
    assert {asked.most for asked in house.bank.asked} == {Decimal(AROUND_CALL + n) / 100_000 for n in (1, 2)}
    assert house.spent("all") == sum(asked.most for asked in house.bank.asked)
    with pytest.raises(BudgetExceeded, match="an image of bank/dear"):
        house.llm(max_tokens=None).imagen("a cat")


def test_prices_of_the_bank_are_exact_parts() -> None:
    """Amounts of twelve decimals: no sum of prices with six decimals for a million is rounded."""
    house = House([{"money": "1"}])
    house.bank.says = lambda call, asked: Usage(7, 13)
    house.llm("cheap").complete("hi")
    inner, outer = map(Decimal, PRICES["cheap"])
    assert house.spent() == (7 * inner + 13 * outer) / 1_000_000


def test_the_dearest_way_is_set_aside() -> None:
    """A table whose cache costs more to write than a prompt to read, and whose pictures are dear."""

    class Dear(Priced):
        def cost(self, provider: str, model_id: str, usage: Usage, *, at: float) -> Cost | None:
            parts = (usage.input or 0, 2 * (usage.cache_write or 0), 9 * (usage.image or 0), usage.output or 0)
            return Cost(Decimal(sum(parts) + 3 * (usage.reasoning or 0)))

    house = House([{"money": 10**9}], table=Dear())
    plain = bound(house, "hi", max_tokens=10)
    assert plain.cost.amount == 2 * plain.input + 3 * 10
    seen = bound(house, "hi", max_tokens=10, images=[make_picture("a cat")])
    assert seen.cost.amount == 9 * seen.input + 10


@pytest.mark.parametrize(
    ("extra", "most"),
    [
        ({"max_tokens": 5000}, 5000),
        ({"generationConfig": {"maxOutputTokens": 5000}}, 5000),
        ({"options": {"num_predict": 10}}, 1000),
        ({"options": {"num_predict": -1}}, 9000),
        ({"max_completion_tokens": None}, 9000),
        ({"n": 4}, 4000),
        ({"best_of": 3, "max_tokens": 2000}, 6000),
    ],
    ids=str,
)
def test_what_extra_body_asks_for_counts_where_it_is_more(extra: dict[str, Any], most: int) -> None:
    facts = {"heavenbase.llm.providers.bank.capabilities": {"max_output_tokens": 9000}}
    house = House([{"tokens": 10**9}], config=facts)
    found = bound(house, "hi", extra_body=extra)
    assert found.output == most
    assert found.input > bound(house, "hi").input


def test_what_extra_body_puts_into_the_prompt_counts() -> None:
    house = House([{"tokens": 10**9}])
    laid = {"messages": [{"role": "user", "content": "a" * 5000}]}
    assert bound(house, "hi", extra_body=laid).input > 5000


def test_each_answer_may_be_as_long_as_the_context_where_nothing_else_is_known() -> None:
    facts = {"heavenbase.llm.providers.bank.capabilities": {"context_window": 5000}}
    house = House([{"tokens": 10**9}], config=facts)
    assert bound(house, "hi", max_tokens=None).output == 5000
    assert bound(house, "hi", max_tokens=None, n=2).output == 10_000
    assert bound(house, "hi", max_tokens=None, extra_body={"n": 3}).output == 15_000


@pytest.mark.parametrize(
    "options",
    [
        {"output_format": {"type": "json_schema", "schema": {"description": "a" * 5000}}},
        {"documents": [{"text": "a" * 5000}], "allow_unknown": True},
        {"preamble": "a" * 5000, "allow_unknown": True},
    ],
    ids=lambda options: next(iter(options)),
)
def test_whatever_else_is_sent_is_of_the_prompt(options: dict[str, Any]) -> None:
    house = House([{"tokens": 10**9}])
    assert bound(house, "hi", **options).input > 5000


def test_what_is_foretold_may_be_billed_beside_the_answer() -> None:
    house = House([{"tokens": 10**9}])
    foretold = {"type": "content", "content": "a" * 5000}
    assert bound(house, "hi", prediction=foretold).output > 6000
    assert bound(house, "hi", extra_body={"prediction": foretold}).output > 6000


class Served(Priced):
    """Fast answers cost six times as much; of other services nothing is known."""

    def cost(self, provider: str, model_id: str, usage: Usage, *, at: float) -> Cost | None:
        found = super().cost(provider, model_id, usage, at=at)
        times = {None: 1, "fast": 6}.get(usage.tier)
        return Cost(found.amount * times, source="served") if found is not None and times is not None else None


@pytest.mark.parametrize(
    "options", [{"service_tier": "fast"}, {"extra_body": {"service_tier": "fast"}}, {"extra_body": {"speed": "fast"}}]
)
def test_the_service_that_is_asked_for_is_set_aside(options: dict[str, Any]) -> None:
    house = House([{"money": 1}], table=Served())
    plain = bound(house, "hi", extra_body={"service_tier": "flex", "speed": "standard"}).cost.amount
    assert bound(house, "hi", **options).cost.amount > 5 * plain


@pytest.mark.parametrize(
    "extra",
    [
        {"serviceTier": "priority"},
        {"inference_geo": "us"},
        {"service_tier": "priority", "speed": "fast"},
    ],
    ids=str,
)
def test_a_service_that_has_no_price_is_an_unknown_price(extra: dict[str, Any]) -> None:
    house = House([{"money": 1}], table=Served())
    with pytest.raises(BudgetExceeded, match="the price of bank/dear is not known"):
        house.llm().complete("hi", extra_body=extra)
    assert house.bank.asked == []


def test_what_extra_body_keeps_for_an_hour_costs_that() -> None:
    class Kept(Priced):
        def cost(self, provider: str, model_id: str, usage: Usage, *, at: float) -> Cost | None:
            return Cost(Decimal((usage.input or 0) + (usage.cache_write or 0) + (usage.cache_write_1h or 0)))

    house = House([{"money": 10**9}], table=Kept())
    laid = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    found = bound(house, "hi", extra_body=laid)
    assert found.cost.amount == 2 * found.input


def test_the_price_of_a_model_that_extra_body_names_is_not_known() -> None:
    house = House([{"money": 1}])
    for extra in ({"model": "dearest"}, {"models": ["dear", "dearest"]}):
        with pytest.raises(BudgetExceeded, match="extra_body names another model than bank/dear"):
            house.llm().complete("hi", extra_body=extra)
    house.llm().complete("hi", extra_body={"model": "dear"})


TEXT = "QUFB" * 200_000


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        ({"type": "file", "file": {"filename": "a.txt", "file_data": f"data:text/plain;base64,{TEXT}"}}, 300_000),
        ({"type": "file", "file": {"file_id": "file-1"}}, MEDIUM),
        ({"type": "input_audio", "input_audio": {"data": "QUFB" * 800_000, "format": "mp3"}}, 75_000),
        ({"type": "document", "title": "t", "source": {"type": "text", "data": "\u4e2d" * 100_000}}, 100_000),
    ],
    ids=["file", "file_id", "sound", "document"],
)  # fmt: skip
def test_what_is_sent_along_counts_by_its_size(part: dict[str, Any], tokens: int) -> None:
    house = House([{"tokens": 10**9}])
    plain = bound(house, "hi").input
    message = {"role": "user", "content": [{"type": "text", "text": "hi"}, part]}
    assert tokens <= bound(house, [message]).input - plain <= tokens * 1.2
    narrow = House([{"tokens": 10**9}], config={"heavenbase.llm.providers.bank.capabilities": {"context_window": 8000}})
    assert bound(narrow, [message]).input - plain <= 8000


@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize(
    "usage", [Usage(10**30, 1), *(Usage(-9, -9, cost=each) for each in ("1e999999", "1e5000", "-5"))], ids=str
)  # fmt: skip
def test_figures_that_no_request_can_come_to_lose_no_answer_and_block_no_other(
    usage: Usage, store: str, tmp_path: Path
) -> None:
    options = {"store": store, "path": str(tmp_path / "b.db") if store == "sqlite" else None}
    rules = [{"name": "own", "match": "bank/dear", "money": 1, "tokens": 10**6}, {"name": "all", "money": 10**15}]
    house = House(rules, **options)
    house.bank.says = lambda call, asked: usage
    assert house.llm().complete("hi").text == "yes"
    assert all(row.spent.money >= 0 <= row.spent.tokens for row in house.rows())
    house.bank.says = lambda call, asked: Usage(1, 1)
    house.budgets.keeper.store.reset([row.key for row in house.rows()], 0.0)
    assert house.llm("cheap").complete("hi").text == "yes"
    house.kernel.close()
