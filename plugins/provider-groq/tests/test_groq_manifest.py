"""The Groq endpoint as data."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

import hb_provider_groq
from heavenbase.discovery.manifest import check_manifest, read_manifest
from heavenbase.spec import LLMSpec

MANIFEST = read_manifest("hb_provider_groq")
RECORD = MANIFEST.provider
SPEC = LLMSpec(None, "m", "m", "groq", "openai", requested_gateway="openai", provider_record=MappingProxyType(RECORD))


def wire(model: str, effort: str) -> str | None:
    """The effort as it is sent; None when it is not."""
    sent: str | None = effort
    for rule in replace(SPEC, model_id=model).parameter_rules({"reasoning_effort": effort}):
        sent = rule.get("clamp", {}).get("reasoning_effort", {}).get("map", {}).get(sent, sent)
        if "reasoning_effort" in rule.get("drop", {}):
            sent = None
    return sent


def test_the_manifest_is_well_formed() -> None:
    path = Path(hb_provider_groq.__file__).with_name("provider.toml")
    assert check_manifest(tomllib.loads(path.read_text(encoding="utf-8"))) == []


def test_the_plugin_answers_for_its_own_name_only() -> None:
    record = hb_provider_groq.plugin.resolve("groq", "openai", "llama-3.3-70b-versatile")
    assert record is not None
    assert record["base_url"] == "https://api.groq.com/openai/v1"
    assert hb_provider_groq.plugin.resolve("grok", "openai", "grok-4.5") is None


def test_it_has_neither_vectors_nor_pictures() -> None:
    assert SPEC.capability("embeddings") is False
    assert SPEC.capability("images") is False


def test_what_it_refuses_with_status_400_is_not_sent() -> None:
    rules = SPEC.parameter_rules()
    refused = {"logprobs", "top_logprobs", "logit_bias", "top_k", "min_p", "repetition_penalty"}
    refused |= {"prompt_cache_key", "prompt_cache_retention"}
    assert {name for rule in rules for name in rule.get("drop", {})} == refused
    assert {"n": {"max": 1}} in [rule.get("clamp") for rule in rules]


@pytest.mark.parametrize(
    ("model", "asked", "sent"),
    [
        ("openai/gpt-oss-120b", "none", "low"),
        ("openai/gpt-oss-120b", "medium", "medium"),
        ("openai/gpt-oss-20b", "max", "high"),
        ("qwen/qwen3.6-27b", "none", "none"),
        ("qwen/qwen3-32b", "high", "default"),
        ("llama-3.3-70b-versatile", "none", None),
        ("meta-llama/llama-4-scout-17b-16e-instruct", "none", None),
        ("qvq-72b", "none", None),
        ("vendor/a-reasoner-of-tomorrow", "high", "high"),
    ],
)
def test_the_steps_of_thinking_are_those_of_the_model(model: str, asked: str, sent: str | None) -> None:
    assert wire(model, asked) == sent


@pytest.mark.parametrize(
    ("model", "form"),
    [
        ("openai/gpt-oss-20b", "json_schema"),
        ("moonshotai/kimi-k2-instruct-0905", "json_schema"),
        ("meta-llama/llama-4-scout-17b-16e-instruct", "json_schema"),
        ("llama-3.1-8b-instant", "json_object"),
        ("groq/compound", "json_object"),
    ],
)
def test_g09_a_schema_is_sent_only_to_models_that_keep_to_one(model: str, form: str) -> None:
    record = hb_provider_groq.plugin.resolve("groq", "openai", model)
    assert record is not None
    assert record["capabilities"]["structured"] == form


def test_the_compound_systems_keep_their_prefix_on_the_wire() -> None:
    assert MANIFEST.models["groq-compound"]["providers"]["groq"] == "groq/compound"
    assert "compound-mini" in MANIFEST.models["groq-compound-mini"]["aliases"]
