"""Ollama as a provider: the contract of every provider, and what is special about its two endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from hb_testing import ProviderContract
from hb_testing.prepared import prepared
from heavenbase.errors import PluginFallbackWarning


class TestOllama(ProviderContract):
    provider = "ollama"


def compatible(model: str, **options: Any) -> Any:
    return prepared(model, gateway="openai", **options)


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({}, "http://localhost:11434"),
        ({"OLLAMA_HOST": "0.0.0.0"}, "http://127.0.0.1:11434"),
        ({"OLLAMA_HOST": "box:8080"}, "http://box:8080"),
        ({"OLLAMA_HOST": "https://box"}, "https://box"),
        ({"OLLAMA_HOST": "box", "OLLAMA_BASE_URL": "http://127.0.0.1:9/v1"}, "http://127.0.0.1:9"),
    ],
)
def test_g25_the_address_is_that_of_ollamas_own_variable(environ: dict[str, str], place: str) -> None:
    assert prepared("ollama/llama3.2", environ=environ).url == f"{place}/api/chat"
    assert compatible("ollama/llama3.2", environ=environ).url == f"{place}/v1/chat/completions"


def test_a_tag_is_part_of_the_name() -> None:
    assert prepared("ollama/qwen3:8b").body["model"] == "qwen3:8b"
    assert prepared("gemma", provider="ollama").body["model"] == "gemma4:26b"


def test_thinking_is_one_field_of_the_compatible_endpoint() -> None:
    assert compatible("ollama/qwen3:8b", think=False).body["reasoning_effort"] == "none"
    assert compatible("ollama/gpt-oss:20b", reasoning_effort="xhigh").body["reasoning_effort"] == "high"
    assert "reasoning_effort" not in compatible("gemma", provider="ollama", reasoning_effort="low").body


def test_no_proxy_stands_between() -> None:
    spec = prepared("ollama/llama3.2", environ={"HTTP_PROXY": "http://127.0.0.1:9"}).spec
    assert spec.args["http_proxy"] == spec.args["https_proxy"] == ""


def test_the_preset_for_images_uses_the_compatible_endpoint() -> None:
    sent = prepared(preset="imagen-local", verb="imagen")
    assert sent.url == "http://localhost:11434/v1/images/generations"
    assert sent.body == {"model": "x/z-image-turbo", "prompt": "Hello"}


def test_names_that_the_compatible_endpoint_does_not_know_are_translated_or_left_out() -> None:
    sent = compatible("ollama/llama3.2", max_completion_tokens=9, n=2, logit_bias={"1": 1})
    assert sent.body.keys() == {"model", "messages", "max_tokens"}


def test_without_the_sdk_the_compatible_endpoint_takes_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hb_provider_ollama.gateway.find_spec", lambda name: None)
    with pytest.warns(PluginFallbackWarning, match="package ollama"):
        sent = prepared("ollama/llama3.2", n=2)
    assert (sent.spec.gateway, sent.spec.requested_gateway) == ("openai", "ollama")
    assert sent.url == "http://localhost:11434/v1/chat/completions"
    assert sent.report == {"n": "dropped"}


@pytest.mark.parametrize("name", ["ollama/qwen3:8b", "ollama:qwen3:8b"])
def test_g01_names_with_the_provider_mean_it(name: str) -> None:
    spec = prepared(name).spec
    assert (spec.provider, spec.model_id) == ("ollama", "qwen3:8b")
