"""The wires that are fuzzed: how each is reached, what good answers look like, and what proves that one is whole."""

from __future__ import annotations

import ast
import importlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from hb_testing import GatewayContract
from hb_testing.conformance.colours import Colour
from hb_testing.conformance.rig import Rig
from hb_testing.server import Answer, Exchange, Reply, Stream, fault
from hb_testing.server.http import encode_body
from heavenbase.errors import StatusError, UnsupportedError

STRIKE = "fuzz"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True)
class Wire:
    """One wire. `packages` read its answers; `proof` is what stands in every whole answer, `ends` in every stream."""

    name: str
    gateway: str
    packages: tuple[str, ...]
    proof: bytes
    ends: bytes
    contract: str = ""
    verbs: tuple[str, ...] = ("chat", "stream", "embed")
    models: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def rig(self, colour: Colour, verb: str = "chat", **settings: Any) -> Iterator[Rig]:
        """A kernel and a server that speak the wire; the settings are those of `heavenbase.llm`."""
        named = self.contract.partition(":")
        base: Any = getattr(importlib.import_module(named[0]), named[2]) if self.contract else GatewayContract
        model = {"model": self.models[verb]} if verb in self.models else {}
        given = {f"heavenbase.llm.{name}": value for name, value in settings.items()}
        contract = type("Contract", (base,), {"gateway": self.gateway, "settings": lambda _: given, **model})()
        # Without an end to the server's patience, for as many cases as there are.
        with contract.open_rig(colour, calls=False, strict=False) as rig:
            yield rig

    @property
    def words(self) -> Sequence[str]:
        """The names that the readers of the wire look for, and some others."""
        return _words(self.packages)


WIRES = (
    Wire(
        "openai",
        "openai",
        ("hb_wire_openai",),
        rb'"finish_reason"|tool_calls',
        rb'"finish_reason"|\[DONE\]',
        verbs=("chat", "stream", "embed", "imagen"),
    ),
    Wire(
        "responses",
        "responses",
        ("hb_wire_openai.responses", "hb_wire_openai"),
        b"status|call",
        rb"response\.(completed|incomplete)|status",
        verbs=("chat", "stream"),
    ),
    Wire(
        "anthropic",
        "anthropic",
        ("hb_gateway_anthropic",),
        b"stop_reason|tool_use",
        b"message_stop|stop_reason",
        verbs=("chat", "stream"),
    ),
    Wire(
        "gemini",
        "gemini",
        ("hb_provider_gemini",),
        b"finishReason|functionCall",
        b"finishReason",
        "hb_provider_gemini.conformance:GeminiContract",
        ("chat", "stream", "embed", "imagen"),
    ),
    Wire(
        "vertex",
        "vertex",
        ("hb_provider_gemini", "hb_provider_vertex"),
        b"finishReason|functionCall",
        b"finishReason",
        "hb_provider_vertex.conformance:VertexContract",
        ("chat", "stream", "embed"),
    ),
    Wire(
        "bedrock",
        "bedrock",
        ("hb_provider_bedrock",),
        b"stopReason|toolUse",
        b"stopReason|messageStop",
        "hb_provider_bedrock.conformance:BedrockGatewayContract",
        ("chat", "stream", "embed", "imagen"),
        {"embed": "cohere.embed-v4:0", "imagen": "amazon.nova-canvas-v1:0"},
    ),
    Wire(
        "cohere",
        "cohere",
        ("hb_provider_cohere",),
        b"finish_reason|tool_calls",
        b"message-end|finish_reason",
        "hb_provider_cohere.conformance:CohereContract",
    ),
    Wire(
        "mistral",
        "mistral",
        ("hb_provider_mistral",),
        b"finish_reason|tool_calls",
        b"finish_reason|DONE",
        "hb_provider_mistral.conformance:MistralContract",
    ),
    Wire(
        "ollama",
        "ollama",
        ("hb_provider_ollama",),
        b'"done|tool_calls',
        b'"done',
        "hb_provider_ollama.conformance:OllamaContract",
    ),
)


