"""The two drivers: one `async def` flow serves async callers on their loop and sync callers without any loop.

A sync call's flow never suspends, because every leaf that could wait takes its sync form; so `send(None)` runs it to
its end. What suspends all the same, or asks for a loop, is code that waits in async colour: that is reported, by name.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import suppress
from typing import Any, TypeVar

from heavenbase.colour.blame import check_loop, suspended

T = TypeVar("T")


def run(flow: Coroutine[Any, Any, T]) -> T:
    """The result of a flow whose leaves are all sync; PluginContractError if one waits asynchronously."""
    try:
        flow.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    except RuntimeError as failure:
        check_loop(failure)
        raise
    error = suspended(flow)
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
                check_loop(failure)
                raise
            else:
                error = suspended(stream)
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
