"""Moonshot AI in China as a provider: the contract of every provider, and what is special about this endpoint."""

from __future__ import annotations

from typing import Any

import pytest

from hb_testing import ProviderContract
from hb_testing.prepared import prepared


class TestMoonshotZh(ProviderContract):
    provider = "moonshot-zh"


@pytest.mark.parametrize("model", ["kimi-k2.6", "kimi-k3", "kimi-k3.1-pro"])
def test_what_the_models_fix_themselves_is_left_out(model: str) -> None:
    sent = prepared(
        model,
        provider="moonshot-zh",
        temperature=0,
        top_p=0.5,
        n=1,
        presence_penalty=0,
        frequency_penalty=0,
        max_tokens=9,
    )
    assert sent.body.keys() == {"model", "messages", "max_tokens"}


def test_the_defaults_of_hb_are_left_out_as_well() -> None:
    assert "temperature" not in prepared("kimi-k2.6", provider="moonshot-zh", defaults=True).body


@pytest.mark.parametrize(
    ("model", "options", "body", "report"),
    [
        ("kimi-k2.6", {"think": False}, {"thinking": {"type": "disabled"}}, {"think": "renamed"}),
        ("kimi-k2.6", {"reasoning_effort": "low"}, {"thinking": {"type": "enabled"}}, {"reasoning_effort": "dropped"}),
        ("kimi-k2.7-code", {"think": False}, {}, {"think": "emulated"}),
        ("kimi-k3", {"think": False}, {}, {"think": "emulated"}),
        ("kimi-k3", {"reasoning_effort": "medium"}, {"reasoning_effort": "high"}, {"reasoning_effort": "clamped"}),
        ("kimi-k3.1-pro", {"reasoning_effort": "max"}, {"reasoning_effort": "max"}, {"reasoning_effort": "sent"}),
    ],
)
def test_thinking_is_asked_for_as_each_model_wants_it(
    model: str, options: dict[str, Any], body: dict[str, Any], report: dict[str, str]
) -> None:
    sent = prepared(model, provider="moonshot-zh", **options)
    assert {name: value for name, value in sent.body.items() if name not in ("model", "messages")} == body
    assert report.items() <= sent.report.items()


def test_a_tool_is_forced_only_where_the_model_does_not_think() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
    assert "tool_choice" not in prepared("kimi-k2.6", provider="moonshot-zh", tools=tools, tool_choice="required").body
    sent = prepared("kimi-k2.6", provider="moonshot-zh", tools=tools, tool_choice="required", think=False)
    assert sent.body["tool_choice"] == "required"


def test_it_offers_the_models_of_the_catalogue() -> None:
    for name in ("kimi", "k3"):
        assert prepared(name, provider="moonshot-zh").url == "https://api.moonshot.cn/v1/chat/completions"


def test_the_key_of_this_platform_comes_before_that_of_the_other() -> None:
    environ = {"MOONSHOT_API_KEY": "international", "MOONSHOT_ZH_API_KEY": "china"}
    for name, key in (("moonshot", "international"), ("moonshot-zh", "china")):
        found = prepared("kimi-k3", provider=name, environ=environ).spec.api_key
        assert found is not None
        assert found.reveal() == key
