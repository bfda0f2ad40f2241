"""What a middleware of llmgate is: BaseMiddleware for others, BuiltIn for ours, and the chain that they make."""

from __future__ import annotations

import random
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from inspect import isawaitable
from typing import Any

from pydantic import BaseModel

from hb_llmgate import aside
from hb_llmgate.exceptions import InvalidRequestError
from hb_llmgate.stream import Gathered, chunks_of, lifted
from hb_llmgate.types import (
    CompletionRequest,
    CompletionResponse,
    EmbeddingRequest,
    EmbeddingResponse,
    StreamChunk,
)
from heavenbase.errors import HBWarning
from heavenbase.kernel import drive


class BaseMiddleware(ABC):
    """Code around calls: implement `handle`, and go on by `call_next(request)`.

    `handle` alone serves async calls and streams too: it then runs in a thread of its own, and for a stream
    `call_next` gives the whole answer after its last chunk, so that what `handle` makes of it comes too late to change
    what was delivered. Implement the other methods for what should be otherwise; each is called as `handle` is, with a
    `call_next` of its own colour and kind. `embed_handle` sees embeddings, which `handle` does not.
    """

    @abstractmethod
    def handle(
        self, request: CompletionRequest, call_next: Callable[[CompletionRequest], CompletionResponse]
    ) -> CompletionResponse:
        """Answer a chat, usually by `call_next(request)`."""

    async def ahandle(
        self, request: CompletionRequest, call_next: Callable[[CompletionRequest], Awaitable[CompletionResponse]]
    ) -> CompletionResponse:
        """Answer an async chat."""
        found: CompletionResponse = await aside.result(
            lambda ask: self.handle(request, ask), call_next, is_async=True, remaining=_io(request, True).remaining
        )
        return found

    def stream_handle(
        self, request: CompletionRequest, call_next: Callable[[CompletionRequest], Iterator[StreamChunk]]
    ) -> Iterator[StreamChunk]:
        """Answer a stream."""
        return drive.iterate(_beside(self.handle, request, call_next, is_async=False))

    def astream_handle(
        self, request: CompletionRequest, call_next: Callable[[CompletionRequest], AsyncIterator[StreamChunk]]
    ) -> AsyncIterator[StreamChunk]:
        """Answer an async stream."""
        if type(self).stream_handle is not BaseMiddleware.stream_handle:
            return _sync_stream(self.stream_handle, request, call_next)
        return _beside(self.handle, request, call_next, is_async=True)

    def embed_handle(
        self, request: EmbeddingRequest, call_next: Callable[[EmbeddingRequest], EmbeddingResponse]
    ) -> EmbeddingResponse:
        """Answer an embedding."""
        return call_next(request)

    async def aembed_handle(
        self, request: EmbeddingRequest, call_next: Callable[[EmbeddingRequest], Awaitable[EmbeddingResponse]]
    ) -> EmbeddingResponse:
        """Answer an async embedding."""
        if type(self).embed_handle is BaseMiddleware.embed_handle:
            return await call_next(request)
        found: EmbeddingResponse = await aside.result(
            lambda ask: self.embed_handle(request, ask),
            call_next,
            is_async=True,
            remaining=_io(request, True).remaining,
        )
        return found


