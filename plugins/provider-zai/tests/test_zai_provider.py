"""Z.ai as a provider: the contract of every provider, and what is special about this endpoint."""

from __future__ import annotations

from typing import Any

import pytest

from hb_testing import ProviderContract
from hb_testing.prepared import prepared


class TestZai(ProviderContract):
    provider = "zai"


@pytest.mark.parametrize(
    ("model", "options", "body", "report"),
    [
        ("glm-5.2", {"think": False}, {"thinking": {"type": "disabled"}}, {"think": "renamed"}),
        (
            "glm-5.2",
            {"reasoning_effort": "xhigh"},
            {"thinking": {"type": "enabled"}, "reasoning_effort": "xhigh"},
            {"reasoning_effort": "sent"},
        ),
        ("glm-4.7", {"think": True}, {"thinking": {"type": "enabled"}}, {"think": "renamed"}),
        ("glm-4.7", {"reasoning_effort": "low"}, {"thinking": {"type": "enabled"}}, {"reasoning_effort": "dropped"}),
        ("glm-5.3-flash", {"think": False}, {}, {"think": "emulated"}),
        (
            "glm-5.3",
            {"reasoning_effort": "medium"},
            {"thinking": {"type": "enabled"}, "reasoning_effort": "high"},
            {"reasoning_effort": "clamped"},
        ),
    ],
)
def test_thinking_is_asked_for_as_each_model_wants_it(
    model: str, options: dict[str, Any], body: dict[str, Any], report: dict[str, str]
) -> None:
    sent = prepared(model, provider="zai", **options)
    assert {name: value for name, value in sent.body.items() if name not in ("model", "messages")} == body
    assert report.items() <= sent.report.items()


def test_parameters_that_do_not_exist_there_are_reported_and_left_out() -> None:
    lost: dict[str, Any] = {"seed": 1, "n": 1, "presence_penalty": 0.5, "frequency_penalty": 0.5, "logprobs": True}
    sent = prepared("glm-5.2", provider="zai", **lost, temperature=1.5, max_completion_tokens=9)
    assert sent.body.keys() == {"model", "messages", "temperature", "max_tokens"}
    assert sent.body["temperature"] == 1
    assert all(sent.report[name] == "dropped" for name in lost)


@pytest.mark.parametrize(("choice", "outcome"), [("auto", "sent"), ("required", "dropped"), ("none", "dropped")])
def test_the_model_alone_decides_about_tools(choice: str, outcome: str) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
    assert prepared("glm-5.2", provider="zai", tools=tools, tool_choice=choice).report["tool_choice"] == outcome


def test_the_anthropic_gateway_is_led_to_an_address_of_its_own() -> None:
    spec = prepared("glm-5.2", provider="zai").spec
    assert spec.base_url == "https://api.z.ai/api/paas/v4"
    assert spec.provider_record["base_url"]["anthropic"] == "https://api.z.ai/api/anthropic"
    assert spec.provider_record["base_url_env"]["anthropic"] == "ZAI_ANTHROPIC_BASE_URL"
    assert spec.provider_value("auth_mode", gateway="anthropic") == "bearer"


def test_routing_gateways_know_it_by_other_names() -> None:
    spec = prepared("glm-5.2", provider="zai").spec
    assert spec.provider_backend("portkey") == "zhipu"
    assert spec.provider_backend("litellm") == spec.provider_backend("bifrost") == "zai"
    assert spec.provider_record["portkey_custom_host"] is True
