"""Google Gemini as a provider: the contract of every provider, and what is special about its two endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from hb_testing import ProviderContract
from hb_testing.conformance.rig import environment
from hb_testing.prepared import prepared
from heavenbase.config.config import Config
from heavenbase.errors import MissingCredential, PluginFallbackWarning
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM

NATIVE = "https://generativelanguage.googleapis.com/v1beta"


class TestGemini(ProviderContract):
    provider = "gemini"


def compatible(model: str, **options: Any) -> Any:
    return prepared(model, provider="gemini", gateway="openai", **options)


def test_its_own_wire_is_the_default() -> None:
    sent = prepared("gemini-2.5-flash")
    assert sent.spec.gateway == "gemini"
    assert sent.url == f"{NATIVE}/models/gemini-2.5-flash:generateContent"
    assert sent.body == {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}


def test_the_compatible_endpoint_stays_reachable() -> None:
    sent = compatible("gemini-2.5-flash")
    assert sent.url == f"{NATIVE}/openai/chat/completions"
    assert sent.body == {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize(
    ("environ", "native", "openai"),
    [
        ({}, NATIVE, f"{NATIVE}/openai"),
        (
            {"GEMINI_BASE_URL": "https://proxy.example/v1beta/openai"},
            "https://proxy.example/v1beta",
            "https://proxy.example/v1beta/openai",
        ),
        ({"GEMINI_BASE_URL": "http://127.0.0.1:9"}, "http://127.0.0.1:9/v1beta", "http://127.0.0.1:9"),
        (
            {"GOOGLE_GEMINI_BASE_URL": "https://proxy.example/google/"},
            "https://proxy.example/google/v1beta",
            "https://proxy.example/google/v1beta/openai",
        ),
    ],
)
def test_both_variables_move_both_endpoints(environ: dict[str, str], native: str, openai: str) -> None:
    assert prepared("gemini-2.5-flash", environ=environ).url == f"{native}/models/gemini-2.5-flash:generateContent"
    assert compatible("gemini-2.5-flash", environ=environ).url == f"{openai}/chat/completions"


@pytest.mark.parametrize(
    ("model", "asked", "sent"),
    [
        ("gemini-2.5-flash", "none", "none"),
        ("gemini-2.5-flash", "minimal", "low"),
        ("gemini-2.5-pro", "none", "low"),
        ("gemini-3.6-flash", "none", "minimal"),
        ("gemini-3.6-flash", "max", "high"),
        ("gemini-3.1-pro-preview", "none", "low"),
        ("gemini-3.1-pro-preview", "minimal", "low"),
        ("gemini-2.0-flash", "low", None),
    ],
)
def test_the_steps_of_thinking_of_the_compatible_endpoint_are_those_of_the_model(
    model: str, asked: str, sent: str | None
) -> None:
    assert compatible(model, reasoning_effort=asked).body.get("reasoning_effort") == sent


def test_fields_that_the_compatible_endpoint_does_not_know_stay_at_home() -> None:
    unknown: dict[str, Any] = {
        "seed": 1,
        "frequency_penalty": 1,
        "presence_penalty": 1,
        "store": True,
        "metadata": {"a": "b"},
    }
    sent = compatible("gemini-3.5-flash", **unknown, top_p=0.5)
    assert sent.body.keys() == {"model", "messages", "top_p"}
    assert {name for name, outcome in sent.report.items() if outcome == "dropped"} == set(unknown)


def test_the_second_variable_counts_when_the_first_is_not_set() -> None:
    def key(**environ: str) -> str | None:
        found = prepared("gemini-3.5-flash", provider="gemini", environ=environ).spec.api_key
        return found.reveal() if found is not None else None

    assert key(GEMINI_API_KEY="first", GOOGLE_API_KEY="second") == "first"
    assert key(GOOGLE_API_KEY="second") == "second"
    assert key() is None


def test_vectors_of_the_compatible_endpoint_are_asked_for_as_floats() -> None:
    sent = compatible("gemini-embedding-001", verb="embed")
    assert sent.url.endswith("/v1beta/openai/embeddings")
    assert "encoding_format" not in sent.body


def test_without_the_sdk_the_compatible_endpoint_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hb_provider_gemini.gateway.find_spec", lambda name: None)
    with pytest.warns(PluginFallbackWarning, match="google-genai"):
        sent = prepared("gemini-2.5-flash", seed=1)
    assert (sent.spec.gateway, sent.spec.requested_gateway) == ("openai", "gemini")
    assert sent.url == f"{NATIVE}/openai/chat/completions"
    assert sent.report == {"seed": "dropped"}


@pytest.mark.parametrize("name", ["gemini/gemini-2.5-flash", "gemini:gemini-2.5-flash", "gemini-2.5-flash"])
def test_g01_names_with_and_without_the_provider_mean_it(name: str) -> None:
    spec = prepared(name).spec
    assert (spec.provider, spec.model_id) == ("gemini", "gemini-2.5-flash")


def test_g25_without_a_key_nothing_is_sent_and_the_variable_is_named() -> None:
    with Kernel(Config.from_dict({}, environ=environment())) as kernel, pytest.raises(MissingCredential) as caught:
        LLM(model="gemini-2.5-flash", provider="gemini", kernel=kernel).chat("hi")
    assert "GEMINI_API_KEY or GOOGLE_API_KEY" in str(caught.value)
