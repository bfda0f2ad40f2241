"""Google Gemini on its own wire: text, a stream, thoughts, a tool, a schema, vectors, an image.

    pip install hb-core hb-provider-gemini
    export GEMINI_API_KEY=...        # from https://aistudio.google.com/apikey
    python examples/gemini.py

`GEMINI_BASE_URL` moves the endpoint, `GEMINI_MODEL` and its like choose other models.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import heavenbase as hb

MODEL = os.environ.get("GEMINI_MODEL", "gemini-2.5-flash")
EMBEDDING_MODEL = os.environ.get("GEMINI_EMBEDDING_MODEL", "gemini-embedding-001")
IMAGE_MODEL = os.environ.get("GEMINI_IMAGE_MODEL", "gemini-2.5-flash-image")


def get_weather(city: str) -> str:
    """The weather in a city, now."""
    return f"It rains in {city}."


def main() -> None:
    llm = hb.LLM(model=MODEL, provider="gemini")

    print("text:", llm.chat("Name three primes."))

    print("stream:", end=" ")
    for piece in llm.stream("Count to three."):
        print(piece, end="", flush=True)
    print()

    answer = llm.complete("How many primes are below 100?", think=True)
    print("thoughts:", answer.reasoning or "(none)", "- answer:", answer.text, "- usage:", answer.usage)

    print("tool:", llm.chat("Do I need an umbrella in Paris?", tools=[get_weather]))

    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema}}
    print("schema:", llm.chat("The capital of France?", response_format=wanted, include="structured"))

    vectors = hb.LLM(model=EMBEDDING_MODEL, provider="gemini").embed(
        ["a text", "another"], task_type="RETRIEVAL_DOCUMENT", dimensions=256
    )
    print("vectors:", len(vectors), "of", len(vectors[0]), "numbers")

    image = hb.LLM(model=IMAGE_MODEL, provider="gemini").imagen("A red square.", aspect_ratio="1:1")
    print("image:", image.save(Path(tempfile.gettempdir(), "hb-gemini.png")))


if __name__ == "__main__":
    main()
