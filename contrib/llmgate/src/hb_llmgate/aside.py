"""Sync code inside an async flow: it runs in a thread of its own, and what it asks for is done in the flow.

A middleware that only knows sync calls serves async calls and streams in this way. A pool would not do: code that waits
for other such code would wait for the thread that it holds.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from contextvars import copy_context
from queue import SimpleQueue
from threading import Thread
from typing import Any

from hb_llmgate.exceptions import translated
from heavenbase.errors import HBError

GRACE = 0.02
"""Seconds behind the deadline in which the code may still say how it ends."""


class Left(GeneratorExit):
    """Raised inside the sync code when nobody waits for its answer any more; `except Exception` does not catch it."""


class Ask:
    """Something that the sync code asked for and waits for: answer it by `reply` or `fail`."""

    def __init__(self, request: Any, answers: SimpleQueue[tuple[Any, BaseException | None]]) -> None:
        self.request = request
        self._answers = answers

    def reply(self, value: Any) -> None:
        """Go on with this value."""
        self._answers.put((value, None))

    def fail(self, error: BaseException) -> None:
        """Go on by raising this error."""
        self._answers.put((None, error))


class Done:
    """The result of the sync code."""

    def __init__(self, value: Any) -> None:
        self.value = value


async def steps(
    work: Callable[[Callable[[Any], Any]], Any], *, is_async: bool, remaining: Callable[[], float | None]
) -> AsyncGenerator[Ask | Done, None]:
    """Run `work(ask)` in a thread: an Ask for each of its calls of `ask`, at the end one Done.

    What `work` raises is raised here. In sync colour the caller's thread waits; else the event loop stays
    free, and the wait ends with the error of `remaining` when no seconds are left.
    """
    answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
    tell, receive = _inbox(is_async)

    def ask(request: Any) -> Any:
        tell(Ask(request, answers))
        value, error = answers.get()
        if error is not None:
            raise error
        return value

    def run() -> None:
        try:
            tell(Done(work(ask)))
        except BaseException as error:
            tell(error)

    # A daemon: code that hangs must not keep the process alive.
    Thread(target=copy_context().run, args=(run,), name="hb-llmgate-aside", daemon=True).start()
    try:
        while True:
            step = await (_within(receive, remaining) if is_async else receive())
            if isinstance(step, BaseException):
                raise step
            yield step
            if isinstance(step, Done):
                return
    finally:
        answers.put((None, Left()))


async def result(
    work: Callable[[Callable[[Any], Any]], Any],
    serve: Callable[[Any], Awaitable[Any]],
    *,
    is_async: bool,
    remaining: Callable[[], float | None],
) -> Any:
    """The result of `work(ask)`, each ask of which is answered by awaiting `serve`."""
    async with aclosing(steps(work, is_async=is_async, remaining=remaining)) as found:
        async for step in found:
            if isinstance(step, Done):
                return step.value
            try:
                value = await serve(step.request)
            except Exception as error:
                step.fail(error)
            else:
                step.reply(value)
    return None


async def _within(receive: Callable[[], Awaitable[Any]], remaining: Callable[[], float | None]) -> Any:
    """What is received until the deadline, and a little behind it, so that the code may answer for the deadline."""
    import asyncio

    while True:
        late: HBError | None = None
        try:
            left = remaining()
        except HBError as error:
            left, late = 0.0, error
        try:
            async with asyncio.timeout(None if left is None else left + GRACE):
                return await receive()
        except TimeoutError:
            if late is not None:
                raise translated(late) from late


def _inbox(is_async: bool) -> tuple[Callable[[Any], None], Callable[[], Awaitable[Any]]]:
    """How the thread tells something, and how the flow hears it."""
    if not is_async:
        held: SimpleQueue[Any] = SimpleQueue()

        async def hear() -> Any:
            return held.get()

        return held.put, hear

    import asyncio

    loop = asyncio.get_running_loop()
    inbox: asyncio.Queue[Any] = asyncio.Queue()

    def tell(item: Any) -> None:
        with suppress(RuntimeError):  # the loop is closed, and nobody listens
            loop.call_soon_threadsafe(inbox.put_nowait, item)

    return tell, inbox.get
