"""Cohere on its own wire: text, a stream, thoughts, a tool, a schema, vectors, documents in order.

    pip install hb-core hb-provider-cohere
    export COHERE_API_KEY=...        # from https://dashboard.cohere.com/api-keys
    python examples/cohere_tour.py

`COHERE_BASE_URL` moves the endpoint, `COHERE_MODEL` and its like choose other models. (The file must not be called
cohere.py: Python would take it for the SDK.)
"""

from __future__ import annotations

import os

import heavenbase as hb
from hb_provider_cohere import rerank

MODEL = os.environ.get("COHERE_MODEL", "command-a-plus-05-2026")
EMBEDDING_MODEL = os.environ.get("COHERE_EMBEDDING_MODEL", "embed-v4.0")
RERANK_MODEL = os.environ.get("COHERE_RERANK_MODEL", "rerank-v3.5")


def get_weather(city: str) -> str:
    """The weather in a city, now."""
    return f"It rains in {city}."


def main() -> None:
    llm = hb.LLM(model=MODEL, provider="cohere")

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

    vectors = hb.LLM(model=EMBEDDING_MODEL, provider="cohere").embed(
        ["a text", "another"], input_type="search_document", dimensions=256
    )
    print("vectors:", len(vectors), "of", len(vectors[0]), "numbers")

    documents = ["Bread needs flour.", "The Eiffel Tower is in Paris."]
    [best] = rerank(hb.LLM(model=RERANK_MODEL, provider="cohere"), "Where is the Eiffel Tower?", documents, top_n=1)
    print("best:", documents[best.index])


if __name__ == "__main__":
    main()
