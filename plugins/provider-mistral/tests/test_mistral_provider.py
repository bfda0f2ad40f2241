"""Mistral AI as a provider: the contract of every provider, and its endpoint through two gateways."""

from __future__ import annotations

from typing import Any

import pytest

from hb_testing import ProviderContract
from hb_testing.prepared import prepared

PLACE = "https://api.mistral.ai/v1"


class TestMistral(ProviderContract):
    provider = "mistral"


def test_its_own_wire_is_the_default() -> None:
    sent = prepared("mistral-small-latest")
    assert sent.spec.gateway == "mistral"
    assert sent.url == f"{PLACE}/chat/completions"
    assert sent.body == {
        "model": "mistral-small-latest",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": False,
    }


@pytest.mark.parametrize("gateway", ["mistral", "openai"])
def test_its_variable_moves_both(gateway: str) -> None:
    environ = {"MISTRAL_BASE_URL": "https://proxy.example/v1"}
    sent = prepared("mistral-small-latest", gateway=gateway, environ=environ)
    assert sent.url == "https://proxy.example/v1/chat/completions"


def test_the_openai_gateway_sends_nothing_that_the_endpoint_refuses() -> None:
    lost: dict[str, Any] = {"logit_bias": {"1": 1}, "store": True, "user": "u", "verbosity": "low"}
    sent = prepared("mistral-small-latest", gateway="openai", stream=True, **lost, seed=1, max_completion_tokens=9)
    assert sent.body.keys() == {"model", "messages", "stream", "random_seed", "max_tokens"}
    assert all(sent.report[name] == "dropped" for name in lost)


@pytest.mark.parametrize(
    ("model", "effort"), [("mistral-small-latest", "high"), ("magistral-medium-latest", None), ("codestral-2508", None)]
)
def test_steps_of_thinking_through_the_openai_gateway(model: str, effort: str | None) -> None:
    assert prepared(model, gateway="openai", reasoning_effort="high").body.get("reasoning_effort") == effort


def test_vectors_through_the_openai_gateway() -> None:
    sent = prepared("mistral-embed", gateway="openai", verb="embed", dimensions=8)
    assert sent.body == {"model": "mistral-embed", "input": ["Hello"], "output_dimension": 8}


@pytest.mark.parametrize(
    ("model", "sees"),
    [
        ("mistral-small-latest", True),
        ("mistral-medium-2508", True),
        ("pixtral-large-latest", True),
        ("codestral-latest", False),
        ("open-mistral-nemo", False),
        ("mistral-large-2411", False),
        ("a-model-of-tomorrow", True),
    ],
)
def test_whether_a_model_sees_is_told_from_its_name(model: str, sees: bool) -> None:
    assert prepared(model, provider="mistral").spec.capability("vision") is sees
