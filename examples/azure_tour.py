"""Azure OpenAI: text, a stream, a tool, a typed answer, vectors, from the deployments of a resource of yours.

    pip install hb-core hb-provider-azure
    export AZURE_OPENAI_ENDPOINT=https://NAME.openai.azure.com
    export AZURE_OPENAI_API_KEY=...  # or `az login`, with azure-identity installed
    python examples/azure_tour.py

A deployment may be called anything: `AZURE_DEPLOYMENT` and `AZURE_EMBEDDING_DEPLOYMENT` name yours.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import heavenbase as hb

DEPLOYMENT = os.environ.get("AZURE_DEPLOYMENT", "gpt-4o-mini")
EMBEDDING_DEPLOYMENT = os.environ.get("AZURE_EMBEDDING_DEPLOYMENT", "text-embedding-3-small")


@dataclass
class City:
    name: str
    country: str


def get_weather(city: str) -> str:
    """The weather in a city, now."""
    return f"It rains in {city}."


def main() -> None:
    llm = hb.LLM(model=f"azure/{DEPLOYMENT}")

    print("text:", llm.chat("Name three primes."))

    print("stream:", end=" ")
    for piece in llm.stream("Count to three."):
        print(piece, end="", flush=True)
    print()

    print("tool:", llm.chat("Do I need an umbrella in Paris?", tools=[get_weather]))

    print("typed:", llm.chat("The capital of France?", response_format=City, include="structured"))

    vectors = hb.LLM(model=f"azure/{EMBEDDING_DEPLOYMENT}").embed(["a text", "another"], dimensions=256)
    print("vectors:", len(vectors), "of", len(vectors[0]), "numbers")


if __name__ == "__main__":
    main()
