"""An endpoint without a wire, which notes each request: what the checks of middlewares and judges call.

It answers every verb in natural colours, and so needs no SDK, no socket and, in sync calls, no event loop.
"""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from hb_testing.conformance.samples import IMAGES
from heavenbase.call import WireRequest
from heavenbase.errors import HBError
from heavenbase.image.image import LLMImage
from heavenbase.operations import Listing, ModelInfo, Ranked, Ranking, TokenCount
from heavenbase.plugin import Gateway
from heavenbase.types import Chunk, Completion, Embedding, ImageResult, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from heavenbase.call import Call

NAME = "conformance_endpoint"
SETTINGS: dict[str, Any] = {
    "heavenbase.llm.strict_plugins": True,
    "heavenbase.llm.providers.conformance": {
        "base_url": "https://conformance.invalid/v1",
        "gateway": NAME,
        "wire": NAME,
        "capabilities": {
            **dict.fromkeys(("chat", "stream", "tools", "vision", "embeddings", "images", "models", "rerank"), True),
            "count_tokens": True,
            "structured": "json_schema",
        },
    },
}
"""The provider that leads to it."""
USAGE = Usage(12, 7)


@dataclass
class Request:
    """One request that came: which verb of which model, what it said, and how it ended.

    `looped` says whether an event loop ran in its thread, `pieces` how much of its stream was taken.
    """

    verb: str
    model: str
    said: Any
    args: dict[str, Any]
    looped: bool
    stream: bool = False
    error: str | None = None
    pieces: int = 0
    closed: bool = False


class Endpoint(Gateway):
    """Says back what it is told. `failures` are raised first, one a request; `cut` ends each stream after two pieces.

    `gate` is waited for by async requests; `says` makes the text of an answer from the words of the last message.
    """

    name = NAME
    wire: ClassVar[str] = NAME
    vision: ClassVar[str] = ""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.failures: list[HBError] = []
        self.cut: HBError | None = None
        self.gate: asyncio.Event | None = None
        self.says: Callable[[Call, str], str] = lambda call, words: f"It was said, word by word: {words}"
        self._lock = threading.Lock()

    def log(self) -> list[tuple[str, str | None]]:
        """The model and the kind of error of each request, in order."""
        return [(request.model, request.error) for request in self.requests]

    def prepare(self, call: Call) -> WireRequest:
        """Every parameter is sent."""
        call.context.report.sent(*call.args)
        return WireRequest("POST", "https://conformance.invalid/v1", {"model": call.spec.model_id, **call.args})

    def chat(self, call: Call, request: WireRequest) -> Completion:
        """What the last message says."""
        self._heard(call)
        return Completion(self._words(call), finish_reason="stop", raw_finish_reason="stop", usage=USAGE)

    async def achat(self, call: Call, request: WireRequest) -> Completion:
        """Async form of `chat`."""
        noted = self._heard(call)
        await self._held(noted)
        return Completion(self._words(call), finish_reason="stop", raw_finish_reason="stop", usage=USAGE)

    def stream(self, call: Call, request: WireRequest) -> Iterator[Chunk]:
        """The same, word by word."""
        noted = self._heard(call)
        try:
            yield from self._chunks(call, noted)
        finally:
            noted.closed = True

    async def astream(self, call: Call, request: WireRequest) -> AsyncIterator[Chunk]:
        """Async form of `stream`."""
        noted = self._heard(call)
        try:
            for chunk in self._chunks(call, noted):
                yield chunk
                await self._held(noted)
        finally:
            noted.closed = True

    def embed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """The length of each input."""
        self._heard(call)
        return Embedding([[float(len(text)), 1.0] for text in call.inputs], usage=USAGE)

    async def aembed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """Async form of `embed_batch`."""
        await self._held(self._heard(call))
        return Embedding([[float(len(text)), 1.0] for text in call.inputs], usage=USAGE)

    def generate_images(self, call: Call, request: WireRequest) -> ImageResult:
        """One small picture."""
        self._heard(call)
        return ImageResult([LLMImage.from_bytes(IMAGES["png"])], usage=USAGE)

    async def agenerate_images(self, call: Call, request: WireRequest) -> ImageResult:
        """Async form of `generate_images`."""
        await self._held(self._heard(call))
        return ImageResult([LLMImage.from_bytes(IMAGES["png"])], usage=USAGE)

    async def count_tokens(self, call: Call) -> TokenCount:
        """The number of words."""
        await self._held(self._heard(call))
        return TokenCount(sum(len(str(message["content"]).split()) for message in call.messages), usage=USAGE)

    async def models(self, call: Call) -> Listing[ModelInfo]:
        """The one that is asked."""
        await self._held(self._heard(call))
        return Listing([ModelInfo(call.spec.model_id)])

    async def rerank(self, call: Call) -> Ranking:
        """The longest document first."""
        await self._held(self._heard(call))
        found = [Ranked(place, float(len(text)), text) for place, text in enumerate(call.subject.documents)]
        return Ranking(sorted(found, key=lambda one: -one.score)[: call.subject.top_n])

    def _heard(self, call: Call) -> Request:
        said = call.messages or call.inputs or call.prompt or call.subject
        with self._lock:
            noted = Request(call.verb, call.spec.model_id, said, dict(call.args), _has_loop(), call.stream)
            self.requests.append(noted)
            failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            noted.error = failure.kind
            raise failure
        return noted

    async def _held(self, noted: Request) -> None:
        if self.gate is not None:
            await self.gate.wait()

    def _words(self, call: Call) -> str:
        content = call.messages[-1]["content"]
        return self.says(call, content if isinstance(content, str) else str(content))

    def _chunks(self, call: Call, noted: Request) -> Iterator[Chunk]:
        for word in self._words(call).split(" "):
            if self.cut is not None and noted.pieces == 2:
                noted.error = self.cut.kind
                raise self.cut
            noted.pieces += 1
            yield Chunk(word if noted.pieces == 1 else f" {word}")
        yield Chunk(finish_reason="stop", raw_finish_reason="stop")
        yield Chunk(usage=USAGE)


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
