"""The OpenAI endpoint as data: well formed, and true about what its models take."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

import hb_provider_openai
from heavenbase.discovery.manifest import check_manifest, read_manifest
from heavenbase.spec import LLMSpec

RECORD = read_manifest("hb_provider_openai").provider
SPEC = LLMSpec(None, "m", "m", "openai", "openai", requested_gateway="openai", provider_record=MappingProxyType(RECORD))
EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")


OF_OTHERS = {"top_k", "min_p", "repetition_penalty"}
"""Parameters of other wires, which no model of OpenAI's takes."""


def dropped(model: str, **wire: object) -> set[str]:
    rules = replace(SPEC, model_id=model).parameter_rules(wire)
    return {name for rule in rules for name in rule.get("drop", {})} - OF_OTHERS


def effort(model: str, value: str) -> str:
    wire = {"reasoning_effort": value}
    for rule in replace(SPEC, model_id=model).parameter_rules(wire):
        limits = rule.get("clamp", {}).get("reasoning_effort", {}).get("map", {})
        wire["reasoning_effort"] = limits.get(wire["reasoning_effort"], wire["reasoning_effort"])
    return wire["reasoning_effort"]


def test_the_manifest_is_well_formed() -> None:
    path = Path(hb_provider_openai.__file__).with_name("provider.toml")
    assert check_manifest(tomllib.loads(path.read_text(encoding="utf-8"))) == []


def test_the_plugin_answers_for_its_own_name_only() -> None:
    record = hb_provider_openai.plugin.resolve("openai", "openai", "gpt-4o")
    assert record is not None
    assert record["base_url"] == "https://api.openai.com/v1"
    assert hb_provider_openai.plugin.resolve("openrouter", "openai", "gpt-4o") is None


@pytest.mark.parametrize("model", ["gpt-4o", "o1", "gpt-5.6-sol", "gpt-9"])
def test_every_model_gets_the_newer_name_of_max_tokens(model: str) -> None:
    assert replace(SPEC, model_id=model).parameter_rules()[0]["rename"] == {"max_tokens": "max_completion_tokens"}


@pytest.mark.parametrize(
    "model",
    [
        *("o1", "o1-pro", "o3", "o3-mini", "o4-mini", "gpt-5", "gpt-5-mini", "gpt-5-2025-08-07", "gpt-5-pro"),
        *(
            "gpt-5-codex",
            "gpt-5.1-codex-max",
            "gpt-5.1-chat-latest",
            "gpt-5.3-chat-latest",
            "gpt-5.4-pro",
            "gpt-6-astra",
        ),
    ],
)
def test_models_that_always_reason_have_no_temperature(model: str) -> None:
    assert {"temperature", "top_p", "logit_bias"} <= dropped(model)
    assert "temperature" in dropped(model, reasoning_effort="none")


@pytest.mark.parametrize("model", ["gpt-5.5", "gpt-5.6", "gpt-5.6-luna", "gpt-5.6-sol-2026-07-01"])
def test_models_that_reason_by_default_have_a_temperature_when_told_not_to(model: str) -> None:
    assert {"temperature", "stop"} <= dropped(model)
    assert "temperature" in dropped(model, reasoning_effort="low")
    assert dropped(model, reasoning_effort="none") == set()


@pytest.mark.parametrize("model", ["gpt-5.1", "gpt-5.2", "gpt-5.3-codex", "gpt-5.4-mini", "gpt-5.4-nano-2026-03-01"])
def test_models_that_reason_on_demand_have_a_temperature_until_then(model: str) -> None:
    assert dropped(model) == dropped(model, reasoning_effort="none") == set()
    assert {"temperature", "stop"} <= dropped(model, reasoning_effort="high")


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-4.1", "gpt-5-chat-latest", "chatgpt-4o-latest", "ft:gpt-4o:x"])
def test_models_without_reasoning_keep_sampling_and_lose_the_effort(model: str) -> None:
    assert dropped(model) == {"reasoning_effort"}


def test_the_older_o_models_keep_their_stop_sequences() -> None:
    assert "stop" not in dropped("o1")
    assert "stop" not in dropped("o3-mini")
    assert "stop" in dropped("o3")
    assert "stop" in dropped("o4-mini")
    assert "parallel_tool_calls" in dropped("o4-mini")


@pytest.mark.parametrize(
    ("model", "steps"),
    [
        ("o3-mini", {"low", "medium", "high"}),
        ("gpt-5-mini", {"minimal", "low", "medium", "high"}),
        ("gpt-5-pro", {"high"}),
        ("gpt-5.1", {"none", "low", "medium", "high"}),
        ("gpt-5.4", {"none", "low", "medium", "high", "xhigh"}),
        ("gpt-5.5-pro", {"low", "medium", "high", "xhigh"}),
        ("gpt-5.6-terra", {"none", "low", "medium", "high", "xhigh", "max"}),
        ("gpt-6-astra", {"low", "medium", "high", "xhigh", "max"}),
    ],
)
def test_an_effort_that_a_model_does_not_know_becomes_the_nearest(model: str, steps: set[str]) -> None:
    assert {effort(model, value) for value in ("none", *EFFORTS)} == steps
    assert all(effort(model, step) == step for step in steps)


def test_a_model_of_tomorrow_is_sent_as_it_is() -> None:
    assert dropped("gpt-9-nova") == set()
    assert effort("gpt-9-nova", "none") == "none"


def test_prefixes_leave_the_models_of_others_alone() -> None:
    prefixes = tuple(RECORD["prefixes"])
    for name in ("gpt-4o", "o1", "o4-mini", "chatgpt-4o-latest", "ft:gpt-4o:x", "text-embedding-3-large", "dall-e-3"):
        assert name.startswith(prefixes), name
    for name in ("text-embedding-004", "text-embedding-embeddinggemma-300m", "openai/gpt-4o", "claude-x", "ft:mistral"):
        assert not name.startswith(prefixes), name
