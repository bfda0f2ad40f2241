"""Cohere as a provider: the contract of every provider, and what is special about this endpoint."""

from __future__ import annotations

from typing import Any

import pytest

from heavenbase.testing import ProviderContract
from heavenbase.testing.prepared import prepared


class TestCohere(ProviderContract):
    provider = "cohere"


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
def test_thinking_is_on_or_off(model: str, asked: str, sent: str | None) -> None:
    assert prepared(model, reasoning_effort=asked).body.get("reasoning_effort") == sent


def test_what_the_compatible_endpoint_lacks_is_reported_and_left_out() -> None:
    lost: dict[str, Any] = {"n": 1, "logit_bias": {"1": 1}, "top_logprobs": 2, "metadata": {"a": "b"}, "store": True}
    sent = prepared("command-a-03-2025", **lost, seed=1, max_completion_tokens=9)
    assert sent.body.keys() == {"model", "messages", "seed", "max_tokens"}
    assert all(sent.report[name] == "dropped" for name in lost)


def test_vectors_have_the_length_of_the_model() -> None:
    sent = prepared("embed-v4", verb="embed", dimensions=512, user="u")
    assert sent.url == "https://api.cohere.ai/compatibility/v1/embeddings"
    assert sent.body == {"model": "embed-v4.0", "input": ["Hello"], "encoding_format": "base64"}
    assert sent.report["dimensions"] == sent.report["user"] == "dropped"


def test_litellm_is_led_to_the_native_endpoint() -> None:
    record = prepared("command-a-03-2025").spec.provider_record
    assert record["base_url"]["litellm"] == "https://api.cohere.ai/v2/embed"
    assert record["base_url_env"]["litellm"] == "COHERE_LITELLM_BASE_URL"
