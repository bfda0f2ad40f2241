"""The kernel's own share: everything but SDK client and parse, by a gateway in code that answers at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import heavenbase as hb
from bench.measure import Result, median_cpu
from bench.pace import slowness
from heavenbase.call import Call, WireRequest
from heavenbase.plugin import Gateway, Provider
from heavenbase.types import Chunk, Completion, Usage

CHUNKS = 20_000


class Instant(Gateway):
    """Answers without any work."""

    name = "instant"
    wire = "openai"

    def prepare(self, call: Call) -> WireRequest:
        """The request, unreported."""
        return WireRequest("POST", "local://instant", {})

    def chat(self, call: Call, request: WireRequest) -> Completion:
        """One fixed answer."""
        return Completion("hello", finish_reason="stop", usage=Usage(1, 1))

    def stream(self, call: Call, request: WireRequest) -> Iterator[Chunk]:
        """The same chunk many times."""
        chunk = Chunk(" word")
        for _ in range(CHUNKS):
            yield chunk
        yield Chunk(finish_reason="stop", usage=Usage(1, 1))


class Place(Provider):
    """A provider without a manifest."""

    def record(self, gateway: str, model_id: str) -> Mapping[str, Any]:
        """The least a record needs."""
        return {"wire": "openai", "allow_unknown_models": True, "gateway": "instant"}


class Nothing(hb.Middleware):
    """Passes everything on."""


def kernel_share(url: str, rounds: int, scale: float) -> Iterator[Result]:
    kernel = hb.Kernel(
        {"heavenbase.llm.cache.enabled": False},
        plugins=[Instant(), Place(__name__, "place")],
        middleware=[Nothing() for _ in range(5)],
    )
    llm = hb.LLM(model="m", provider="place", gateway="instant", kernel=kernel)
    calls, slow = max(500, int(5000 * scale)), slowness(url)
    options = {"model": "m", "provider": "place", "gateway": "instant", "kernel": kernel}
    works: tuple[tuple[str, Callable[[], object], int, float], ...] = (
        ("kernel per call, 5 middlewares", lambda: [llm.chat("hi") for _ in range(calls)], calls, 60),
        ("kernel per chunk", lambda: sum(1 for _ in llm.stream("hi")), CHUNKS, 2),
        ("LLM(...) again, warm", lambda: [hb.LLM(**options) for _ in range(calls)], calls, 50),
    )
    for name, work, count, goal in works:
        yield median_cpu(name, work, slow, rounds=rounds, per=count, goal=goal)
