"""A chat through hb against the same chat by the SDK alone: CPU of the caller, the server in another process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import heavenbase as hb
from bench.measure import Result, overhead
from bench.pace import slowness

GOAL = 100
"""Microseconds of CPU that hb may cost above the SDK, on a machine as fast as the goals' (`bench.pace`)."""
COUNT = 100


def native(url: str, rounds: int, scale: float) -> Iterator[Result]:
    count = max(20, int(COUNT * scale))
    server = [sys.executable, "-m", "hb_testing.server"]
    with subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        place = process.stdout.readline().strip().split("/openai")[0].removesuffix("/v1")
        with hb.Kernel({"heavenbase.llm.cache.enabled": False}) as kernel:
            for name, make in RAW.items():
                options, ask = make(place)
                llm = hb.LLM(kernel=kernel, api_key="key", **options)
                works = (_times(count, lambda llm=llm: llm.chat("hi")), _times(count, ask))
                yield overhead(
                    f"a chat above the {name} SDK", *works, slowness(url), rounds=rounds, per=count, goal=GOAL
                )
        process.communicate()


def _times(count: int, ask: Callable[[], object]) -> Callable[[], None]:
    """One piece of work that asks so many times."""

    def work() -> None:
        for _ in range(count):
            ask()

    return work


def _openai(place: str) -> tuple[dict[str, Any], Callable[[], object]]:
    import openai

    url = f"{place}/openai/v1"
    client = openai.OpenAI(base_url=url, api_key="key", max_retries=0)
    messages: Any = [{"role": "user", "content": "hi"}]
    return (
        {"model": "gpt-4o-mini", "provider": "openai", "base_url": url},
        lambda: client.chat.completions.create(model="gpt-4o-mini", messages=messages),
    )


def _anthropic(place: str) -> tuple[dict[str, Any], Callable[[], object]]:
    import anthropic

    url = f"{place}/anthropic"
    client = anthropic.Anthropic(base_url=url, api_key="key", max_retries=0)
    messages: Any = [{"role": "user", "content": "hi"}]
    return (
        {"model": "claude-sonnet-4-5", "provider": "anthropic", "base_url": url},
        lambda: client.messages.create(model="claude-sonnet-4-5", max_tokens=64, messages=messages),
    )


def _gemini(place: str) -> tuple[dict[str, Any], Callable[[], object]]:
    from google import genai

    url = f"{place}/gemini"
    client = genai.Client(api_key="key", http_options={"base_url": url, "api_version": "v1beta"})
    return (
        {"model": "gemini-2.5-flash", "provider": "gemini", "base_url": f"{url}/v1beta"},
        lambda: client.models.generate_content(model="gemini-2.5-flash", contents="hi"),
    )


def _ollama(place: str) -> tuple[dict[str, Any], Callable[[], object]]:
    import ollama

    url = f"{place}/ollama"
    client = ollama.Client(host=url)
    messages = [{"role": "user", "content": "hi"}]
    return (
        {"model": "llama3", "provider": "ollama", "base_url": url},
        lambda: client.chat(model="llama3", messages=messages),
    )


def _cohere(place: str) -> tuple[dict[str, Any], Callable[[], object]]:
    import cohere

    url = f"{place}/cohere"
    client = cohere.ClientV2(api_key="key", base_url=url)
    messages: Any = [{"role": "user", "content": "hi"}]
    return (
        {"model": "command-a-03-2025", "provider": "cohere", "base_url": url},
        lambda: client.chat(model="command-a-03-2025", messages=messages),
    )


def _mistral(place: str) -> tuple[dict[str, Any], Callable[[], object]]:
    from mistralai.client import Mistral

    url = f"{place}/mistral"
    client = Mistral(api_key="key", server_url=url)
    messages: Any = [{"role": "user", "content": "hi"}]
    return (
        {"model": "mistral-small-latest", "provider": "mistral", "base_url": f"{url}/v1"},
        lambda: client.chat.complete(model="mistral-small-latest", messages=messages),
    )


RAW: dict[str, Callable[[str], tuple[dict[str, Any], Callable[[], object]]]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "google-genai": _gemini,
    "ollama": _ollama,
    "cohere": _cohere,
    "mistralai": _mistral,
}
