"""Mistral AI on its own wire: text, a stream, thoughts, a tool, a schema, an image, vectors.

    pip install hb-core hb-provider-mistral
    export MISTRAL_API_KEY=...        # from https://console.mistral.ai/api-keys
    python examples/mistral.py

`MISTRAL_BASE_URL` moves the endpoint, `MISTRAL_MODEL` and its like choose other models.
"""

from __future__ import annotations

import os

import heavenbase as hb

MODEL = os.environ.get("MISTRAL_MODEL", "mistral-small-latest")
EMBEDDING_MODEL = os.environ.get("MISTRAL_EMBEDDING_MODEL", "mistral-embed")
RED = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5E"
    "rkJggg=="
)


def get_weather(city: str) -> str:
    """The weather in a city, now."""
    return f"It rains in {city}."


def main() -> None:
    llm = hb.LLM(model=MODEL, provider="mistral")

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

    print("image:", llm.chat("Which colour is this?", images=[RED]))

    vectors = hb.LLM(model=EMBEDDING_MODEL, provider="mistral").embed(["a text", "another"])
    print("vectors:", len(vectors), "of", len(vectors[0]), "numbers")


if __name__ == "__main__":
    main()
