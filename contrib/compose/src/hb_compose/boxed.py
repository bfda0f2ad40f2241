"""BoxedProvider: any object that has the three names of `LlmProvider`, as a provider with everything else."""

from __future__ import annotations

import queue
import threading
from collections.abc import AsyncGenerator, Callable
from contextvars import copy_context
from inspect import isawaitable, iscoroutinefunction
from typing import TYPE_CHECKING, Any

from hb_compose.providers import Event, LlmProvider, Provider
from hb_compose.requests import CompletionRequest, CompletionResponse
from heavenbase.errors import InputTypeError, PluginContractError

if TYPE_CHECKING:
    import asyncio

    from hb_compose.backoff import Backoff
    from hb_compose.direct import DirectProvider

NEEDED = ("complete", "stream_complete", "model_name")


class BoxedProvider(Provider):
    """One type for whatever answers: a provider here, or an object of one's own with the three names of `LlmProvider`.

    Sync methods of such an object run in a thread where the call is async, or where it is streamed. InputTypeError for
    an object that lacks one of the names.
    """

    def __init__(self, inner: LlmProvider | Provider) -> None:
        missing = [name for name in NEEDED if isinstance(inner, type) or not hasattr(inner, name)]
        if missing:
            named = f"the class {inner.__name__}" if isinstance(inner, type) else type(inner).__name__
            raise InputTypeError(f"{named} is no provider: an object with {', '.join(NEEDED)} is")
        self.inner = inner
        self._own = inner if isinstance(inner, Provider) else None

    @property
    def model_name(self) -> str:
        """The model of what is inside."""
        found = self.inner.model_name
        return str(found() if callable(found) else found)

    def __repr__(self) -> str:
        return f"BoxedProvider({self.inner!r})" if self._own else f"BoxedProvider({type(self.inner).__name__})"

    async def _answer(self, request: CompletionRequest, *, is_async: bool) -> CompletionResponse:
        if self._own is not None:
            return await self._own._answer(request, is_async=is_async)
        ask = self._method("complete", is_async)
        if not is_async or iscoroutinefunction(ask):
            answer = ask(request)
        else:
            import asyncio

            answer = await asyncio.to_thread(ask, request)
        if isawaitable(answer):
            answer = await answer
        return self._checked(answer, "complete")

    async def _events(self, request: CompletionRequest, *, is_async: bool) -> AsyncGenerator[Event, None]:
        if self._own is not None:
            source = self._own._events(request, is_async=is_async)
        elif is_async:
            source = self._heard(request)
        else:
            source = self._read(request)
        said = False
        try:
            async for event in source:
                if isinstance(event, str):
                    said = said or bool(event)
                elif not said and event.text:
                    yield event.text  # of an object that tells nothing on its way
                yield event
        finally:
            await source.aclose()

    async def _read(self, request: CompletionRequest) -> AsyncGenerator[Event, None]:
        """The events of a sync object, which calls back: it works in a thread, so that its pieces can be handed on."""
        ask = self._method("stream_complete", is_async=False)
        said: queue.SimpleQueue[Any] = queue.SimpleQueue()
        is_left = threading.Event()
        self._work(ask, request, lambda text: said.put(self._said(text)), said.put, is_left)
        try:
            while not isinstance(event := said.get(), _End):
                yield event
            yield self._checked(event.answer(), "stream_complete")
        finally:
            is_left.set()

    async def _heard(self, request: CompletionRequest) -> AsyncGenerator[Event, None]:
        """As `_read`, for async calls; an async object works in a task."""
        import asyncio

        ask = self._method("stream_complete", is_async=True)
        said: asyncio.Queue[Any] = asyncio.Queue()
        loop, is_left, task = asyncio.get_running_loop(), threading.Event(), None
        if iscoroutinefunction(ask):
            task = asyncio.ensure_future(ask(request, lambda text: said.put_nowait(self._said(text))))
            task.add_done_callback(lambda done: said.put_nowait(_End.of(done)))
        else:

            def put(item: Any) -> None:
                loop.call_soon_threadsafe(said.put_nowait, item)

            self._work(ask, request, lambda text: put(self._said(text)), put, is_left)
        try:
            while not isinstance(event := await said.get(), _End):
                yield event
            answer = event.answer()
            yield self._checked(await answer if isawaitable(answer) else answer, "stream_complete")
        finally:
            is_left.set()
            if task is not None and task.cancel():
                await asyncio.wait([task])

    @staticmethod
    def _work(
        ask: Any,
        request: CompletionRequest,
        say: Callable[[str], Any],
        put: Callable[[Any], Any],
        is_left: threading.Event,
    ) -> None:
        def hear(text: str) -> None:
            if is_left.is_set():
                raise _Left("nobody reads this stream any more")
            say(text)

        def work() -> None:
            end = _End()
            try:
                end.value = ask(request, hear)
            except BaseException as error:
                end.error = error
            if not is_left.is_set():
                put(end)

        threading.Thread(target=copy_context().run, args=(work,), name="hb-compose-stream", daemon=True).start()

    def _method(self, name: str, is_async: bool) -> Any:
        found = getattr(self.inner, f"a{name}", None) if is_async else None
        found = found or getattr(self.inner, name)
        if not is_async and iscoroutinefunction(found):
            raise InputTypeError(f"{type(self.inner).__name__}.{name} is async, and this call is not; use a{name}")
        return found

    def _said(self, text: Any) -> str:
        """A piece of text, as the object hands it on."""
        if not isinstance(text, str):
            told = f"{type(self.inner).__name__}.stream_complete called on_text with {type(text).__name__}, not text"
            raise PluginContractError(told)
        return text

    def _checked(self, answer: Any, name: str) -> CompletionResponse:
        if not isinstance(answer, CompletionResponse):
            if hasattr(answer, "cr_frame"):
                answer.close()  # a coroutine that nobody will await
            raise PluginContractError(
                f"{type(self.inner).__name__}.{name} answered with {type(answer).__name__}, not a CompletionResponse"
            )
        return answer

    def _retrying(self, backoff: Backoff) -> Provider | None:
        return self._own._retrying(backoff) if self._own is not None else None

    def _target(self) -> DirectProvider | None:
        return self._own._target() if self._own is not None else None


class _Left(Exception):
    """Ends the work for a stream that was left."""


class _End:
    """How a streaming object ended."""

    def __init__(self) -> None:
        self.value: Any = None
        self.error: BaseException | None = None

    @classmethod
    def of(cls, task: asyncio.Future[Any]) -> _End:
        end = cls()
        try:
            end.value = task.result()
        except BaseException as error:  # a cancelled one too
            end.error = error
        return end

    def answer(self) -> Any:
        """The value, or the error raised."""
        if self.error is not None:
            raise self.error
        return self.value


def boxed(inner: Any) -> Provider:
    """The provider that an object is, boxed where it is none of ours."""
    return inner if isinstance(inner, Provider) else BoxedProvider(inner)
