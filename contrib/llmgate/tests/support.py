"""Nine providers behind one loopback server, and a caller in each colour."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

import hb_llmgate
from hb_testing.caches import ManualClock
from hb_testing.server import Answer, Exchange, LoopbackServer, OpenAIWire, RecordedRequest, route
from heavenbase import Config, Kernel

USER = [{"role": "user", "content": "hi"}]
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get current weather for a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "City name"}},
            "required": ["city"],
        },
    },
}


@dataclass(frozen=True)
class Row:
    """A provider: a model string, its variables, and a model for vectors, "" where it has none."""

    name: str
    model: str
    address: str
    variable: str
    embedding: str = ""

    @property
    def key(self) -> str:
        """A key like no other."""
        return f"key-of-{self.name}-0123456789"


ROWS = [
    Row("openai", "gpt-4o-mini", "OPENAI_BASE_URL", "OPENAI_API_KEY", "text-embedding-3-small"),
    Row("anthropic", "claude-haiku-4-5-20251001", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"),
    Row("gemini", "gemini-2.5-flash-lite", "GEMINI_BASE_URL", "GEMINI_API_KEY", "gemini/gemini-embedding-001"),
    Row("groq", "groq/llama-3.1-8b-instant", "GROQ_BASE_URL", "GROQ_API_KEY"),
    Row("mistral", "mistral/mistral-small-latest", "MISTRAL_BASE_URL", "MISTRAL_API_KEY", "mistral/mistral-embed"),
    Row("cohere", "cohere/command-a-03-2025", "COHERE_BASE_URL", "COHERE_API_KEY", "cohere/embed-english-v3.0"),
    Row(
        "azure", "azure/my-deployment", "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "azure/my-embedding-deployment"
    ),
    Row(
        "bedrock",
        "bedrock/us.amazon.nova-lite-v1:0",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
        "AWS_BEARER_TOKEN_BEDROCK",
        "bedrock/amazon.titan-embed-text-v2:0",
    ),
    Row("ollama", "ollama/llama3.2", "OLLAMA_HOST", "OLLAMA_API_KEY", "ollama/nomic-embed-text"),
]
BY_NAME = {row.name: row for row in ROWS}
EVERY = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


class AzureWire(OpenAIWire):
    """OpenAI's wire at the deployments of a resource."""

    name = "azure"
    base = ""

    @route("POST", "/openai/deployments/{deployment}/chat/completions")
    def chat(self, exchange: Exchange) -> Answer:
        """Answer a chat completion of a deployment."""
        return super().chat(exchange)

    @route("POST", "/openai/deployments/{deployment}/embeddings")
    def embeddings(self, exchange: Exchange) -> Answer:
        """Answer the vectors of a deployment."""
        return super().embeddings(exchange)

    def key(self, request: RecordedRequest) -> str | None:
        """The key of the header `api-key`, else a token."""
        return request.headers.get("api-key") or request.bearer


def addresses(server: LoopbackServer) -> dict[str, str]:
    """The variables that point the providers at the server."""
    return {row.address: server.url(row.name) for row in ROWS}


def keys() -> dict[str, str]:
    """The variables that hold the providers' keys."""
    return {row.variable: row.key for row in ROWS}


def make_kernel(environ: Mapping[str, str], config: Mapping[str, Any] | None = None, **options: Any) -> Kernel:
    """A kernel that sees these variables alone."""
    return Kernel(Config.from_dict(dict(config or {}), environ=environ), **options)


def provider_of(request: RecordedRequest) -> str:
    """The provider whose endpoint a request went to."""
    return request.path.split("/")[1]


class Clock(ManualClock):
    """A clock that stands still but for sleeps."""

    @property
    def options(self) -> dict[str, Any]:
        """What a kernel is given for it."""
        return {"clock": self, "sleep": self.sleep, "asleep": self.asleep, "random": lambda: 0.5}


class Caller:
    """The functions of hb_llmgate in one colour, over one kernel."""

    def __init__(self, colour: str, kernel: Kernel) -> None:
        self.is_async = colour == "async"
        self.kernel = kernel
        self._runner = asyncio.Runner()

    def completion(self, model: Any, messages: Any = USER, **options: Any) -> Any:
        """The whole answer."""
        return self._run("completion", model, messages, kernel=self.kernel, **options)

    def parse(self, model: Any, messages: Any = USER, **options: Any) -> Any:
        """The answer in a type."""
        return self._run("parse", model, messages, kernel=self.kernel, **options)

    def embed(self, model: str, input: Any = "hi", **options: Any) -> Any:
        """The vectors."""
        return self._run("embed", model, input, kernel=self.kernel, **options)

    def batch(self, requests: Any, **options: Any) -> Any:
        """The result of a batch."""
        return self._run("batch", requests, kernel=self.kernel, **options)

    def stream(self, model: Any, messages: Any = USER, **options: Any) -> list[Any]:
        """All chunks."""
        found: list[Any] = []
        self.stream_into(found, model, messages, **options)
        return found

    def stream_into(self, found: list[Any], model: Any, messages: Any = USER, **options: Any) -> None:
        """Put the chunks where they stay when the stream breaks."""
        options = {"kernel": self.kernel, **options, "stream": True}
        if not self.is_async:
            found.extend(self._noted(found, hb_llmgate.completion(model, messages, **options)))
            return

        async def read() -> None:
            async for chunk in await hb_llmgate.acompletion(model, messages, **options):
                found.append(chunk)

        self._runner.run(read())

    def of(self, gate: Any, method: str, *args: Any, **options: Any) -> Any:
        """What a method of a gate answers."""
        if not self.is_async:
            found = getattr(gate, method)(*args, **options)
            return list(found) if method == "stream" else found

        async def ask() -> Any:
            found = getattr(gate, f"a{method}")(*args, **options)
            return [chunk async for chunk in found] if method == "stream" else await found

        return self._runner.run(ask())

    def close(self) -> None:
        """Close the kernel and the loop."""
        self._runner.run(self.kernel.aclose())
        self._runner.close()

    @staticmethod
    def _noted(found: list[Any], chunks: Any) -> list[Any]:
        for chunk in chunks:
            found.append(chunk)
        return []

    def _run(self, name: str, *args: Any, **options: Any) -> Any:
        if not self.is_async:
            return getattr(hb_llmgate, name)(*args, **options)
        return self._runner.run(getattr(hb_llmgate, f"a{name}")(*args, **options))


def ask(caller: Caller, verb: str, model: str | None = None, **options: Any) -> Any:
    """One call of a kind."""
    named = model or ("text-embedding-3-small" if verb == "embed" else "gpt-4o-mini")
    return getattr(caller, verb)(named, **options)


def said(answer: Any) -> str:
    """The text of an answer or of chunks."""
    return "".join(chunk.delta for chunk in answer) if isinstance(answer, list) else str(answer.text)
