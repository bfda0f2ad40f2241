"""The two drivers: one `async def` flow serves async callers on their loop and sync callers without any loop.

A sync call's flow never suspends, because every leaf that could wait takes its sync form; so `send(None)` runs it to
its end. What suspends all the same is a plugin that answered a sync call in async colour: that is reported, by name.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import suppress
from typing import Any, TypeVar

from heavenbase.errors import PluginContractError

T = TypeVar("T")


def run(flow: Coroutine[Any, Any, T]) -> T:
    """The result of a flow whose leaves are all sync; PluginContractError if it suspends."""
    try:
        flow.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
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


def _suspended(flow: Any) -> PluginContractError:
    """The error that names what suspended a flow: the outermost function not ours, as the rest is its libraries."""
    found = "a plugin"
    while flow is not None:
        frame = _first(flow, "cr_frame", "ag_frame", "gi_frame")
        if frame is not None:
            module = str(frame.f_globals.get("__name__", "?"))
            found = f"{module}.{frame.f_code.co_qualname}"
            if module.partition(".")[0] != "heavenbase":
                break
        flow = _first(flow, "cr_await", "ag_await", "gi_yieldfrom")
    return PluginContractError(
        f"{found} waited asynchronously inside a sync call; answer sync calls in sync colour "
        "(a value or an iterator), or use the async methods (achat, astream, aembed, aimagen)"
    )


def _first(holder: Any, *names: str) -> Any:
    return next((found for name in names if (found := getattr(holder, name, None)) is not None), None)
