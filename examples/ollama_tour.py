"""Ollama on its own wire: text, a stream, thoughts, a tool, a schema, vectors.

    pip install hb-core hb-provider-ollama
    hb ollama pull llama3.2 && hb ollama pull embeddinggemma
    python examples/ollama_tour.py

`OLLAMA_HOST` names the server, `OLLAMA_MODEL` and its like choose other models.
"""

from __future__ import annotations

import os

import heavenbase as hb

MODEL = os.environ.get("OLLAMA_MODEL", "llama3.2")
THINKING_MODEL = os.environ.get("OLLAMA_THINKING_MODEL", "qwen3:8b")
EMBEDDING_MODEL = os.environ.get("OLLAMA_EMBEDDING_MODEL", "embeddinggemma")


def get_weather(city: str) -> str:
    """The weather in a city, now."""
    return f"It rains in {city}."


def main() -> None:
    llm = hb.LLM(model=MODEL, provider="ollama")

    print("text:", llm.chat("Name three primes.", num_ctx=4096))

    print("stream:", end=" ")
    for piece in llm.stream("Count to three."):
        print(piece, end="", flush=True)
    print()

    answer = hb.LLM(model=THINKING_MODEL, provider="ollama").complete("How many primes are below 100?", think=True)
    print("thoughts:", answer.reasoning or "(none)", "- answer:", answer.text, "- usage:", answer.usage)

    print("tool:", llm.chat("Do I need an umbrella in Paris?", tools=[get_weather]))

    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema}}
    print("schema:", llm.chat("The capital of France?", response_format=wanted, include="structured"))

    vectors = hb.LLM(model=EMBEDDING_MODEL, provider="ollama").embed(["a text", "another"])
    print("vectors:", len(vectors), "of", len(vectors[0]), "numbers")


if __name__ == "__main__":
    main()
