"""Groq: open models, fast. Text, a stream, a tool, a typed answer.

    pip install hb-core hb-provider-groq
    export GROQ_API_KEY=...          # from https://console.groq.com/keys
    python examples/groq_tour.py

`GROQ_BASE_URL` moves the endpoint, `GROQ_MODEL` chooses another model. Groq has no vectors and makes no images.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import heavenbase as hb

MODEL = os.environ.get("GROQ_MODEL", "openai/gpt-oss-20b")


@dataclass
class City:
    name: str
    country: str


def get_weather(city: str) -> str:
    """The weather in a city, now."""
    return f"It rains in {city}."


def main() -> None:
    llm = hb.LLM(model=f"groq/{MODEL}")

    print("text:", llm.chat("Name three primes.", reasoning_effort="low"))

    print("stream:", end=" ")
    for piece in llm.stream("Count to three."):
        print(piece, end="", flush=True)
    print()

    answer = llm.complete("Do I need an umbrella in Paris?", tools=[get_weather])
    print("tool:", answer.text, "- seconds:", round(answer.elapsed or 0, 2))

    print("typed:", llm.chat("The capital of France?", response_format=City, include="structured"))


if __name__ == "__main__":
    main()
