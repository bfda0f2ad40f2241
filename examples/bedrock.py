"""Amazon Bedrock: text, a stream, a tool, a schema, a document, thoughts, vectors, an image.

    pip install hb-core hb-provider-bedrock
    export AWS_BEARER_TOKEN_BEDROCK=...     # or any credentials that boto3 finds: aws configure sso
    export AWS_REGION=us-east-1
    python examples/bedrock.py

The models must be enabled in the account. `BEDROCK_MODEL` and its like choose others;
`AWS_ENDPOINT_URL_BEDROCK_RUNTIME` moves the endpoint.
"""

from __future__ import annotations

import os
import tempfile
from base64 import b64encode
from pathlib import Path

import heavenbase as hb

MODEL = os.environ.get("BEDROCK_MODEL", "us.amazon.nova-lite-v1:0")
THINKING_MODEL = os.environ.get("BEDROCK_THINKING_MODEL", "global.anthropic.claude-sonnet-4-5-20250929-v1:0")
EMBEDDING_MODEL = os.environ.get("BEDROCK_EMBEDDING_MODEL", "amazon.titan-embed-text-v2:0")
IMAGE_MODEL = os.environ.get("BEDROCK_IMAGE_MODEL", "amazon.nova-canvas-v1:0")


def get_weather(city: str) -> str:
    """The weather in a city, now."""
    return f"It rains in {city}."


def main() -> None:
    llm = hb.LLM(model=MODEL, provider="bedrock")

    print("text:", llm.chat("Name three primes."))

    print("stream:", end=" ")
    for piece in llm.stream("Count to three."):
        print(piece, end="", flush=True)
    print()

    print("tool:", llm.chat("Do I need an umbrella in Paris?", tools=[get_weather]))

    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema}}
    answer = llm.complete("The capital of France?", response_format=wanted)
    print("schema:", answer.structured)

    notes = {"filename": "notes.txt", "file_data": b64encode(b"Primes are fun.").decode()}
    parts = [{"type": "file", "file": notes}, {"type": "text", "text": "What do the notes say?"}]
    print("document:", llm.chat([{"role": "user", "content": parts}]))

    thinker = hb.LLM(model=THINKING_MODEL, provider="bedrock")
    answer = thinker.complete("How many primes are below 100?", think=True)
    print("thoughts:", answer.reasoning or "(none)", "- answer:", answer.text, "- usage:", answer.usage)

    vectors = hb.LLM(model=EMBEDDING_MODEL, provider="bedrock").embed(["a text", "another"], dimensions=256)
    print("vectors:", len(vectors), "of", len(vectors[0]), "numbers")

    image = hb.LLM(model=IMAGE_MODEL, provider="bedrock").imagen("A red square.", size="512x512")
    print("image:", image.save(Path(tempfile.gettempdir(), "hb-bedrock.png")))


if __name__ == "__main__":
    main()
