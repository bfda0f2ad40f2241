"""Every native wire against an emulator that others wrote, so that our own loopback wires are not the only judge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb

VERSION = "1.43.0"
PACKAGE = {"private": True, "dependencies": {"@copilotkit/aimock": VERSION}}
TARGETS: dict[str, dict[str, str]] = {
    "openai": {"model": "gpt-4o-mini", "provider": "openai", "base_url": "/v1"},
    "responses": {"model": "gpt-4o-mini", "provider": "openai", "gateway": "responses", "base_url": "/v1"},
    "anthropic": {"model": "claude-sonnet-4-5", "provider": "anthropic", "base_url": ""},
    "azure": {"model": "azure/my-deployment", "base_url": ""},
    "bedrock": {"model": "bedrock/anthropic.claude-3-5-sonnet-20241022-v2:0", "base_url": ""},
    "cohere": {"model": "command-a-03-2025", "provider": "cohere", "base_url": ""},
    "gemini": {"model": "gemini-2.5-flash", "provider": "gemini", "base_url": "/v1beta"},
    "groq": {"model": "groq/llama-3.1-8b-instant", "base_url": "/v1"},
    "ollama": {"model": "llama3", "provider": "ollama", "base_url": ""},
    "openrouter": {"model": "openai/gpt-4o-mini", "provider": "openrouter", "base_url": "/api/v1"},
}
WITH_EMBEDDINGS = ("openai", "azure", "cohere", "openrouter")
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.fixture(scope="session")
def emulator(
    npm_package: Callable[[str, Any], Path], node_server: Callable[..., AbstractContextManager[int]]
) -> Iterator[str]:
    """The address of a running emulator."""
    folder = npm_package(f"aimock-{VERSION}", PACKAGE)
    script = folder / "emulator.cjs"
    script.write_text(Path(__file__).with_name("emulator.cjs").read_text())
    with node_server(script) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(params=TARGETS)
def llm(request: pytest.FixtureRequest, emulator: str) -> Iterator[hb.LLM]:
    target = dict(TARGETS[request.param])
    target["base_url"] = emulator + target["base_url"]
    with hb.Kernel({"heavenbase.llm.cache.enabled": False}) as kernel:
        yield hb.LLM(kernel=kernel, api_key="key", max_retries=0, **target)


def test_a_chat_and_a_stream_say_the_same_in_both_colours(llm: hb.LLM) -> None:
    answer = llm.complete("hello")
    assert (answer.text, answer.finish_reason) == ("Hi there, friend!", "stop")
    assert "".join(llm.stream("hello")) == answer.text

    async def ask() -> tuple[str, str]:
        return await llm.achat("hello"), "".join([text async for text in llm.astream("hello")])

    assert asyncio.run(ask()) == (answer.text, answer.text)


def test_a_tool_is_called_whole_and_in_pieces(llm: hb.LLM) -> None:
    answer = llm.complete("weather", tools=[TOOL])
    assert answer.finish_reason == "tool_calls"
    assert [(call.name, call.parse()) for call in answer.tool_calls] == [("get_weather", {"city": "Paris"})]
    *_, message = llm.stream("weather", tools=[TOOL], include="message")
    [call] = message["tool_calls"]
    assert call["function"]["name"] == "get_weather"


@pytest.mark.parametrize("llm", WITH_EMBEDDINGS, indirect=True)
def test_texts_become_vectors(llm: hb.LLM) -> None:
    first, second, third = llm.embed(["a", "b", "a"])
    assert len(first) == len(second) > 1
    assert first == third
