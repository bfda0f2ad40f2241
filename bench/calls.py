"""Calls over the wire: hb through gateway-openai against the raw openai SDK, same stub, same run."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from typing import Any

import openai

import heavenbase as hb
from bench.measure import Result, ratio
from bench.stub import CHUNKS, DIMENSIONS, VECTORS


def targets(url: str) -> tuple[hb.LLM, openai.OpenAI]:
    """The same endpoint through hb and through the SDK; no cache."""
    kernel = hb.Kernel({"heavenbase.llm.cache.enabled": False})
    llm = hb.LLM(preset="custom", model="m", base_url=url, api_key="k", kernel=kernel)
    return llm, openai.OpenAI(base_url=url, api_key="k", max_retries=0)


def history(count: int) -> list[dict[str, Any]]:
    """A conversation of so many messages."""
    roles = ("user", "assistant")
    messages = [{"role": roles[i % 2], "content": f"message {i}: some words of a talk"} for i in range(count - 1)]
    return [*messages, {"role": "user", "content": "and now?"}]


def sync_calls(url: str, rounds: int, scale: float) -> Iterator[Result]:
    llm, client = targets(url)
    for count, goal, calls in ((1, 0.65, 200), (20, 0.20, 60), (100, 0.07, 20)):
        messages: Any = history(count)
        calls = max(5, int(calls * scale))

        def ours(messages: Any = messages, calls: int = calls) -> None:
            for _ in range(calls):
                llm.chat(messages)

        def theirs(messages: Any = messages, calls: int = calls) -> None:
            for _ in range(calls):
                client.chat.completions.create(model="m", messages=messages, temperature=0, seed=42)

        yield ratio(f"sync call, {count} messages", ours, theirs, goal, rounds=rounds, per=calls)


def async_calls(url: str, rounds: int, scale: float) -> Iterator[Result]:
    llm, _ = targets(url)
    aiohttp = _has_aiohttp()
    for flight, with_aiohttp, without in ((64, 0.40, 0.70), (512, 0.28, 0.82)):
        total = max(flight, int(flight * 4 * scale))

        async def burst(call: Callable[[], Any], flight: int = flight, total: int = total) -> None:
            for _ in range(max(1, total // flight)):
                await asyncio.gather(*(call() for _ in range(flight)))

        def ours(burst: Any = burst) -> None:
            asyncio.run(burst(lambda: llm.achat("hi")))

        def theirs(burst: Any = burst) -> None:
            async def run() -> None:
                async with openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client:
                    messages: Any = [{"role": "user", "content": "hi"}]
                    await burst(
                        lambda: client.chat.completions.create(model="m", messages=messages, temperature=0, seed=42)
                    )

            asyncio.run(run())

        name = f"async, {flight} in flight{'' if aiohttp else ', no aiohttp'}"
        yield ratio(name, ours, theirs, with_aiohttp if aiohttp else without, rounds=rounds, per=total)


def streams(url: str, rounds: int, scale: float) -> Iterator[Result]:
    llm, client = targets(url)
    messages: Any = [{"role": "user", "content": "hi"}]
    times = max(1, int(4 * scale))

    def ours() -> None:
        for _ in range(times):
            assert sum(1 for _ in llm.stream("hi")) == CHUNKS

    def theirs() -> None:
        for _ in range(times):
            for _ in client.chat.completions.create(model="m", messages=messages, stream=True):
                pass

    yield ratio("stream, per chunk, sync", ours, theirs, 0.20, rounds=rounds, per=CHUNKS * times)

    def ours_async() -> None:
        async def run() -> None:
            for _ in range(times):
                async for _ in llm.astream("hi"):
                    pass

        asyncio.run(run())

    def theirs_async() -> None:
        async def run() -> None:
            async with openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as raw:
                for _ in range(times):
                    async for _ in await raw.chat.completions.create(model="m", messages=messages, stream=True):
                        pass

        asyncio.run(run())

    yield ratio("stream, per chunk, async", ours_async, theirs_async, 0.12, rounds=rounds, per=CHUNKS * times)


def embeddings(url: str, rounds: int, scale: float) -> Iterator[Result]:
    kernel = hb.Kernel({"heavenbase.llm.cache.enabled": False})
    llm = hb.LLM(preset="custom", model="m", base_url=url, api_key="k", kernel=kernel, embedding_batch_size=VECTORS)
    client = openai.OpenAI(base_url=url, api_key="k", max_retries=0)
    inputs = [f"text {i}" for i in range(VECTORS)]

    def ours() -> None:
        assert len(llm.embed(inputs)[-1]) == DIMENSIONS

    def theirs() -> None:
        client.embeddings.create(model="m", input=inputs)

    yield ratio(f"embeddings {VECTORS} x {DIMENSIONS}", ours, theirs, 0.40, rounds=rounds)


def _has_aiohttp() -> bool:
    try:
        import aiohttp  # noqa: F401
        import httpx_aiohttp  # noqa: F401
    except ImportError:
        return "aiohttp" in sys.modules
    return True
