"""What every provider has: `complete()` and `stream_complete()` in both colours, over one source for both."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias, overload, runtime_checkable

from hb_compose.requests import CompletionRequest, CompletionResponse, RequestFields, to_request
from heavenbase.errors import InputError, InputTypeError
from heavenbase.middleware import drive

if TYPE_CHECKING:
    from typing import Unpack

    from hb_compose.backoff import Backoff
    from hb_compose.direct import DirectProvider

OnText: TypeAlias = Callable[[str], Any]
"""Told of each piece of text as it comes."""
Event: TypeAlias = str | CompletionResponse
"""What a stream brings: pieces of text, and at its end the response."""


@runtime_checkable
class LlmProvider(Protocol):
    """What composes: all providers here, and any object of one's own with these three.

    `model_name` is a text or a method. The methods may be `async def`; an object may have `acomplete` and
    `astream_complete` besides, for async calls. `BoxedProvider` gives such an object everything else.
    """

    @property
    def model_name(self) -> Any:
        """The model that answers."""

    def complete(self, request: CompletionRequest, /) -> Any:
        """The full response."""

    def stream_complete(self, request: CompletionRequest, on_text: OnText, /) -> Any:
        """The full response; `on_text` is told of each piece of text before."""


class ResponseStream:
    """A stream of pieces of text. Nothing is sent before the first is asked for; leaving the loop ends the request."""

    def __init__(self, events: AsyncGenerator[Event, None]) -> None:
        self._events: Generator[Event, None, None] = drive.iterate(events)
        self._response: CompletionResponse | None = None

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for event in self._events:
            if isinstance(event, str):
                return event
            self._response = event
        raise StopIteration

    @property
    def response(self) -> CompletionResponse:
        """The full response; InputError before the stream has ended."""
        return _ended(self._response)

    def finish(self, on_text: OnText | None = None) -> CompletionResponse:
        """Read to the end, telling `on_text` of each piece; the full response."""
        try:
            for piece in self:
                if on_text is not None and isawaitable(told := on_text(piece)):
                    getattr(told, "close", bool)()  # a coroutine that nobody will await
                    raise InputTypeError("on_text is async, and this call is not; use astream_complete")
        finally:
            self.close()
        return self.response

    def close(self) -> None:
        """End the request."""
        self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncResponseStream:
    """Async form of `ResponseStream`; awaiting it reads to the end and gives the full response."""

    def __init__(self, events: AsyncGenerator[Event, None], on_text: OnText | None = None) -> None:
        self._events = events
        self._on_text = on_text
        self._response: CompletionResponse | None = None

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        async for event in self._events:
            if isinstance(event, str):
                return event
            self._response = event
        raise StopAsyncIteration

    @property
    def response(self) -> CompletionResponse:
        """The full response; InputError before the stream has ended."""
        return _ended(self._response)

    async def finish(self, on_text: OnText | None = None) -> CompletionResponse:
        """Async form of `ResponseStream.finish`; `on_text` may be async too."""
        on_text = on_text or self._on_text
        try:
            async for piece in self:
                if on_text is not None and isawaitable(told := on_text(piece)):
                    await told
        finally:
            await self.aclose()
        return self.response

    def __await__(self) -> Generator[Any, None, CompletionResponse]:
        return self.finish().__await__()

    async def aclose(self) -> None:
        """End the request."""
        await self._events.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _ended(response: CompletionResponse | None) -> CompletionResponse:
    if response is None:
        raise InputError("the stream has not ended; read it to its end, or call finish()")
    return response


class Provider:
    """Base of the providers here; `new` is another way to make one."""

    @classmethod
    def new(cls, *args: Any, **options: Any) -> Self:
        """The same as calling the class."""
        return cls(*args, **options)

    @property
    def model_name(self) -> str:
        """The model that answers; in a cascade, of its last tier."""
        raise NotImplementedError

    def complete(self, request: Any = None, /, **fields: Unpack[RequestFields]) -> CompletionResponse:
        """The full response to a request.

        Args:
            request: A CompletionRequest, a text, or messages.
            fields: Fields of a request by name: messages, system, tools, max_tokens, temperature, tool_choice,
                reasoning_effort.

        Raises:
            InputError: For what cannot be asked; nothing was sent.
            HBError: For what failed, with the ledger in `attempts`.
        """
        return drive.run(self._answer(to_request(request, fields), is_async=False))

    async def acomplete(self, request: Any = None, /, **fields: Unpack[RequestFields]) -> CompletionResponse:
        """Async form of `complete`."""
        return await self._answer(to_request(request, fields), is_async=True)

    @overload
    def stream_complete(
        self, request: Any = None, on_text: None = None, /, **fields: Unpack[RequestFields]
    ) -> ResponseStream: ...
    @overload
    def stream_complete(self, request: Any, on_text: OnText, /, **fields: Unpack[RequestFields]) -> Any: ...
    @overload
    def stream_complete(
        self, request: Any = None, /, *, on_text: OnText, **fields: Unpack[RequestFields]
    ) -> CompletionResponse: ...
    def stream_complete(self, request: Any = None, /, *args: Any, **fields: Any) -> Any:
        """The answer as it comes: a ResponseStream of pieces of text, whose `response` is there at its end.

        With `on_text`, which is told of each piece, it is the full response. Arguments and errors are those of
        `complete`; StreamInterrupted where the stream broke after text had come, which is in `partial`.
        """
        on_text = _on_text(args, fields)
        stream = ResponseStream(self._events(to_request(request, fields), is_async=False))
        return stream if on_text is None else stream.finish(on_text)

    def astream_complete(self, request: Any = None, /, *args: Any, **fields: Any) -> AsyncResponseStream:
        """Async form of `stream_complete`: to be iterated, or awaited for the full response."""
        on_text = _on_text(args, fields)
        return AsyncResponseStream(self._events(to_request(request, fields), is_async=True), on_text)

    # The one source

    async def _answer(self, request: CompletionRequest, *, is_async: bool) -> CompletionResponse:
        raise NotImplementedError

    def _events(self, request: CompletionRequest, *, is_async: bool) -> AsyncGenerator[Event, None]:
        raise NotImplementedError

    def _retrying(self, backoff: Backoff) -> Provider | None:
        """This provider with retries by hb's own flow; None for one that is not a single target of hb."""
        return None

    def _target(self) -> DirectProvider | None:
        """The single target of hb that this provider is, with its retries; None for what is more, or not of hb."""
        return None


def _on_text(args: tuple[Any, ...], fields: dict[str, Any]) -> OnText | None:
    if len(args) > 1 or (args and "on_text" in fields):
        raise InputTypeError("stream_complete takes a request and on_text; give the fields of the request by name")
    on_text = args[0] if args else fields.pop("on_text", None)
    if on_text is not None and not callable(on_text):
        raise InputTypeError(f"on_text must be callable, not {type(on_text).__name__}")
    return on_text  # type: ignore[no-any-return]
