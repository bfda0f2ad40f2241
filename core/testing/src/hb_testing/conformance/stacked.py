"""A kernel whose calls go through one middleware, with witnesses around it and an endpoint that notes its requests."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any

from hb_testing.conformance.endpoint import SETTINGS, USAGE, Endpoint
from hb_testing.conformance.rig import KEY, LIMITS, PROMPT, Clock, make_kernel
from heavenbase.colour import aclose
from heavenbase.errors import FallbackWarning
from heavenbase.llm import LLM
from heavenbase.middleware import Middleware, place_of
from heavenbase.operations import Listing, Ranking, TokenCount
from heavenbase.types import Completion

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from hb_testing.conformance.colours import Colour
    from heavenbase.call import Call
    from heavenbase.kernel import Kernel
    from heavenbase.types import Chunk

VERBS = ("chat", "stream", "embed", "imagen", "count_tokens", "models", "rerank")
TIMES = frozenset({"elapsed", "created_at", "attempts", "request_id", "started_at"})
"""What differs between two answers that are the same."""
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


def check_type(verb: str, answer: Any) -> None:
    """AssertionError unless an answer has the type of its verb."""
    kinds = {"chat": Completion, "stream": list, "count_tokens": TokenCount, "models": Listing, "rerank": Ranking}
    kind: Any = kinds.get(verb, dict)
    assert isinstance(answer, kind), f"{verb} is answered with {type(answer).__name__}"
    assert verb != "stream" or answer, "the stream is empty"


def check_words(verb: str, answer: Any) -> None:
    """AssertionError unless an answer says what the endpoint said."""
    said = f"It was said, word by word: {PROMPT}"
    if verb == "chat":
        assert (answer.text, answer.usage, answer.finish_reason) == (said, USAGE, "stop")
    elif verb == "stream":
        assert "".join(chunk.text for chunk in answer) == said
        assert any(chunk.finish_reason == "stop" for chunk in answer)
    elif verb == "embed":
        assert [next(iter(vector)) for vector in answer["embeddings"]] == [3.0, 5.0, 9.0]
    elif verb == "imagen":
        assert len(answer["images"]) == 1
    elif verb == "count_tokens":
        assert (int(answer), answer.method) == (len(PROMPT.split()), "endpoint")
    elif verb == "models":
        assert len(answer) == 1
    else:
        assert [one.index for one in answer] == [1, 2, 0]


def as_plain(value: Any) -> Any:
    """An answer as plain data, without what differs between two answers that are the same."""
    if hasattr(value, "to_dict"):
        return as_plain(value.to_dict())
    if isinstance(value, dict):
        return {name: as_plain(item) for name, item in value.items() if name not in TIMES}
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, list | tuple) or (hasattr(value, "__iter__") and not isinstance(value, str | bytes)):
        return [as_plain(item) for item in value]
    return value


def text_of(answer: Any) -> str:
    """The text of an answer or of a stream."""
    return answer.text if isinstance(answer, Completion) else "".join(chunk.text for chunk in answer)
