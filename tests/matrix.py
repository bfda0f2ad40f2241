"""The native providers, each with a loopback server of its own wire: what the tests of the matrix share.

A row says how a provider is pointed at the server and which of its models is asked for what. A bench is a provider in
one colour: `complete`, `stream` and `embed` ask it, `reply` says what the server answers, `sent` is what arrived.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from hb_testing.conformance.colours import COLOURS, Colour
from hb_testing.conformance.contract import find_plugins
from hb_testing.conformance.rig import environment
from hb_testing.server import Answer, Exchange, LoopbackServer, OpenAIWire, RecordedRequest, Reply, Wire, route
from heavenbase.config.config import Config
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.types import Chunk, Completion, ToolCall

NINE = ("openai", "anthropic", "gemini", "groq", "mistral", "cohere", "azure", "bedrock", "ollama")


@dataclass(frozen=True)
class Row:
    """One provider. `address` and `keys` are its documented variables, `family` the shape of its messages.

    `embedding` is a model for vectors, "" where the provider has none; `gateway` is who speaks its wire.
    """

    name: str
    model: str
    address: str
    keys: tuple[str, ...]
    embedding: str = ""
    family: str = "openai"
    gateway: str = ""

    @property
    def key(self) -> str:
        """A key like no other."""
        return f"key-of-{self.name}-0123456789"


ROWS = [
    Row("openai", "gpt-4o-mini", "OPENAI_BASE_URL", ("OPENAI_API_KEY",), "text-embedding-3-small", gateway="openai"),
    Row(
        "anthropic",
        "claude-3-5-haiku-20241022",
        "ANTHROPIC_BASE_URL",
        ("ANTHROPIC_API_KEY",),
        family="anthropic",
        gateway="anthropic",
    ),
    Row(
        "gemini",
        "gemini-2.5-flash",
        "GEMINI_BASE_URL",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        "gemini-embedding-001",
        "gemini",
        "gemini",
    ),
    Row("groq", "llama-3.1-8b-instant", "GROQ_BASE_URL", ("GROQ_API_KEY",), gateway="openai"),
    Row(
        "mistral",
        "mistral-small-latest",
        "MISTRAL_BASE_URL",
        ("MISTRAL_API_KEY",),
        "mistral-embed",
        "mistral",
        "mistral",
    ),
    Row(
        "cohere",
        "command-a-03-2025",
        "COHERE_BASE_URL",
        ("COHERE_API_KEY", "CO_API_KEY"),
        "embed-v4.0",
        "cohere",
        "cohere",
    ),
    Row("azure", "chats", "AZURE_OPENAI_ENDPOINT", ("AZURE_OPENAI_API_KEY",), "vectors", gateway="azure"),
    Row(
        "bedrock",
        "us.amazon.nova-lite-v1:0",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
        ("AWS_BEARER_TOKEN_BEDROCK",),
        "cohere.embed-v4:0",
        "bedrock",
        "bedrock",
    ),
    Row("ollama", "llama3.2", "OLLAMA_HOST", ("OLLAMA_API_KEY",), "embeddinggemma", "ollama", "ollama"),
]
INSTALLED = [row for row in ROWS if find_plugins("gateways", row.gateway) and find_plugins("providers", row.name)]
OPENROUTER = Row("openrouter", "openai/gpt-4o-mini", "OPENROUTER_BASE_URL", ("OPENROUTER_API_KEY",), gateway="openai")
EVERY = pytest.mark.parametrize("row", INSTALLED, ids=lambda row: row.name)
EMBEDDING = pytest.mark.parametrize("row", [row for row in INSTALLED if row.embedding], ids=lambda row: row.name)
WAYS = pytest.mark.parametrize("way", ["complete", "stream"])

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CLOCK: dict[str, Any] = {
    "type": "function",
    "function": {"name": "get_time", "description": "The time", "parameters": {"type": "object", "properties": {}}},
}
CALLS = [{"name": "get_weather", "arguments": {"city": "Köln"}}, {"name": "get_time", "arguments": {}}]
"""Two calls as a server answers them."""


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


def wires() -> list[Wire]:
    """The wires that the server does not bring."""
    return [AzureWire(), OpenAIWire(name="groq", base="/openai/v1")]


def addresses(server: LoopbackServer, *rows: Row) -> dict[str, str]:
    """The variables that point providers at the server."""
    return {row.address: server.url(row.name) for row in rows or (*INSTALLED, OPENROUTER)}


def credentials(*rows: Row) -> dict[str, str]:
    """The variables that hold the providers' keys."""
    return {row.keys[0]: row.key for row in rows or (*INSTALLED, OPENROUTER)}


def make_kernel(environ: Mapping[str, str], **settings: Any) -> Kernel:
    """A kernel that sees only these variables, without cache and default arguments."""
    plain = {
        "heavenbase.llm.cache.enabled": False,
        "heavenbase.llm.default_args.temperature": None,
        "heavenbase.llm.default_args.seed": None,
    }
    return Kernel(Config.from_dict({**plain, **settings}, environ=environment(**environ)))


class Bench:
    """One provider in one colour, against the server."""

    def __init__(self, row: Row, server: LoopbackServer, kernel: Kernel, colour: Colour) -> None:
        self.row = row
        self.server = server
        self.kernel = kernel
        self.colour = colour
        self.options: dict[str, Any] = {"max_retries": 0}
        server.clear()

    # Asking

    def llm(self, model: str = "", **options: Any) -> LLM:
        """An LLM of the provider, found by the head of its model's name."""
        return LLM(model=f"{self.row.name}/{model or self.row.model}", kernel=self.kernel, **self.options, **options)

    def complete(self, messages: Any = "hi", *, model: str = "", **options: Any) -> Completion:
        """The whole answer."""
        return self.colour.chat(self.llm(model), messages, **options)

    def stream(self, messages: Any = "hi", *, model: str = "", **options: Any) -> list[Chunk]:
        """All chunks of a stream."""
        return self.colour.stream(self.llm(model), messages, **options)

    def gathered(self, messages: Any = "hi", *, model: str = "", **options: Any) -> Completion:
        """The answer that a stream adds up to."""
        llm = self.llm(model)

        async def read() -> Any:
            return [item async for item in llm.astream(messages, include="completion", **options)]

        return self.colour.run(lambda: list(llm.stream(messages, include="completion", **options)), read)[-1]  # type: ignore[no-any-return]

    def ask(self, way: str, messages: Any = "hi", **options: Any) -> Completion:
        """The answer in one of the ways: complete or stream."""
        return (self.complete if way == "complete" else self.gathered)(messages, **options)

    def embed(self, inputs: Any, **options: Any) -> list[Any]:
        """The vectors."""
        found: list[Any] = self.colour.embed(self.llm(self.row.embedding), inputs, **options)["embeddings"]
        return found

    # Answering

    def reply(self, text: str | None = None, **fields: Any) -> Reply:
        """Queue one answer."""
        return self.server.reply(text, **fields)

    @property
    def wire(self) -> Wire:
        """The provider's wire."""
        return self.server.wires[self.row.name]

    @property
    def sent(self) -> Any:
        """The body of the only request."""
        [request] = self.server.requests
        return request.json


def fields(calls: list[ToolCall]) -> list[dict[str, Any]]:
    """Tool calls as the server was told to answer them."""
    return [{"name": call.name, "arguments": call.parse()} for call in calls]


@contextmanager
def opened(colour: str) -> Iterator[Colour]:
    """A colour, closed afterwards."""
    made = COLOURS[colour]()
    yield made
    made.close()
