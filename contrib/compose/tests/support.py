"""What the tests of this folder share: a stack of providers, and ways to ask it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import hb_compose as c
from hb_testing.conformance.colours import Colour
from hb_testing.conformance.rig import Clock
from hb_testing.server import LoopbackServer, RecordedRequest
from heavenbase.kernel import Kernel

KEYS = {"ANTHROPIC_API_KEY": "key-of-anthropic-0123456789", "OPENROUTER_API_KEY": "key-of-openrouter-0123456789"}
CANARY = "sk-canary-0123456789abcdef"
MODELS = {"anthropic": "claude-sonnet-4-20250514", "openrouter": "anthropic/claude-sonnet-4-20250514"}
CHEAP = {"anthropic": "claude-haiku-4-5-20251001", "openrouter": "anthropic/claude-haiku-4.5"}
KINDS = {"anthropic": c.AnthropicProvider, "openrouter": c.OpenRouterProvider}
BOTH = pytest.mark.parametrize("name", list(KINDS))
WAYS = pytest.mark.parametrize("way", ["complete", "stream_complete"])
WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CLOCK = {"name": "get_time", "description": "The time", "input_schema": {"type": "object", "properties": {}}}
LONG = "a good answer of some words"


class Stack:
    """Providers in one colour, against the server."""

    def __init__(self, server: LoopbackServer, kernel: Kernel, clock: Clock, colour: Colour) -> None:
        self.server = server
        self.kernel = kernel
        self.clock = clock
        self.colour = colour
        self.pieces: list[str] = []
        self.told: list[tuple[Any, ...]] = []

    def direct(self, name: str = "anthropic", model: str = "", key: str | None = None, **options: Any) -> Any:
        """A provider that a stack ends in."""
        made = KINDS[name](key or f"key-of-{name}-9876543210", model or MODELS[name], kernel=self.kernel, **options)
        self.clock.slept.clear()
        return made

    def retrying(self, inner: Any, *args: Any, **options: Any) -> c.RetryingProvider:
        """Retries around a provider; what is told stands in `told`."""
        clock = self.clock
        pace: dict[str, Any] = {"sleep": clock.sleep, "asleep": clock.asleep, "random": lambda: 0.5}
        options.setdefault("on_retry", lambda *told: self.told.append(told))
        return c.RetryingProvider(inner, *args, **pace, **options)

    def ask(self, provider: Any, way: str = "complete", request: Any = "hi", **fields: Any) -> c.CompletionResponse:
        """The full response; what a stream brought stands in `pieces`."""
        self.pieces = []

        async def asynchronously() -> Any:
            if way == "complete":
                return await provider.acomplete(request, **fields)
            return await provider.astream_complete(request, on_text=self.pieces.append, **fields)

        def plainly() -> Any:
            if way == "complete":
                return provider.complete(request, **fields)
            return provider.stream_complete(request, on_text=self.pieces.append, **fields)

        found: c.CompletionResponse = self.colour.run(plainly, asynchronously)
        return found

    def fail(self, status: int, times: int = 1, **fields: Any) -> None:
        """Queue answers that are errors."""
        for _ in range(times):
            self.server.reply("not now", status=status, **fields)

    @property
    def requests(self) -> list[RecordedRequest]:
        """What arrived."""
        return self.server.requests

    @property
    def sent(self) -> Any:
        """The body of the only request."""
        [request] = self.server.requests
        return request.json

    @property
    def asked(self) -> list[str]:
        """The models that were asked, in order."""
        return [request.json["model"] for request in self.server.requests]


def marks(value: Any) -> Iterator[Any]:
    """Every mark for the cache of prompts, anywhere in a body."""
    if isinstance(value, dict):
        if "cache_control" in value:
            yield value["cache_control"]
        for inner in value.values():
            yield from marks(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from marks(inner)
