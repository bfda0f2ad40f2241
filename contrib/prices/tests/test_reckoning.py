"""What a usage costs: exact, by bucket, tier, day and hour, and None where any part of the bill is not known."""

from __future__ import annotations

import csv
import random
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from genai_prices import types as theirs
from genai_prices.data import providers

from hb_prices import Prices, Table
from hb_prices.providers import KEPT
from hb_prices.reckoning import prices_at, reckon
from hb_prices.table import Row
from heavenbase.ledger import Cost
from heavenbase.types import Usage

from .conftest import day

NOW = day("2026-11-20")
CENT = Decimal("0.01")
DATA = Path(__file__).parent / "data"


def row(**prices: Any) -> Row:
    return Row("m", ("=m",), (prices,))


def costs(held: Row, usage: Usage, at: float = NOW) -> Decimal | None:
    found = prices_at(held, at, usage.tier)
    amount = reckon(found, usage) if found is not None else None
    return amount.amount if amount is not None else None


def test_each_bucket_has_its_price(prices: Prices) -> None:
    usage = Usage(1000, 200, cache_read=4000, cache_write=3000, cache_write_1h=1000, reasoning=100, web_searches=2)
    found = prices.cost("anthropic", "claude-haiku-4-5", usage, at=NOW)
    # 1000 fresh at 1, 4000 read at 0.10, 2000 written at 1.25, 1000 for an hour at 2, 300 out at 5, 2 searches at 10.
    assert found == Cost(Decimal("0.0274"), "USD", "genai-prices 0.2.3", "2026-11-10")


def test_amounts_are_exact_whatever_the_callers_context_is(prices: Prices) -> None:
    with localcontext() as context:
        context.prec = 3
        found = prices.cost("openai", "gpt-5.5", Usage(123_457, 98_761), at=NOW)
    assert found is not None
    assert found.amount == Decimal("3.580115")


def test_a_sound_that_openai_hears_has_a_price_of_its_own_or_none(prices: Prices) -> None:
    heard = Usage(0, 0, audio=1_000_000)
    assert prices.cost("openai", "gpt-4o-audio-preview", heard, at=NOW) is None  # 40 dollars, where text costs 2.50
    assert prices.cost("azure", "gpt-4o-audio-preview", heard, at=NOW) is None
    for provider, model, amount in (("openai", "gpt-audio", "32"), ("gemini", "gemini-2.5-pro", "2.5")):
        found = prices.cost(provider, model, heard, at=NOW)
        assert found is not None
        assert found.amount == Decimal(amount)
    own = Prices(models={"openai/gpt-4o-audio-preview": {"input": 3, "output": 10}})
    said = own.cost("openai", "gpt-4o-audio-preview", heard, at=NOW)
    assert said is not None
    assert said.amount == 3


def test_a_long_prompt_costs_the_price_of_its_tier_for_all_of_it(prices: Prices) -> None:
    short = prices.cost("openai", "gpt-5.5", Usage(272_000, 1000), at=NOW)
    long = prices.cost("openai", "gpt-5.5", Usage(272_001, 1000), at=NOW)
    read = prices.cost("openai", "gpt-5.5", Usage(1, 1000, cache_read=272_000), at=NOW)
    assert (short and short.amount, long and long.amount) == (Decimal("1.39"), Decimal("2.76501"))
    assert read is not None
    assert read.amount == Decimal("0.31701")


def test_prices_change_on_their_day(prices: Prices) -> None:
    usage = Usage(1_000_000, 1_000_000)
    before, after = (
        prices.cost("gemini", "gemini-3.6-flash", usage, at=day(at)) for at in ("2026-12-31", "2027-01-01")
    )
    assert (before and before.amount, after and after.amount) == (Decimal("4.5"), Decimal("9"))


@pytest.mark.parametrize(("time", "price"), [("00:29", "1"), ("00:30", "2"), ("16:29", "2"), ("16:30", "1")])
def test_prices_change_with_the_hour_of_the_day(time: str, price: str) -> None:
    held = Row("m", (), ({"input": "1"}, {"daily": ["00:30", "16:30"], "input": "2"}))
    assert costs(held, Usage(1_000_000), day("2026-01-01", time)) == Decimal(price)


def test_an_interval_may_pass_midnight() -> None:
    held = Row("m", (), ({"input": "1"}, {"daily": ["22:00", "06:00"], "input": "2"}))
    amounts = [costs(held, Usage(1_000_000), day("2026-01-01", time)) for time in ("21:59", "23:00", "05:59", "06:00")]
    assert amounts == [1, 2, 2, 1]


@pytest.mark.parametrize(
    ("tier", "amount"),
    [(None, "35"), ("default", "35"), ("flex", "17.5"), ("batch", "17.5"), ("priority", "87.5"), ("scale", None)],
)
def test_the_service_that_was_billed_has_its_own_prices(prices: Prices, tier: str | None, amount: str | None) -> None:
    parts = [
        prices.cost("openai", "gpt-5.5", usage, at=NOW)
        for usage in (Usage(100_000, 0, tier=tier), Usage(0, 100_000, tier=tier))
    ]
    found = Cost.total(parts)
    assert (found and found.amount * 10) == (amount and Decimal(amount))


