"""xAI as a provider: the contract of every provider, and what is special about this endpoint."""

from __future__ import annotations

import pytest

from hb_testing import ProviderContract
from hb_testing.prepared import prepared


class TestGrok(ProviderContract):
    provider = "grok"


@pytest.mark.parametrize(
    ("model", "asked", "sent"),
    [
        ("grok-4.5", "none", "low"),
        ("grok-4.5", "medium", "medium"),
        ("grok-4.7", "max", "high"),
        ("grok-4.3", "none", "none"),
        ("grok-3-mini", "medium", "high"),
        ("grok-4.20-0309-reasoning", "low", None),
        ("grok-4.20-non-reasoning", "none", None),
        ("grok-4.20-multi-agent", "low", "low"),
        ("grok-4-fast-reasoning", "high", None),
        ("grok-code-fast-1", "high", None),
        ("grok-build-0.1", "high", "high"),
    ],
)
def test_the_steps_of_thinking_are_those_of_the_model(model: str, asked: str, sent: str | None) -> None:
    assert prepared(model, provider="grok", reasoning_effort=asked).body.get("reasoning_effort") == sent


@pytest.mark.parametrize("model", ["grok-4.5", "grok-4", "grok-4-0709", "grok-4.20-0309-reasoning", "grok-3-mini"])
def test_models_that_reason_get_neither_stop_nor_penalties(model: str) -> None:
    sent = prepared(model, provider="grok", stop=["x"], presence_penalty=1, frequency_penalty=1, seed=1)
    assert not sent.body.keys() & {"stop", "presence_penalty", "frequency_penalty"}
    assert sent.report["stop"] == "dropped"
    assert sent.body["seed"] == 1


@pytest.mark.parametrize("model", ["grok-4.20-non-reasoning", "grok-4-fast-non-reasoning", "grok-3"])
def test_models_that_do_not_reason_get_both(model: str) -> None:
    assert prepared(model, provider="grok", stop=["x"], frequency_penalty=1).report == {
        "stop": "sent",
        "frequency_penalty": "sent",
    }


def test_not_thinking_is_said_where_it_can_be_and_otherwise_done_by_hb() -> None:
    assert prepared("grok-4.3", provider="grok", think=False).report == {"think": "renamed"}
    assert prepared("grok-4.5", provider="grok", think=False).report == {"think": "emulated"}


def test_images_are_made_without_a_size() -> None:
    sent = prepared("grok-imagine-image", verb="imagen", size="1024x1024", aspect_ratio="16:9")
    assert sent.url == "https://api.x.ai/v1/images/generations"
    assert sent.body == {"model": "grok-imagine-image", "prompt": "Hello", "aspect_ratio": "16:9"}
