"""Every model that hb knows, at every provider that has it: a price, or the reason why there is none."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest

from hb_prices import Prices
from hb_prices.providers import SELLERS, UNPRICED, seller_of

from .conftest import day

NOW = day("2026-11-20")
FREE = "it is free at its maker, and not in the source"
LACKING = {
    ("zai", "glm-4.7-flash"): FREE,
    ("openrouter", "openai/text-embedding-3-small"): "the source has no embeddings of OpenRouter",
}
"""Models of priced providers that have no price, and why."""


def models() -> dict[str, dict[str, Any]]:
    text = resources.files("heavenbase").joinpath("data/models.toml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = tomllib.loads(text)["models"]
    return found


PAIRS = sorted(
    (provider, entry if isinstance(entry, str) else entry["id"])
    for record in models().values()
    for provider, entry in record.get("providers", {}).items()
)


@pytest.mark.parametrize(("provider", "model_id"), PAIRS, ids="/".join)
def test_a_model_has_a_price_or_a_reason(prices: Prices, provider: str, model_id: str) -> None:
    found = prices.prices(provider, model_id, at=NOW)
    if provider in UNPRICED or (provider, model_id) in LACKING:
        assert found is None
        return
    assert found is not None
    assert found["source"] == "genai-prices 0.2.3"
    assert found["input"] is not None


def test_every_provider_of_the_workspace_is_priced_or_has_a_reason() -> None:
    from importlib.metadata import entry_points

    ours = {each.name for each in entry_points(group="heavenbase.providers") if each.value.startswith("hb_provider_")}
    assert ours <= SELLERS.keys() | UNPRICED.keys()
    assert all(UNPRICED.values())


@pytest.mark.parametrize(
    ("provider", "model_id", "price"),
    [
        # The region is part of what is paid for, and dates and versions are not.
        ("bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0", "1.1"),
        ("bedrock", "global.anthropic.claude-haiku-4-5-20251001-v1:0", "1"),
        ("bedrock", "anthropic.claude-3-haiku-20240307-v1:0", "0.25"),
        ("bedrock", "us.amazon.nova-micro-v1:0", "0.035"),
        ("bedrock", "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", None),
        ("vertex", "claude-opus-4-1@20250805", "15"),
        ("gemini", "gemini-2.5-pro-preview-05-06", "1.25"),
        ("gemini", "gemini-2.5-pro-computer-use", None),
        # A deployment may be called anything: only a model's own name means it.
        ("azure", "gpt-4o-mini", "0.15"),
        ("azure", "gpt-4o-mini-of-team-a", None),
        ("azure", "chat", None),
        ("openrouter", "anthropic/claude-haiku-4.5", "1"),
        ("openrouter", "deepseek/deepseek-r1:free", "0"),
        ("openai", "gpt-9-nova", None),
        ("anthropic", "claude-opus-4-10", None),
        ("ollama", "llama3", None),
        ("nobody", "gpt-5.5", None),
    ],
)
def test_an_id_means_its_own_model_or_none(prices: Prices, provider: str, model_id: str, price: str | None) -> None:
    found = prices.prices(provider, model_id, at=NOW)
    if price is None or found is None:
        assert found is price
        return
    first = found["input"]
    assert (first[0] if isinstance(first, tuple) else first) == Decimal(price)


def test_a_model_of_many_hosts_is_shown_and_not_reckoned(prices: Prices) -> None:
    from heavenbase.types import Usage

    assert prices.prices("openrouter", "mistralai/mistral-nemo", at=NOW) is not None
    assert prices.cost("openrouter", "mistralai/mistral-nemo", Usage(1000, 10), at=NOW) is None
    assert prices.cost("openrouter", "openai/gpt-oss-120b", Usage(1000, 10), at=NOW) is None
    assert prices.cost("openrouter", "openai/gpt-5.5", Usage(1000, 10), at=NOW) is not None
    listed = Prices(list_prices=True)
    assert listed.cost("openrouter", "mistralai/mistral-nemo", Usage(1000, 10), at=NOW) is not None


def test_shown_prices_have_buckets_tiers_source_and_day(prices: Prices) -> None:
    found = prices.prices("openai", "gpt-5.5", at=NOW)
    assert found is not None
    first, (start, above) = found["input"]
    assert (str(first), start, str(above)) == ("5", 272_000, "10")
    assert str(found["tiers"]["batch"]["output"][0]) == "15"
    assert (found["currency"], found["source"], found["date"]) == ("USD", "genai-prices 0.2.3", "2026-11-10")


def test_facts_are_abilities_that_the_kernel_has(prices: Prices) -> None:
    from heavenbase.config.abilities import ABILITIES

    assert prices.facts("openai", "gpt-5.5") == {"context_window": 1_000_000, "max_output_tokens": 128_000}
    assert prices.facts("openai", "text-embedding-3-small")["chat"] is False
    assert prices.facts("gemini", "gemini-2.5-flash")["max_output_tokens"] == 65_536
    assert prices.facts("ollama", "llama3") == {}
    told = {name for provider in prices.table.providers for row in prices.table.rows(provider) for name in row.facts}
    assert told <= ABILITIES.keys()


def test_others_may_publish_a_provider_under_its_own_name(prices: Prices) -> None:
    assert seller_of("together") is not None
    assert prices.prices("cerebras", "gpt-oss-120b", at=NOW) is not None


def test_how_long_answers_of_claude_may_be_is_what_its_gateway_knows(prices: Prices) -> None:
    from hb_gateway_anthropic.models import most_tokens_of

    rows = [row for name in prices.table.providers for row in prices.table.rows(name) if "claude" in row.id]
    assert len(rows) > 100
    assert {row.id: row.facts.get("max_output_tokens") for row in rows} == {
        row.id: most_tokens_of(row.id) for row in rows
    }


@pytest.mark.parametrize(
    ("provider", "model", "most"),
    [("anthropic", "claude-sonnet-4-5", 64_000), ("anthropic", "claude-opus-4-1", 32_000),
     ("openrouter", "claude-haiku-4-5", 64_000), ("anthropic", "claude-opus-9", None)],
)  # fmt: skip
def test_a_claude_without_a_limit_of_its_call_has_that_of_its_model(
    provider: str, model: str, most: int | None
) -> None:
    import heavenbase as hb

    environ = {"ANTHROPIC_API_KEY": "k", "OPENROUTER_API_KEY": "k"}
    with hb.Kernel({}, environ=environ) as kernel:
        assert hb.LLM(model=model, provider=provider, kernel=kernel).spec.capability("max_output_tokens") == most
