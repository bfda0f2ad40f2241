"""A kernel whose calls go through one middleware, with witnesses around it and an endpoint that notes its requests."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any

from hb_testing.conformance.endpoint import SETTINGS, Endpoint
from hb_testing.conformance.rig import KEY, LIMITS, PROMPT, Clock, make_kernel
from heavenbase.colour import aclose
from heavenbase.errors import FallbackWarning
from heavenbase.llm import LLM
from heavenbase.middleware import Middleware, place_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from hb_testing.conformance.colours import Colour
    from heavenbase.call import Call
    from heavenbase.kernel import Kernel
    from heavenbase.types import Chunk

VERBS = ("chat", "stream", "embed", "imagen", "count_tokens", "models", "rerank")
DOCUMENTS = ["one", "the longest of all", "two and more"]


class Witness(Middleware):
    """Notes what passes it, and changes nothing."""

    def __init__(self, name: str, place: Any) -> None:
        super().__init__()
        self.name = name
        self.around = place  # type: ignore[misc]
        self.entered = self.opened = self.closed = 0
        self.chunks: list[Chunk] = []
        self.errors: list[BaseException] = []

    async def __call__(self, call: Call, next: Any) -> Any:
        """The answer as it comes."""
        self.entered += 1
        try:
            answer = await next(call)
        except BaseException as error:
            self.errors.append(error)
            raise
        return self._seen(answer) if call.stream else answer

    async def _seen(self, source: Any) -> AsyncIterator[Chunk]:
        self.opened += 1
        try:
            async for chunk in source:
                self.chunks.append(chunk)
                yield chunk
        finally:
            await aclose(source)
            self.closed += 1


class Stacked:
    """The calls of one colour through the middleware; `outer` sees what it gives, `inner` what it asks for."""

    def __init__(self, colour: Colour, kernel: Kernel, endpoint: Endpoint, around: list[Any], place: str) -> None:
        self.colour = colour
        self.kernel = kernel
        self.endpoint = endpoint
        self.around = around
        self.place = place
        self.outer, self.inner = (each for each in around if isinstance(each, Witness))

    def llm(self, **options: Any) -> LLM:
        """An LLM of one attempt a call, through the middleware."""
        given = {"max_retries": 0, "timeout": LIMITS, "api_key": KEY, "middleware": self.around, **options}
        if self.place == "route":
            targets = [{"provider": "conformance", "model": name} for name in ("one", "two")]
            return LLM(model=targets, kernel=self.kernel, **given)
        return LLM(model="one", provider="conformance", kernel=self.kernel, **given)

    def ask(self, verb: str, words: Any = PROMPT, *, llm: LLM | None = None, **options: Any) -> Any:
        """The answer of a verb: a Completion, a list of chunks, a table of values, or what an operation answers."""
        llm = llm or self.llm()
        if verb == "embed":
            return self.colour.embed(llm, ["one", "three", "seventeen"], **options)
        if verb in ("chat", "stream", "imagen"):
            return getattr(self.colour, verb)(llm, words, **options)
        content = {"count_tokens": (words,), "models": (), "rerank": ("which?", DOCUMENTS)}[verb]
        method, twin = getattr(llm, verb), getattr(llm, f"a{verb}")
        more = {"estimate": False} if verb == "count_tokens" else {}
        return self.colour.run(lambda: method(*content, **more), lambda: twin(*content, **more))

    def completion(self, verb: str, **options: Any) -> Any:
        """The whole answer of a chat or of a stream."""
        llm = self.llm(**options)
        if verb == "chat":
            return self.colour.chat(llm, PROMPT)

        async def gather() -> list[Any]:
            return [found async for found in llm.astream(PROMPT, include="completion") if found]

        found = self.colour.run(lambda: [it for it in llm.stream(PROMPT, include="completion") if it], gather)
        return found[-1]


@contextlib.contextmanager
def stacked(
    colour: Colour, name: str | None, *, plugins: list[Any], settings: Mapping[str, Any], place: str
) -> Iterator[Stacked]:
    """Calls through the middleware of this name; None for a stack without it."""
    endpoint = Endpoint()
    kernel = make_kernel(Clock(), settings={**SETTINGS, **settings}, plugins=[endpoint, *plugins])
    sides = ("call", "target") if place == "route" else (place, place)
    # The one that chooses targets is there for every call that has several.
    named = [name] if name is not None and place != "route" else []
    around = [Witness("outer", sides[0]), *named, Witness("inner", sides[1])]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FallbackWarning)  # another target may answer here
            yield Stacked(colour, kernel, endpoint, around, place)
    finally:
        colour.close_kernel(kernel)


def place_in(kernel: Kernel, name: str) -> str:
    """Where a middleware stands."""
    return place_of(kernel.registry.load("middleware", name))