@lru_cache(maxsize=16)
def _words(packages: tuple[str, ...]) -> Sequence[str]:
    found: set[str] = {"error", "message", "code", "status", "type", "id", "index", "usage", "content", "text", "n"}
    for package in packages:
        folder = Path(str(importlib.import_module(package).__file__)).parent
        for path in folder.glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    found.update(word for word in node.value.split() if NAME.fullmatch(word))
    return sorted(found)


# Answers


@dataclass(frozen=True)
class Sample:
    """A good answer: a body, or the events of a stream; `options` are those of the call that it answers."""

    verb: str
    body: bytes = b""
    events: tuple[bytes, ...] = ()
    content_type: str = "application/json"
    status: int = 200
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def decoded(self) -> Any:
        """The body as data."""
        return json.loads(self.body)

    def answer(self) -> Answer:
        """As the server sends it."""
        if self.events:
            return Stream([], list(self.events), [], self.content_type)
        return Reply(body=self.body, status=self.status, headers={"content-type": self.content_type})


class Desk:
    """What the fault of the server answers next; without anything, the wire's own answer, which is kept."""

    answer: Answer | None = None
    kept: Sample

    @classmethod
    def strike(cls, exchange: Exchange) -> Answer:
        """The answer to one request."""
        if cls.answer is not None:
            return cls.answer
        good = exchange.wire.handle(exchange)
        if isinstance(good, Stream):
            cls.kept = Sample("", events=tuple(good.events), content_type=good.content_type)
        elif isinstance(good, Reply):
            cls.kept = Sample("", encode_body(good.body)[0], status=good.status)
        return good


fault(STRIKE)(Desk.strike)

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
CALLS = (
    {"name": "get_weather", "arguments": {"city": "Köln"}},
    {"name": "get_weather", "arguments": {"city": "Paris"}},
)
USAGE = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14, "prompt_tokens_details": {"cached_tokens": 4}}
SAID: tuple[dict[str, Any], ...] = (
    {"text": "Grüße, schöne Welt 🌍!"},
    {"text": "so", "reasoning": "I think", "usage": USAGE},
    {"text": "", "tool_calls": CALLS},
)
"""What the server is told to answer to chats."""
REFUSED: tuple[dict[str, Any], ...] = ({"status": 400}, {"status": 429}, {"status": 500})
VECTORS = ([0.5, 0.25], [1.0, 0.0], [0.0, -1.0])


OPERATIONS: Mapping[str, tuple[Any, ...]] = {
    "count_tokens": ("hi",),
    "models": (),
    "rerank": ("a b", ["c d", "a b c"]),
    "files.upload": (b"%PDF-1.7", "a.pdf"),
    "files.list": (),
    "files.get": ("file-1",),
    "submit": ("hi",),
    "retrieve": ("resp-1",),
    "cancel": ("resp-1",),
}
"""What LLMs do beside verbs, and what they are asked with."""


def operate(rig: Rig, llm: Any, name: str) -> Any:
    """The answer of an operation in the colour of the rig."""
    holder, _, method = name.rpartition(".")
    owner = getattr(llm, holder) if holder else llm
    options = {"estimate": False} if name == "count_tokens" else {}
    asked = OPERATIONS[name]
    return rig.colour.run(
        lambda: getattr(owner, method)(*asked, **options), lambda: getattr(owner, f"a{method}")(*asked, **options)
    )


def good_samples(rig: Rig, verb: str) -> list[Sample]:
    """Good answers as the server of the rig makes them, and errors; none of an operation that the wire has not."""
    found: list[Sample] = []
    Desk.answer = None
    good = SAID if verb in ("chat", "stream") else ({"embeddings": VECTORS},) if verb == "embed" else ({},)
    for said in (*good, *REFUSED):
        options: dict[str, Any] = {"tools": [WEATHER]} if "tool_calls" in said else {}
        if said:
            rig.server.reply(**said)
        with suppress(StatusError):
            if verb in OPERATIONS:
                try:
                    operate(rig, rig.llm(STRIKE), verb)
                except UnsupportedError:
                    return []
            else:
                rig.call(verb, STRIKE, **options)
        found.append(replace(Desk.kept, verb=verb, options=options))
    return found
