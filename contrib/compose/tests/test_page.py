"""Heartbit's page on providers, block by block in Python's spelling: `::` is a dot, `use` is `from`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hb_compose import AnthropicProvider
from heavenbase.functions import default_kernel, set_default_kernel

from .support import KEYS, LONG, Stack, marks

api_key = "key-of-the-page-0123456789"


@pytest.fixture(autouse=True)
def default(stack: Stack) -> Iterator[None]:
    """The page names no kernel: it is the default one."""
    before = default_kernel()
    set_default_kernel(stack.kernel)
    yield
    set_default_kernel(before)


def test_the_trait_has_two_methods_that_take_messages_tools_system_and_configuration(stack: Stack) -> None:
    from hb_compose import LlmProvider, ToolChoice

    provider = AnthropicProvider.new(api_key, "claude-sonnet-4-20250514")
    assert isinstance(provider, LlmProvider)
    for way in ("complete", "stream_complete"):
        stack.server.clear()
        stack.server.reply(LONG)
        response = stack.ask(
            provider,
            way,
            [{"role": "user", "content": "What is the weather in Bonn?"}],
            tools=[{"name": "get_weather", "description": "The weather", "input_schema": {"type": "object"}}],
            system="Be brief.",
            max_tokens=100,
            temperature=0.5,
            tool_choice=ToolChoice.Auto,
        )
        assert response.text == LONG
        body = stack.sent
        assert (body["system"], body["max_tokens"], body["temperature"]) == ("Be brief.", 100, 0.5)
        assert (body["tools"][0]["name"], body["tool_choice"]) == ("get_weather", {"type": "auto"})


def test_anthropic_provider(stack: Stack) -> None:
    from hb_compose import AnthropicProvider

    provider = AnthropicProvider.new(api_key, "claude-sonnet-4-20250514")
    stack.server.reply(chunks=["one ", "two"])
    assert stack.ask(provider, "stream_complete").text == "one two"
    assert stack.pieces == ["one ", "two"]
    assert stack.sent["model"] == "claude-sonnet-4-20250514"


def test_anthropic_provider_with_prompt_caching(stack: Stack) -> None:
    provider = AnthropicProvider.new(api_key, "claude-sonnet-4-20250514").with_prompt_caching()
    talk = ["one", {"role": "assistant", "content": "two"}, "three"]
    stack.ask(provider, request=talk, system="Be brief.", tools=[{"name": "first"}, {"name": "last"}])
    body = stack.sent
    assert len(list(marks(body))) == 3
    assert "cache_control" in body["system"][0]
    assert "cache_control" in body["tools"][-1]
    assert "cache_control" in body["messages"][0]["content"][-1]


def test_openrouter_provider(stack: Stack) -> None:
    from hb_compose import OpenRouterProvider

    provider = OpenRouterProvider.new(api_key, "anthropic/claude-sonnet-4-20250514")
    stack.server.reply(chunks=["one ", "two"])
    assert stack.ask(provider, "stream_complete").text == "one two"
    assert stack.sent["model"] == "anthropic/claude-sonnet-4-20250514"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 529])
def test_retrying_provider(stack: Stack, status: int) -> None:
    from hb_compose import RetryingProvider

    provider = RetryingProvider.with_defaults(AnthropicProvider.new(api_key, "claude-sonnet-4-20250514"))
    stack.fail(status)
    stack.server.reply(LONG)
    assert stack.ask(provider).text == LONG
    assert len(stack.requests) == 2


def test_cascading_provider(stack: Stack) -> None:
    from hb_compose import CascadingProvider, ConfidenceGate, HeuristicGate

    tiers = [
        AnthropicProvider.new(api_key, "claude-haiku-4-5-20251001"),
        AnthropicProvider.new(api_key, "claude-sonnet-4-20250514"),
    ]
    provider = CascadingProvider.new(tiers, gate=HeuristicGate())
    assert isinstance(provider.gate, ConfidenceGate)
    stack.server.reply("I cannot do that, whatever you say.")
    stack.server.reply(LONG)
    assert stack.ask(provider, "stream_complete").model == "claude-sonnet-4-20250514"
    assert [request.json.get("stream", False) for request in stack.requests] == [False, True]


def test_boxed_provider(stack: Stack) -> None:
    from hb_compose import BoxedProvider, RetryingProvider

    provider = BoxedProvider.new(
        RetryingProvider.with_defaults(AnthropicProvider.new(api_key, "claude-sonnet-4-20250514"))
    )
    stack.server.reply(LONG)
    assert stack.ask(provider).text == LONG


def test_tool_choice(stack: Stack) -> None:
    from hb_compose import ToolChoice

    provider = AnthropicProvider.new(api_key, "claude-sonnet-4-20250514")
    choices = {
        ToolChoice.Auto: {"type": "auto"},
        ToolChoice.Any: {"type": "any"},
        ToolChoice.Tool(name="get_weather"): {"type": "tool", "name": "get_weather"},
    }
    for choice, wire in choices.items():
        stack.server.clear()
        stack.ask(provider, tools=[{"name": "get_weather"}], tool_choice=choice)
        assert stack.sent["tool_choice"] == wire


def test_configuration(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hb_compose import load_provider

    from .test_settings import PAGE

    monkeypatch.chdir(tmp_path)
    Path("heartbit.toml").write_text(PAGE, encoding="utf-8")
    provider = load_provider("heartbit.toml")
    stack.server.reply(LONG)
    assert stack.ask(provider).model == "claude-haiku-4-5-20251001"
    [request] = stack.requests
    assert request.json["max_tokens"] == 16_384
    assert request.headers["x-api-key"] == KEYS["ANTHROPIC_API_KEY"]