def test_a_fast_answer_costs_what_fast_ones_do_and_one_of_a_country_is_not_known(prices: Prices) -> None:
    usage = Usage(1_000_000, 0)
    plain = prices.cost("anthropic", "claude-opus-5", usage, at=NOW)
    fast = prices.cost("anthropic", "claude-opus-5", Usage(1_000_000, 0, tier="fast"), at=NOW)
    assert plain is not None
    assert fast is not None
    assert fast.amount > plain.amount
    assert prices.cost("anthropic", "claude-opus-5", Usage(1_000_000, 0, tier="us"), at=NOW) is None


@pytest.mark.parametrize(
    ("usage", "amount"),
    [
        (Usage(1_000_000, 0, reasoning=1_000_000), 3),  # thoughts cost what the answer does
        (Usage(0, 0, audio=1_000_000), 1),  # a picture or sound in the prompt is input, unless it has a price
        (Usage(0, 0, image=1_000_000), 1),
        (Usage(0, 0, cache_read=1), None),  # what is read costs less nearly everywhere: how much is not known
        (Usage(0, 0, cache_write=1), None),
        (Usage(0, 0, output_audio=1), None),
        (Usage(0, 0, output_image=1), None),
        (Usage(1, None), None),
        (Usage(None, 1), None),
        (Usage(), None),
        (Usage(0, 0), 0),
    ],
)
def test_a_bucket_without_a_price_is_priced_as_its_like_or_not_at_all(usage: Usage, amount: int | None) -> None:
    assert costs(row(input="1", output="2"), usage) == amount


def test_vectors_have_no_output(prices: Prices) -> None:
    found = prices.cost("openai", "text-embedding-3-small", Usage(1_000_000), at=NOW)
    assert found is not None
    assert found.amount == Decimal("0.02")


def test_what_hb_does_not_count_makes_a_price_unknown() -> None:
    assert costs(row(**{"input": "1", "~": "0"}), Usage(1)) is None
    assert costs(Row("m", ()), Usage(1)) is None


def test_a_request_may_have_a_price_of_its_own() -> None:
    assert costs(row(input="1", requests="5"), Usage(1_000_000)) == Decimal("1.005")


def test_what_is_beside_the_tokens_and_not_known_makes_it_a_lower_bound(prices: Prices) -> None:
    plain = Usage(10, 10)
    assert prices.cost("openai", "gpt-5.5", plain, at=NOW).at_least is False  # type: ignore[union-attr]
    assert prices.cost("openai", "gpt-5.5", Usage(10, 10, tools=1), at=NOW).at_least is True  # type: ignore[union-attr]
    searched = Usage(10, 10, web_searches=3)
    with_price = prices.cost("anthropic", "claude-haiku-4-5", searched, at=NOW)
    assert (with_price and with_price.amount, with_price and with_price.at_least) == (Decimal("0.03006"), False)
    some_free = prices.cost("gemini", "gemini-3.5-flash", searched, at=NOW)
    assert (some_free and some_free.amount, some_free and some_free.at_least) == (Decimal("0.000105"), True)


def test_models_that_always_search_are_not_priced_without_a_count(prices: Prices) -> None:
    assert prices.cost("openai", "gpt-4o-search-preview", Usage(10, 10), at=NOW) is None


def test_every_model_of_the_table_costs_what_genai_prices_makes_of_it(table: Table) -> None:
    """200 usages and more against the source's own reckoning: the same, or not known to us."""
    chance, same = random.Random(7), 0
    moments = [
        datetime(2025, 6, 1, 3, tzinfo=UTC),
        datetime(2026, 11, 30, 12, tzinfo=UTC),
        datetime(2027, 2, 1, 20, tzinfo=UTC),
    ]
    for provider in (each for each in providers if each.id in KEPT):
        for model in provider.models:
            held = table.find(provider.id, model.id)
            assert held is not None
            assert held.id == model.id
            tier = chance.choice([None, "batch", "flex"])
            usage = Usage(
                chance.choice([1_000, 250_000, 900_000]),
                700,
                reasoning=300,
                cache_read=chance.choice([0, 5_000]),
                tier=tier,
            )
            at = chance.choice(moments)
            found = prices_at(held, at.timestamp(), tier)
            ours = reckon(found, usage) if found is not None else None
            if ours is None:
                continue
            context = {"batch": {"processing": "batch"}, "flex": {"service_tier": "flex"}}.get(tier or "")
            given = theirs.Usage(
                input_tokens=usage.prompt_tokens,
                output_tokens=usage.completion_tokens,
                cache_read_tokens=usage.cache_read,
                output_reasoning_tokens=300,
            )
            wanted = model.calc_price(given, provider, genai_request_timestamp=at, price_context=context).total_price
            assert abs(ours.amount - wanted) < Decimal("1e-20"), (provider.id, model.id, tier, at)
            same += 1
    assert same > 400


def recorded() -> list[dict[str, str]]:
    with open(DATA / "reported.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_recorded_calls_cost_what_the_provider_said_or_are_not_known(prices: Prices) -> None:
    """Calls to OpenRouter with what it said of each: usage and figure, as people published them."""
    rows = recorded()
    assert len(rows) >= 200
    known = 0
    for each in rows:
        cached, thought = int(each["cached"]), int(each["reasoning"])
        usage = Usage(
            int(each["prompt"]) - cached, int(each["completion"]) - thought, cache_read=cached, reasoning=thought
        )
        found = prices.cost("openrouter", each["model"], usage, at=day(each["day"] or "2026-06-15"))
        if found is not None:
            assert abs(found.amount - Decimal(each["cost"])) < CENT / 2, each
            assert abs(found.amount - Decimal(each["cost"])) <= Decimal("0.00001"), each
            known += 1
    assert known >= 100
