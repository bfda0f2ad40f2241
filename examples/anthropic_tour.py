"""Anthropic on its own wire: text, a stream, thoughts, a tool, a typed answer, a prompt that is kept.

    pip install hb-core hb-provider-anthropic
    export ANTHROPIC_API_KEY=...     # from https://platform.claude.com/settings/keys
    python examples/anthropic_tour.py

`ANTHROPIC_BASE_URL` moves the endpoint, `ANTHROPIC_MODEL` chooses another model. (The file must not be called
anthropic.py: Python would take it for the SDK.)
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import heavenbase as hb

MODEL = os.environ.get("ANTHROPIC_MODEL", "claude-haiku-4-5")


@dataclass
class City:
    name: str
    country: str


def get_weather(city: str) -> str:
    """The weather in a city, now."""
    return f"It rains in {city}."


def main() -> None:
    llm = hb.LLM(model=MODEL, provider="anthropic")

    print("text:", llm.chat("Name three primes.", max_tokens=200))

    print("stream:", end=" ")
    for piece in llm.stream("Count to three."):
        print(piece, end="", flush=True)
    print()

    answer = llm.complete("How many primes are below 100?", think=True)
    print("thoughts:", answer.reasoning or "(none)", "- answer:", answer.text)

    print("tool:", llm.chat("Do I need an umbrella in Paris?", tools=[get_weather]))

    print("typed:", llm.chat("The capital of France?", response_format=City, include="structured"))

    # Anthropic keeps long prompts for five minutes; reading them again costs a tenth.
    rules = "Answer in one short sentence. " * 500
    answer = llm.complete("Why is the sky blue?", system=rules, prompt_caching=True)
    print("kept:", answer.text, "- usage:", answer.usage)


if __name__ == "__main__":
    main()
