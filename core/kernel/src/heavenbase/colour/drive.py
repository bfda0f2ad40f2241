"""The two drivers: one `async def` flow serves async callers on their loop and sync callers without any loop.

A sync call's flow never suspends, because every leaf that could wait takes its sync form; so `send(None)` runs it to
its end. What suspends all the same, or asks for a loop, is code that waits in async colour: that is reported, by name.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Coroutine, Generator, Iterable, Iterator
from contextlib import suppress
from types import FrameType
from typing import Any, TypeVar

from heavenbase.errors import PluginContractError

T = TypeVar("T")
LACKING = ("no running event loop", "no current event loop", "asynchronous event loop", "async context")
"""How asyncio, and the libraries that wait on whatever loop is there, say that there is none."""


def run(flow: Coroutine[Any, Any, T]) -> T:
    """The result of a flow whose leaves are all sync; PluginContractError if one waits asynchronously."""
    try:
        flow.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    except RuntimeError as failure:
        _check_loop(failure)
        raise
    error = _suspended(flow)
    flow.close()
    raise error


def iterate(stream: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    """The items of a stream whose leaves are all sync; closing the iterator closes the stream at once."""
    advance = stream.__anext__
    try:
        while True:
            step = advance()
            try:
                step.send(None)
            except StopIteration as item:
                yield item.value
            except StopAsyncIteration:
                return
            except RuntimeError as failure:
                _check_loop(failure)
                raise
            else:
                error = _suspended(stream)
                # Closing the step would leave the stream marked as running for ever; an error unwinds it.
                with suppress(StopIteration, StopAsyncIteration):
                    step.throw(error)
                raise error
    finally:
        run(aclose(stream))


async def aclose(stream: Any) -> None:
    """Close an iterator of either colour, where it is one that can be closed."""
    if (close := getattr(stream, "aclose", None)) is not None:
        await close()
    elif (close := getattr(stream, "close", None)) is not None:
        close()


def _check_loop(error: RuntimeError) -> None:
    """PluginContractError in the place of an error that says that there is no event loop, where there is none."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or not any(words in str(error) for words in LACKING):
        return
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise _waited(_raised(error)) from error


def _suspended(flow: Any) -> PluginContractError:
    """The error that names what suspended a flow."""
    return _waited(_awaited(flow))


def _waited(frames: Iterable[FrameType]) -> PluginContractError:
    """The error that names the function not ours that waited, as what it calls is its libraries.

    That is the innermost one with the call in its hands, as those around it only wait for the next; else the outermost.
    """
    last = outermost = holder = ""
    for frame in frames:
        module = str(frame.f_globals.get("__name__", "?"))
        last = f"{module}.{frame.f_code.co_qualname}"
        if module.partition(".")[0] != "heavenbase":
            outermost = outermost or last
            if any(type(value).__module__ == "heavenbase.call" for value in frame.f_locals.values()):
                holder = last
    found = holder or outermost or last or "a plugin"
    return PluginContractError(
        f"{found} waited asynchronously inside a sync call; answer sync calls in sync colour "
        "(a value or an iterator), or use the async methods (achat, astream, aembed, aimagen)"
    )


def _awaited(flow: Any) -> Iterator[FrameType]:
    while flow is not None:
        frame = _first(flow, "cr_frame", "ag_frame", "gi_frame")
        if frame is not None:
            yield frame
        flow = _first(flow, "cr_await", "ag_await", "gi_yieldfrom")


def _raised(error: BaseException) -> Iterator[FrameType]:
    place = error.__traceback__
    while place is not None:
        yield place.tb_frame
        place = place.tb_next


def _first(holder: Any, *names: str) -> Any:
    return next((found for name in names if (found := getattr(holder, name, None)) is not None), None)
