"""Google Gemini as a provider: the contract of every provider, and what is special about this endpoint."""

from __future__ import annotations

from typing import Any

import pytest

from heavenbase.testing import ProviderContract
from heavenbase.testing.prepared import prepared


class TestGemini(ProviderContract):
    provider = "gemini"


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
def test_the_steps_of_thinking_are_those_of_the_model(model: str, asked: str, sent: str | None) -> None:
    assert prepared(model, provider="gemini", reasoning_effort=asked).body.get("reasoning_effort") == sent


def test_fields_that_the_endpoint_does_not_know_stay_at_home() -> None:
    unknown: dict[str, Any] = {
        "seed": 1,
        "frequency_penalty": 1,
        "presence_penalty": 1,
        "store": True,
        "metadata": {"a": "b"},
    }
    sent = prepared("gemini-3.5-flash", provider="gemini", **unknown, top_p=0.5)
    assert sent.body.keys() == {"model", "messages", "top_p"}
    assert {name for name, outcome in sent.report.items() if outcome == "dropped"} == set(unknown)


def test_the_second_variable_counts_when_the_first_is_not_set() -> None:
    def key(**environ: str) -> str | None:
        found = prepared("gemini-3.5-flash", provider="gemini", environ=environ).spec.api_key
        return found.reveal() if found is not None else None

    assert key(GEMINI_API_KEY="first", GOOGLE_API_KEY="second") == "first"
    assert key(GOOGLE_API_KEY="second") == "second"
    assert key() is None


def test_vectors_are_asked_for_as_floats() -> None:
    sent = prepared("gemini-embedding-001", verb="embed")
    assert sent.url.endswith("/v1beta/openai/embeddings")
    assert "encoding_format" not in sent.body
