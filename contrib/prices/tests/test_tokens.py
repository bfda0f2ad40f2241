"""Estimates of tokens: exact where the vocabulary is the model's own, elsewhere within what is said."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from hb_prices import Prices, TokenEstimate, estimate, tokens
from hb_prices.tokens import SCRIPTS, counted, families, family_of
from heavenbase import LLM, Kernel
from heavenbase.operations import estimated_text

SAMPLES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "samples.json").read_text(encoding="utf-8")
)
"""Texts in 26 languages and of other kinds, with what vocabularies of each family make of them.

For Claude it is that of Claude 2, the last one that was published.
"""
MODELS = {
    "openai": "gpt-5.5",
    "openai-cl100k": "gpt-4",
    "gemini": "gemini-2.5-pro",
    "mistral": "mistral-large-2411",
    "llama": "llama-3.3-70b-versatile",
    "cohere": "command-r-plus",
    "deepseek": "deepseek-chat",
    "claude": "claude-sonnet-4-5",
}


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An environment without the package of vocabularies."""
    monkeypatch.setitem(sys.modules, tokens.MODULE, None)
    tokens._vocabulary.cache_clear()
    yield
    tokens._vocabulary.cache_clear()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda it: it["name"])
def test_an_estimate_is_within_what_it_says(sample: dict[str, Any]) -> None:
    for family, model in MODELS.items():
        found = estimate(sample["text"], "any", model)
        assert found.family == family
        assert found.low <= sample["counts"][family] <= found.high, family
        assert found.low <= found.tokens <= found.high
        if family.startswith("openai"):
            assert found == TokenEstimate(*[sample["counts"][family]] * 3, "exact", family)
        unknown = estimate(sample["text"], "any", "some-model")
        assert unknown.low <= sample["counts"][family] <= unknown.high, family
        assert unknown.family == "other"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda it: it["name"])
def test_without_a_vocabulary_it_is_from_letters_and_within_wider_bounds(bare: Any, sample: dict[str, Any]) -> None:
    assert counted(sample["text"], "openai", "gpt-5.5") is None
    for family, model in MODELS.items():
        found = estimate(sample["text"], "any", model)
        assert found.method == "letters"
        assert found.low <= sample["counts"][family] <= found.high, family


@pytest.mark.parametrize(
    ("text", "cl100k", "o200k"),
    [
        ("hello world", 2, 2),
        ("tiktoken is great!", 6, 6),
        ("antidisestablishmentarianism", 6, 6),
        ("2 + 2 = 4", 7, 7),
        ("お誕生日おめでとう", 9, 8),
        ("<|endoftext|>", 7, 7),
        ("", 0, 0),
    ],
)
def test_counts_are_those_of_the_published_vocabularies(text: str, cl100k: int, o200k: int) -> None:
    assert estimate(text, "openai", "gpt-4").tokens == cl100k
    assert estimate(text, "openai", "gpt-4o").tokens == o200k


def test_a_long_run_of_letters_takes_no_long_time() -> None:
    assert estimate("日本" * 100_000, "openai", "gpt-5.5").tokens > 1000
    assert estimate("a" * 500_000, "anthropic", "claude-opus-5").tokens > 1000


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("gpt-5.5-2026-04-23", "openai"),
        ("openai/gpt-4.1-mini", "openai"),
        ("o4-mini", "openai"),
        ("o1", "openai"),
        ("ft:gpt-4o-mini-2024-07-18:acme::x", "openai"),
        ("gpt-4-turbo", "openai-cl100k"),
        ("gpt-3.5-turbo-0125", "openai-cl100k"),
        ("text-embedding-3-small", "openai-cl100k"),
        ("openai/gpt-oss-120b", "gpt-oss"),
        ("gpt-6-sol", "other"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "claude"),
        ("google/gemma-4-26b-a4b-it", "gemini"),
        ("mistralai/mistral-7b-instruct", "other"),
        ("meta.llama3-8b-instruct-v1:0", "llama"),
        ("llama-4-scout", "other"),
        ("qwen3.6", "other"),
    ],
)
def test_a_model_has_the_vocabulary_of_its_family(model: str, family: str) -> None:
    assert family_of("any", model) == family


def test_every_family_has_bounds_for_every_script() -> None:
    for rows in families().values():
        assert rows.keys() == {"latin", *SCRIPTS}
        assert all(0 < low <= usual <= high for low, usual, high in rows.values())


def test_the_page_tells_the_bounds_that_are_used() -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "prices.md").read_text(encoding="utf-8")
    for family, rows in families().items():
        for script, (low, _, high) in rows.items():
            if script in ("latin", "cjk", "cyrillic", "arabic", "emoji"):
                assert f"{low:g} to {high:g}" in page, (family, script)


def test_a_count_without_an_endpoint_is_by_the_vocabulary_and_says_so() -> None:
    text = "Разговор идёт долго. " * 20
    with Kernel({}) as kernel:
        llm = LLM(model="gpt-5.5", provider="openrouter", api_key="k", kernel=kernel)
        found = llm.count_tokens(text)
        exact = estimate(text, "openrouter", "openai/gpt-5.5").tokens
        assert (found.tokens, found.most, found.method) == (exact + 7, exact + 7, "estimate")
        assert found.reason is not None
        assert "counted by the table 'prices'" in found.reason
        claude = LLM(model="claude-sonnet-5", provider="openrouter", api_key="k", kernel=kernel).count_tokens(text)
        assert claude.most is not None
        assert claude.most > claude.tokens


def test_of_a_model_whose_vocabulary_nobody_knows_there_is_an_estimate_and_no_count() -> None:
    assert counted("hello", "acme", "large") is None
    assert estimate("hello", "acme", "large").high > 1


def test_without_the_package_a_count_is_the_kernels_own(bare: Any) -> None:
    with Kernel({}) as kernel:
        found = LLM(model="gpt-5.5", provider="openrouter", api_key="k", kernel=kernel).count_tokens("hello there")
    assert (found.tokens, found.most) == (estimated_text("hello there") + 7, None)
    assert Prices().count("hello", "openai", "gpt-5.5") is None
