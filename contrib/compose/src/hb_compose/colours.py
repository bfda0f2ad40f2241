"""One source for both colours: flows are written as `async def`, and those of sync calls never wait."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


def run(flow: Coroutine[Any, Any, T]) -> T:
    """The result of a flow whose leaves are all sync."""
    try:
        flow.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    flow.close()
    raise RuntimeError("a flow of a sync call waited asynchronously")


def iterate(stream: AsyncGenerator[T, None]) -> Generator[T, None, None]:
    """The items of a stream whose leaves are all sync; closing the iterator closes the stream at once."""
    try:
        while True:
            try:
                item = run(_next(stream))
            except StopAsyncIteration:
                return
            yield item
    finally:
        run(stream.aclose())


async def _next(stream: AsyncGenerator[T, None]) -> T:
    return await stream.__anext__()
