"""Whole conversations through a kernel, against a server that refuses what Anthropic refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.server import LoopbackServer
from heavenbase.image.pixels import make_png
from heavenbase.types import Completion

from .support import ADAPTIVE, BUDGET, WEATHER

COLOURS = ["chat", "stream", "achat", "astream"]


@pytest.fixture
def kernel() -> Iterator[hb.Kernel]:
    with hb.Kernel() as made:
        yield made


def make(kernel: hb.Kernel, server: LoopbackServer, **options: Any) -> hb.LLM:
    options.setdefault("model", BUDGET)
    return hb.LLM(
        provider="anthropic", base_url=server.url("anthropic"), api_key="k", cache=False, kernel=kernel, **options
    )


def ask(llm: hb.LLM, colour: str, messages: Any, **options: Any) -> Completion:
    """The whole answer, whichever way it comes."""

    async def last() -> Any:
        return [found async for found in llm.astream(messages, include="delta", reduce=False, **options)][-1]

    if colour == "chat":
        return llm.complete(messages, **options)
    if colour == "achat":
        return asyncio.run(llm.acomplete(messages, **options))
    if colour == "stream":
        found = list(llm.stream(messages, include="delta", reduce=False, **options))[-1]
    else:
        found = asyncio.run(last())
    return Completion(delta=found["delta"])


def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"sunny in {city}"


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("model", [BUDGET, ADAPTIVE])
def test_a_tool_loop_gives_thoughts_back_with_their_signatures(
    kernel: hb.Kernel, server: LoopbackServer, colour: str, model: str
) -> None:
    calls = [{"name": "get_weather", "arguments": {"city": city}} for city in ("Paris", "Rome")]
    server.reply(text="Let me look.", reasoning="two cities", tool_calls=calls)
    server.reply(text="Sunny in both.")
    answer = ask(make(kernel, server, model=model), colour, "Weather?", tools=[get_weather], think=True)
    assert [message["role"] for message in answer.delta] == ["assistant", "tool", "tool", "assistant"]
    assert answer.delta[-1]["content"] == "Sunny in both."
    _, assistant, results = server.requests[1].json["messages"]
    assert [block["type"] for block in assistant["content"]] == ["thinking", "text", "tool_use", "tool_use"]
    assert assistant["content"][0]["signature"]
    assert [block["content"] for block in results["content"]] == ["sunny in Paris", "sunny in Rome"]
    assert server.requests[1].json["thinking"] == server.requests[0].json["thinking"]


@pytest.mark.parametrize("colour", COLOURS)
def test_h03_everything_asked_for_is_on_the_wire_in_every_way(
    kernel: hb.Kernel, server: LoopbackServer, colour: str
) -> None:
    server.reply(text="ok")
    options: dict[str, Any] = {"max_tokens": 50, "temperature": 0.5, "stop": ["END"], "tool_choice": "required"}
    ask(make(kernel, server), colour, "hi", system="be brief", tools=[dict(WEATHER)], **options)
    body = dict(server.requests[0].json)
    assert body.pop("stream", False) is ("stream" in colour)
    assert body == {
        "model": BUDGET,
        "system": "be brief",
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 50,
        "temperature": 0.5,
        "stop_sequences": ["END"],
        "tools": [
            {
                "name": "get_weather",
                "description": "The weather of a city",
                "input_schema": WEATHER["function"]["parameters"],
            }
        ],
        "tool_choice": {"type": "any"},
    }


@pytest.mark.parametrize("model", ["haiku", "sonnet", "sonnet-4.6", "opus", "opus-4.8", "fable"])
def test_every_catalogued_model_takes_hbs_defaults(kernel: hb.Kernel, server: LoopbackServer, model: str) -> None:
    llm = make(kernel, server, model=model)
    for options in ({}, {"think": True}, {"think": False}, {"reasoning_effort": "high"}, {"temperature": None}):
        assert llm.chat("hi", on_lossy="allow", **options) == "echo: hi"
    assert list(llm.stream("hi there", think=True)) == ["echo:", " hi", " there"]


def test_images_are_blocks_of_the_users_message(kernel: hb.Kernel, server: LoopbackServer) -> None:
    make(kernel, server).chat("What?", images=[make_png(1, 1, (9, 9, 9)), "https://example.com/a.png"])
    text, inline, linked = server.requests[0].json["messages"][0]["content"]
    assert text == {"type": "text", "text": "What?"}
    assert inline["source"]["media_type"] == "image/png"
    assert linked["source"] == {"type": "url", "url": "https://example.com/a.png"}


def test_h08_what_the_cache_of_prompts_did_is_in_the_usage(kernel: hb.Kernel, server: LoopbackServer) -> None:
    usage = {
        "input_tokens": 3,
        "cache_creation_input_tokens": 5,
        "cache_read_input_tokens": 7,
        "output_tokens": 2,
    }
    llm = make(kernel, server, prompt_caching=True)
    for stream in (False, True):
        server.reply(text="ok", usage=usage)
        if stream:
            found = [u for u in llm.stream("hi", system="long", include="usage") if u][-1]
        else:
            found = llm.chat("hi", system="long", include="usage")
        assert (found["input"], found["cache_write"], found["cache_read"], found["output"]) == (3, 5, 7, 2)
        assert (found["prompt_tokens"], found["completion_tokens"], found["total_tokens"]) == (15, 2, 17)
    assert server.requests[0].json["system"][0]["cache_control"] == {"type": "ephemeral"}


def test_a_conversation_of_another_provider_goes_on_here(kernel: hb.Kernel, server: LoopbackServer) -> None:
    other = hb.LLM(
        model="gpt-4o", provider="openai", base_url=server.url("openai"), api_key="k", cache=False, kernel=kernel
    )
    server.reply(reasoning="hm", tool_calls=[{"id": "call.1", "name": "get_weather", "arguments": {"city": "Bonn"}}])
    server.reply(text="Sunny.")
    first = other.complete("Weather?", tools=[get_weather])
    assert make(kernel, server).chat([*first.messages, {"role": "user", "content": "Thanks"}]) == "echo: Thanks"
    assert [m["role"] for m in server.requests[-1].json["messages"]] == [
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
