"""The verbs of an LLM as plain calls, in either colour, so that a check is written once."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from hb_testing.server import LoopbackServer
    from heavenbase.kernel import Kernel
    from heavenbase.llm import LLM
    from heavenbase.types import Chunk, Completion

T = TypeVar("T")

EMBEDDING: Any = ("embeddings", "usage", "dim")
IMAGES: Any = ("images", "usage")


class Colour:
    """One colour; `close` when done. Verbs return Completion, chunks, or the included values as a dictionary."""

    name: ClassVar[str] = ""

    def chat(self, llm: LLM, messages: Any, **options: Any) -> Completion:
        """The whole answer."""
        raise NotImplementedError

    def stream(self, llm: LLM, messages: Any, **options: Any) -> list[Chunk]:
        """All chunks of a stream."""
        raise NotImplementedError

    def take(self, llm: LLM, messages: Any, *, drop: bool = False, **options: Any) -> Chunk:
        """The first chunk with content; then the stream is closed, or with `drop` only forgotten."""
        raise NotImplementedError

    def embed(self, llm: LLM, inputs: Any, **options: Any) -> dict[str, Any]:
        """Vectors and usage."""
        raise NotImplementedError

    def imagen(self, llm: LLM, prompt: str, **options: Any) -> dict[str, Any]:
        """Images and usage."""
        raise NotImplementedError

    def wait(self, server: LoopbackServer, predicate: Callable[[LoopbackServer], object], timeout: float) -> None:
        """Let the client's side go on until `predicate(server)` holds; AssertionError after `timeout` seconds."""
        raise NotImplementedError

    def run(self, function: Callable[[], Any], coroutine: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The result of the one that has this colour."""
        raise NotImplementedError

    def close_kernel(self, kernel: Kernel) -> None:
        """Close a kernel in this colour."""
        raise NotImplementedError

    def close(self) -> None:
        """Free what the colour holds."""


class Sync(Colour):
    """No event loop anywhere."""

    name = "sync"

    def chat(self, llm: LLM, messages: Any, **options: Any) -> Completion:
        return llm.complete(messages, **options)

    def stream(self, llm: LLM, messages: Any, **options: Any) -> list[Chunk]:
        return list(llm.stream(messages, include="chunk", **options))

    def take(self, llm: LLM, messages: Any, *, drop: bool = False, **options: Any) -> Chunk:
        chunks: Any = llm.stream(messages, include="chunk", **options)
        first: Chunk = next(chunk for chunk in chunks if chunk.has_content)
        if drop:
            del chunks
            gc.collect()
        else:
            chunks.close()
        return first

    def embed(self, llm: LLM, inputs: Any, **options: Any) -> dict[str, Any]:
        found: dict[str, Any] = llm.embed(inputs, include=EMBEDDING, reduce=False, **options)
        return found

    def imagen(self, llm: LLM, prompt: str, **options: Any) -> dict[str, Any]:
        found: dict[str, Any] = llm.imagen(prompt, include=IMAGES, reduce=False, **options)
        return found

    def wait(self, server: LoopbackServer, predicate: Callable[[LoopbackServer], object], timeout: float) -> None:
        server.wait_for(predicate, timeout)

    def run(self, function: Callable[[], Any], coroutine: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        return function()

    def close_kernel(self, kernel: Kernel) -> None:
        kernel.close()


class Async(Colour):
    """One event loop of its own, kept between calls."""

    name = "async"

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        # Opened now: its descriptors are this colour's, and nothing that a check left behind.
        self._runner.get_loop()

    def await_(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine on this colour's loop."""
        return self._runner.run(coroutine)

    def chat(self, llm: LLM, messages: Any, **options: Any) -> Completion:
        return self.await_(llm.acomplete(messages, **options))

    def stream(self, llm: LLM, messages: Any, **options: Any) -> list[Chunk]:
        async def read() -> list[Chunk]:
            return [chunk async for chunk in llm.astream(messages, include="chunk", **options)]

        return self.await_(read())

    def take(self, llm: LLM, messages: Any, *, drop: bool = False, **options: Any) -> Chunk:
        async def read() -> Chunk:
            chunks: Any = llm.astream(messages, include="chunk", **options)
            first: Chunk = await anext(chunks)
            while not first.has_content:
                first = await anext(chunks)
            if not drop:
                await chunks.aclose()
            return first

        first = self.await_(read())
        if drop:
            gc.collect()
        return first

    def embed(self, llm: LLM, inputs: Any, **options: Any) -> dict[str, Any]:
        return self.await_(llm.aembed(inputs, include=EMBEDDING, reduce=False, **options))

    def imagen(self, llm: LLM, prompt: str, **options: Any) -> dict[str, Any]:
        return self.await_(llm.aimagen(prompt, include=IMAGES, reduce=False, **options))

    def wait(self, server: LoopbackServer, predicate: Callable[[LoopbackServer], object], timeout: float) -> None:
        self.await_(server.await_for(predicate, timeout))

    def run(self, function: Callable[[], Any], coroutine: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        return self.await_(coroutine())

    def close_kernel(self, kernel: Kernel) -> None:
        self.await_(kernel.aclose())

    def close(self) -> None:
        self._runner.close()


COLOURS: dict[str, type[Colour]] = {"sync": Sync, "async": Async}
