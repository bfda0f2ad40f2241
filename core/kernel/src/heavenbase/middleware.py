"""Code around a verb: what a middleware is, and how a chain of them is composed.

    class Timing(Middleware):
        async def __call__(self, call, next):
            started = call.context.clock()
            answer = await next(call)      # a Completion, Embedding or ImageResult; an async iterator if call.stream
            print(call.target, call.context.clock() - started)
            return answer

It is written once, as `async def`, and serves sync and async calls: it may only wait on `next` and on what follows the
call's colour, such as `call_sleep`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Literal, TypeAlias

from heavenbase.call import Call
from heavenbase.errors import InputTypeError, UnknownNameError
from heavenbase.types import Chunk, Completion, Embedding, ImageResult

Answer: TypeAlias = Completion | Embedding | ImageResult | AsyncIterator[Chunk]
"""What a call is answered with."""
Next: TypeAlias = Callable[[Call], Awaitable[Any]]
"""What a middleware goes on with."""


class Middleware:
    """Base of middlewares. `around` says what it wraps: the whole call (once) or each attempt on the wire."""

    around: ClassVar[Literal["call", "attempt"]] = "call"

    async def __call__(self, call: Call, next: Next) -> Any:
        """Answer the call, usually by `await next(call)`."""
        return await next(call)


def side_of(middleware: Any) -> str:
    """What a middleware wraps ("call" for a plain async function); an error for what is no middleware."""
    side = getattr(middleware, "around", "call")
    if not callable(middleware) or isinstance(middleware, type):
        raise InputTypeError(f"a middleware is an object called as (call, next), not {middleware!r}")
    if side not in ("call", "attempt"):
        raise UnknownNameError("side of a middleware", side, ("call", "attempt"))
    return str(side)


def compose(middlewares: Sequence[Any], terminal: Next) -> Next:
    """One callable that runs the middlewares, first outermost, around the terminal."""
    chain = terminal
    for middleware in reversed(middlewares):
        chain = partial(middleware, next=chain)
    return chain


async def call_sleep(call: Call, seconds: float, sleep: Callable[[float], Any], asleep: Callable[[float], Any]) -> None:
    """Wait in the colour of the call."""
    if call.is_async:
        await asleep(seconds)
    else:
        sleep(seconds)


async def sleep_async(seconds: float) -> None:
    """`asyncio.sleep`, which is loaded by the first who waits."""
    import asyncio

    await asyncio.sleep(seconds)
