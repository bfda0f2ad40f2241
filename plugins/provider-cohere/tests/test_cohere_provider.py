"""Cohere as a provider: the contract of every provider, and what is special about its two endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from hb_testing import ProviderContract
from hb_testing.prepared import prepared

NATIVE = "https://api.cohere.com/v2"
COMPATIBLE = "https://api.cohere.ai/compatibility/v1"


class TestCohere(ProviderContract):
    provider = "cohere"


def compatible(model: str, **options: Any) -> Any:
    return prepared(model, provider="cohere", gateway="openai", **options)


def test_its_own_wire_is_the_default() -> None:
    sent = prepared("command-a-03-2025")
    assert sent.spec.gateway == "cohere"
    assert sent.url == f"{NATIVE}/chat"
    assert sent.body == {
        "model": "command-a-03-2025",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": False,
    }


def test_the_compatible_endpoint_stays_reachable() -> None:
    sent = compatible("command-a-03-2025")
    assert sent.url == f"{COMPATIBLE}/chat/completions"
    assert sent.body == {"model": "command-a-03-2025", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize(
    ("environ", "native", "openai"),
    [
        ({}, NATIVE, COMPATIBLE),
        (
            {"COHERE_BASE_URL": "https://proxy.example/compatibility/v1"},
            "https://proxy.example/v2",
            "https://proxy.example/compatibility/v1",
        ),
        ({"COHERE_BASE_URL": "http://127.0.0.1:9"}, "http://127.0.0.1:9/v2", "http://127.0.0.1:9"),
        (
            {"CO_API_URL": "https://proxy.example/cohere/"},
            "https://proxy.example/cohere/v2",
            "https://proxy.example/cohere/compatibility/v1",
        ),
    ],
)
def test_both_variables_move_both_endpoints(environ: dict[str, str], native: str, openai: str) -> None:
    assert prepared("command-a-03-2025", environ=environ).url == f"{native}/chat"
    assert compatible("command-a-03-2025", environ=environ).url == f"{openai}/chat/completions"


@pytest.mark.parametrize(
    ("model", "asked", "sent"),
    [
        ("command-a-reasoning-08-2025", "none", "none"),
        ("command-a-reasoning-08-2025", "low", "high"),
        ("command-a-reasoning-08-2025", "max", "high"),
        ("command-a-03-2025", "high", None),
        ("command-r7b-12-2024", "none", None),
    ],
)
def test_thinking_is_on_or_off_on_the_compatible_endpoint(model: str, asked: str, sent: str | None) -> None:
    assert compatible(model, reasoning_effort=asked).body.get("reasoning_effort") == sent


def test_what_the_compatible_endpoint_lacks_is_reported_and_left_out() -> None:
    lost: dict[str, Any] = {"n": 1, "logit_bias": {"1": 1}, "top_logprobs": 2, "metadata": {"a": "b"}, "store": True}
    sent = compatible("command-a-03-2025", **lost, seed=1, max_completion_tokens=9)
    assert sent.body.keys() == {"model", "messages", "seed", "max_tokens"}
    assert all(sent.report[name] == "dropped" for name in lost)


def test_vectors_of_the_compatible_endpoint_have_the_length_of_the_model() -> None:
    sent = compatible("embed-v4", verb="embed", dimensions=512, user="u")
    assert sent.url == f"{COMPATIBLE}/embeddings"
    assert sent.body == {"model": "embed-v4.0", "input": ["Hello"], "encoding_format": "base64"}
    assert sent.report["dimensions"] == sent.report["user"] == "dropped"


def test_litellm_is_led_to_the_native_endpoint() -> None:
    record = prepared("command-a-03-2025").spec.provider_record
    assert record["base_url"]["litellm"] == "https://api.cohere.ai/v2/embed"
    assert record["base_url_env"]["litellm"] == "COHERE_LITELLM_BASE_URL"


@pytest.mark.parametrize(
    ("model", "sees"),
    [
        ("command-r", False),
        ("command-r-plus-08-2024", False),
        ("command-r7b-12-2024", False),
        ("command-a-03-2025", False),
        ("command-a-reasoning-08-2025", False),
        ("command-a-vision-07-2025", True),
        ("command-a-plus-05-2026", True),
        ("a-model-of-tomorrow", True),
    ],
)
@pytest.mark.parametrize("gateway", ["cohere", "openai"])
def test_whether_a_model_sees_is_told_from_its_name(model: str, sees: bool, gateway: str) -> None:
    spec = prepared(model, provider="cohere", gateway=gateway).spec
    assert spec.capability("vision") is sees
