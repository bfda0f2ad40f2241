"""OpenAI: text, a stream, a tool, a typed answer, vectors, an image.

    pip install hb-core              # OpenAI comes with it
    export OPENAI_API_KEY=...        # from https://platform.openai.com/api-keys
    python examples/openai_tour.py

`OPENAI_BASE_URL` moves the endpoint, `OPENAI_MODEL` and its like choose other models. (The file must not be called
openai.py: Python would take it for the SDK.)
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import heavenbase as hb

MODEL = os.environ.get("OPENAI_MODEL", "gpt-4o-mini")
EMBEDDING_MODEL = os.environ.get("OPENAI_EMBEDDING_MODEL", "text-embedding-3-small")
IMAGE_MODEL = os.environ.get("OPENAI_IMAGE_MODEL", "gpt-image-1")


@dataclass
class City:
    name: str
    country: str


def get_weather(city: str) -> str:
    """The weather in a city, now."""
    return f"It rains in {city}."


def main() -> None:
    llm = hb.LLM(model=MODEL, provider="openai")

    print("text:", llm.chat("Name three primes."))

    print("stream:", end=" ")
    for piece in llm.stream("Count to three."):
        print(piece, end="", flush=True)
    print()

    answer = llm.complete("Do I need an umbrella in Paris?", tools=[get_weather])
    print("tool:", answer.text, "- usage:", answer.usage)

    print("typed:", llm.chat("The capital of France?", response_format=City, include="structured"))

    vectors = hb.LLM(model=EMBEDDING_MODEL, provider="openai").embed(["a text", "another"], dimensions=256)
    print("vectors:", len(vectors), "of", len(vectors[0]), "numbers")

    image = hb.LLM(model=IMAGE_MODEL, provider="openai").imagen("A red square.", size="1024x1024")
    print("image:", image.save(Path(tempfile.gettempdir(), "hb-openai.png")))


if __name__ == "__main__":
    main()
