"""Zhipu AI as a provider: the contract of every provider, and what is special about this endpoint."""

from __future__ import annotations

from typing import Any

import pytest

from hb_testing import ProviderContract
from hb_testing.prepared import prepared


class TestZaiZh(ProviderContract):
    provider = "zai-zh"


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
    sent = prepared(model, provider="zai-zh", **options)
    assert {name: value for name, value in sent.body.items() if name not in ("model", "messages")} == body
    assert report.items() <= sent.report.items()


def test_parameters_that_do_not_exist_there_are_reported_and_left_out() -> None:
    lost: dict[str, Any] = {"seed": 1, "n": 1, "presence_penalty": 0.5, "frequency_penalty": 0.5, "logprobs": True}
    sent = prepared("glm-5.2", provider="zai-zh", **lost, temperature=1.5, max_completion_tokens=9)
    assert sent.body.keys() == {"model", "messages", "temperature", "max_tokens"}
    assert sent.body["temperature"] == 1
    assert all(sent.report[name] == "dropped" for name in lost)


@pytest.mark.parametrize(("choice", "outcome"), [("auto", "sent"), ("required", "dropped"), ("none", "dropped")])
def test_the_model_alone_decides_about_tools(choice: str, outcome: str) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
    assert prepared("glm-5.2", provider="zai-zh", tools=tools, tool_choice=choice).report["tool_choice"] == outcome


def test_it_makes_vectors_as_floats() -> None:
    sent = prepared("zai-zh/embedding-3", verb="embed", dimensions=512)
    assert sent.url == "https://open.bigmodel.cn/api/paas/v4/embeddings"
    assert sent.body == {"model": "embedding-3", "input": ["Hello"], "dimensions": 512}


def test_the_key_of_this_platform_comes_before_that_of_the_other() -> None:
    environ = {"ZAI_API_KEY": "international", "ZAI_ZH_API_KEY": "china"}
    for name, key in (("zai", "international"), ("zai-zh", "china")):
        found = prepared("glm-5.2", provider=name, environ=environ).spec.api_key
        assert found is not None
        assert found.reveal() == key
