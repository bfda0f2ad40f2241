"""The DeepSeek endpoint as data."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import MappingProxyType

import hb_provider_deepseek
from heavenbase.discovery.manifest import check_manifest, read_manifest
from heavenbase.spec import LLMSpec

RECORD = read_manifest("hb_provider_deepseek").provider
SPEC = LLMSpec(
    None, "m", "m", "deepseek", "openai", requested_gateway="openai", provider_record=MappingProxyType(RECORD)
)


def test_the_manifest_is_well_formed() -> None:
    path = Path(hb_provider_deepseek.__file__).with_name("provider.toml")
    assert check_manifest(tomllib.loads(path.read_text(encoding="utf-8"))) == []


def test_the_plugin_answers_for_its_own_name_only() -> None:
    record = hb_provider_deepseek.plugin.resolve("deepseek", "openai", "deepseek-v4-flash")
    assert record is not None
    assert record["base_url"] == "https://api.deepseek.com/v1"
    assert hb_provider_deepseek.plugin.resolve("groq", "openai", "deepseek-v4-flash") is None


def test_abilities_it_lacks_are_declared_and_sight_is_left_to_the_model() -> None:
    assert SPEC.capability("embeddings") is False
    assert SPEC.capability("images") is False
    assert SPEC.capability("structured") == "json_object"
    assert SPEC.capability("vision") is None


def test_the_newer_name_of_max_tokens_is_renamed_to_the_one_it_knows() -> None:
    assert [rule["rename"] for rule in SPEC.parameter_rules()] == [{"max_completion_tokens": "max_tokens"}]


def test_prefixes_leave_open_models_that_others_serve_alone() -> None:
    prefixes = tuple(RECORD["prefixes"])
    for name in ("deepseek-chat", "deepseek-reasoner", "deepseek-v4-pro", "deepseek-v5"):
        assert name.startswith(prefixes), name
    for name in ("deepseek-r1-distill-llama-70b", "deepseek-coder:6.7b", "deepseek/deepseek-v4-flash"):
        assert not name.startswith(prefixes), name