class IO:
    """Clock, random numbers and sleep in one colour; those of the kernel where one answers."""

    def __init__(
        self,
        is_async: bool,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        remaining: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.is_async = is_async
        self.remaining = remaining
        self.clock = clock
        self.random = random
        self._sleep = sleep

    async def sleep(self, seconds: float) -> None:
        """Wait, in the colour of the call."""
        if self._sleep is not None:
            await self._sleep(seconds)
        elif self.is_async:
            import asyncio

            await asyncio.sleep(seconds)
        else:
            time.sleep(seconds)  # noqa: ASYNC251 -- in sync colour nothing else waits on this thread


class BuiltIn(BaseMiddleware):
    """A middleware that is written once for both colours: `around` for whole answers, `around_stream` for chunks."""

    async def around(self, request: Any, proceed: Callable[[Any], Awaitable[Any]], io: IO) -> Any:
        """Answer a chat or an embedding."""
        return await proceed(request)

    def around_stream(
        self, request: CompletionRequest, proceed: Callable[[Any], AsyncIterator[StreamChunk]], io: IO
    ) -> AsyncGenerator[StreamChunk, None]:
        """Answer a stream."""
        raise NotImplementedError

    def handle(self, request: Any, call_next: Callable[[Any], Any]) -> Any:
        """Answer a chat."""
        return drive.run(self.around(request, _awaited(call_next), _io(request, False)))

    async def ahandle(self, request: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        """Answer an async chat."""
        return await self.around(request, call_next, _io(request, True))

    def stream_handle(self, request: Any, call_next: Callable[[Any], Iterator[StreamChunk]]) -> Iterator[StreamChunk]:
        """Answer a stream."""
        return drive.iterate(self.around_stream(request, lambda it: lifted(call_next(it)), _io(request, False)))

    def astream_handle(self, request: Any, call_next: Callable[[Any], Any]) -> AsyncIterator[StreamChunk]:
        """Answer an async stream."""
        return self.around_stream(request, lambda it: lifted(call_next(it)), _io(request, True))

    def embed_handle(self, request: Any, call_next: Callable[[Any], Any]) -> Any:
        """Answer an embedding."""
        return drive.run(self.around(request, _awaited(call_next), _io(request, False)))

    async def aembed_handle(self, request: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        """Answer an async embedding."""
        return await self.around(request, call_next, _io(request, True))


# The chain: first outermost


def chained(middlewares: Sequence[BaseMiddleware], method: str, last: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """One callable that runs a method of each middleware around `last`."""
    chain = last
    for middleware in reversed(middlewares):
        chain = _link(getattr(middleware, method), _Kind.of(method), chain)
    return chain


def copied(value: Any) -> Any:
    """A value whose lists, dictionaries and models are its own; other objects (functions, clients) are shared."""
    if type(value) in (list, tuple):
        return type(value)(copied(each) for each in value)
    if type(value) is dict:
        return {name: copied(each) for name, each in value.items()}
    if isinstance(value, BaseModel):
        made = value.model_copy()
        for part in (made.__dict__, made.__pydantic_extra__ or {}):
            part.update((name, copied(each)) for name, each in list(part.items()))
        return made
    return value


def checked(middlewares: Any) -> list[BaseMiddleware]:
    """The middlewares as a list; InvalidRequestError for anything else in it."""
    if middlewares is None:
        return []
    if isinstance(middlewares, BaseMiddleware):
        raise InvalidRequestError("middleware must be a list of middlewares, not one of them")
    found = list(middlewares)
    for place, middleware in enumerate(found):
        if not isinstance(middleware, BaseMiddleware):
            what = middleware.__name__ if isinstance(middleware, type) else type(middleware).__name__
            raise InvalidRequestError(f"middleware {place} must be an object of BaseMiddleware, not {what}")
    return found


class _Kind:
    """What the methods of middlewares have to answer."""

    def __init__(self, answer: type, is_stream: bool, is_async: bool) -> None:
        self.answer = answer
        self.is_stream = is_stream
        self.is_async = is_async

    @classmethod
    def of(cls, method: str) -> _Kind:
        """The kind of a method by its name."""
        is_stream = method.endswith("stream_handle")
        whole = EmbeddingResponse if "embed" in method else CompletionResponse
        return cls(StreamChunk if is_stream else whole, is_stream, method.startswith("a"))


def _link(method: Callable[..., Any], kind: _Kind, following: Callable[[Any], Any]) -> Callable[[Any], Any]:
    async def awaited(request: Any) -> Any:
        found = method(request, following)
        return _right(await found if isawaitable(found) else found, kind.answer, method)

    if kind.is_stream:
        chunks = _right_lifted if kind.is_async else _right_chunks
        return lambda request: chunks(method(request, following), method)
    if kind.is_async:
        return awaited
    return lambda request: _right(method(request, following), kind.answer, method)


def _right(found: Any, wanted: type, method: Any) -> Any:
    """What a middleware answered; InvalidRequestError names the middleware whose answer is of another type."""
    if isinstance(found, wanted):
        return found
    whose = type(getattr(method, "__self__", method)).__name__
    told = "list of StreamChunk" if wanted is Iterable else wanted.__name__
    raise InvalidRequestError(f"the middleware {whose} answered {type(found).__name__}, not a {told}")


def _right_chunks(found: Any, method: Any) -> Iterator[StreamChunk]:
    try:
        for chunk in _right(found, Iterable, method):
            yield _right(chunk, StreamChunk, method)
    finally:
        if (close := getattr(found, "close", None)) is not None:
            close()


async def _right_lifted(found: Any, method: Any) -> AsyncGenerator[StreamChunk, None]:
    if isawaitable(found):
        found = await found
    if not hasattr(found, "__aiter__"):
        _right(found, Iterable, method)
    async with aclosing(lifted(found)) as chunks:
        async for chunk in chunks:
            yield _right(chunk, StreamChunk, method)


def _awaited(call_next: Callable[[Any], Any]) -> Callable[[Any], Awaitable[Any]]:
    async def proceed(request: Any) -> Any:
        return call_next(request)

    return proceed


def _io(request: Any, is_async: bool) -> IO:
    found = getattr(request, "_io", None)
    return found if isinstance(found, IO) else IO(is_async)


# Sync code around streams


async def _beside(
    handle: Callable[..., CompletionResponse],
    request: CompletionRequest,
    call_next: Callable[[CompletionRequest], Any],
    *,
    is_async: bool,
) -> AsyncGenerator[StreamChunk, None]:
    """The chunks of a stream around which `handle` runs: its `call_next` returns when the last chunk has come."""
    gathered: Gathered | None = None
    broken: Exception | None = None
    remaining = _io(request, is_async).remaining
    steps = aside.steps(lambda ask: handle(request, ask), is_async=is_async, remaining=remaining)
    async with aclosing(steps) as found:
        async for step in found:
            if isinstance(step, aside.Ask):
                if gathered is not None:  # what was delivered cannot be taken back
                    step.fail(broken or InvalidRequestError("the answer of a stream can be asked for once"))
                    continue
                so_far = Gathered()
                try:
                    async with aclosing(lifted(call_next(step.request))) as chunks:
                        async for chunk in chunks:
                            gathered = so_far
                            gathered.add(chunk)
                            yield chunk
                    step.reply(so_far.response(_name(request)))
                except Exception as error:
                    broken = error if gathered is not None else None
                    step.fail(error)
            elif broken is not None:
                raise broken
            elif _right(step.value, CompletionResponse, handle) and gathered is None:
                for chunk in chunks_of(step.value):
                    yield chunk
            elif gathered is not None and step.value.text != gathered.text:
                warnings.warn(
                    "a middleware without stream_handle changed the text of a stream that was delivered before",
                    HBWarning,
                    stacklevel=2,
                )


async def _sync_stream(
    stream_handle: Callable[..., Iterator[StreamChunk]],
    request: CompletionRequest,
    call_next: Callable[[CompletionRequest], Any],
) -> AsyncGenerator[StreamChunk, None]:
    """The chunks of a sync `stream_handle` in an async flow, each as soon as it exists."""
    out = object()

    def work(ask: Callable[[Any], Any]) -> None:
        def following(asked: CompletionRequest) -> Iterator[StreamChunk]:
            source = lifted(call_next(asked))
            try:
                while (chunk := ask((source, None))) is not None:
                    yield chunk
            finally:
                ask((source, out))

        for chunk in _right_chunks(stream_handle(request, following), stream_handle):
            ask((None, chunk))

    async with aclosing(aside.steps(work, is_async=True, remaining=_io(request, True).remaining)) as found:
        async for step in found:
            if isinstance(step, aside.Done):
                return
            source, chunk = step.request
            try:
                if source is None:
                    yield chunk
                    step.reply(None)
                elif chunk is out:
                    await source.aclose()
                    step.reply(None)
                else:
                    step.reply(await anext(source, None))
            except Exception as error:
                step.fail(error)


def _name(request: CompletionRequest) -> str:
    return request.model if isinstance(request.model, str) else request.model[0]
