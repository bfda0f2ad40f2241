"""Code around a verb: what a middleware is, what only watches, what judges answers, and how a chain is composed.

    class Timing(Middleware):
        async def __call__(self, call, next):
            started = call.services.clock()
            answer = await next(call)      # a Completion, Embedding or ImageResult; an async iterator if call.stream
            call.services.logger.info("%s took %s s", call.target, call.services.clock() - started)
            return answer

It is written once, as `async def`, and serves sync and async calls: it may only wait on `next` and on what follows the
call's colour, such as `call.services.sleep`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal, TypeAlias

from heavenbase.call import Call
from heavenbase.colour import drive as drive
from heavenbase.config.schema import UNSET as UNSET
from heavenbase.config.schema import Field as Setting
from heavenbase.errors import InputTypeError, UnknownNameError
from heavenbase.plugin import Loadable
from heavenbase.secrets import scrubber
from heavenbase.types import Chunk, Completion, Embedding, ImageResult

Answer: TypeAlias = Completion | Embedding | ImageResult | AsyncIterator[Chunk]
"""What a call is answered with."""
Next: TypeAlias = Callable[[Call], Awaitable[Any]]
"""What a middleware goes on with."""
Place: TypeAlias = Literal["call", "route", "target", "attempt"]
PLACES = ("call", "route", "target", "attempt")
"""Where a middleware may stand, outermost first."""

# fmt: off
__all__ = [
    "PLACES", "UNSET", "Answer", "Configured", "Judge", "Middleware", "Next", "Observer", "Place", "Setting",
    "call_sleep", "compose", "name_of", "place_of", "sleep_async",
]
# fmt: on


class Configured(Loadable):
    """A plugin with settings of its own: the table `heavenbase.KIND.NAME` of the configuration."""

    settings: ClassVar[Mapping[str, Setting]] = {}
    """Its keys: `Setting("float", 1.0, "seconds between …", minimum=0)`. Another key is an error with file and line."""

    def __init__(self, **options: Any) -> None:
        self.options: dict[str, Any] = self.checked(options)

    @classmethod
    def checked(cls, given: Mapping[str, Any], *, given_only: bool = False) -> dict[str, Any]:
        """These settings, over the defaults unless `given_only`; UnknownNameError or InputTypeError for a wrong one."""
        from heavenbase.config.check import problems

        if not hasattr(given, "items"):
            raise InputTypeError(f"settings of {cls.name or cls.__name__} are a mapping, not {type(given).__name__}")
        for name, value in given.items():
            if name not in cls.settings:
                raise UnknownNameError(f"setting of {cls.name or cls.__name__}", name, list(cls.settings))
            for problem in problems(value, cls.settings[name], (name,)):
                raise InputTypeError(f"{cls.name or cls.__name__}: {problem.message}")
        return {**given} if given_only else {**cls.defaults(), **given}

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The values of its keys where nobody sets them."""
        return {name: field.default for name, field in cls.settings.items() if field.default is not UNSET}

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take settings that were checked, before the first call; by default they become `options`."""
        self.options = dict(options)


class Middleware(Configured):
    """Base of middlewares.

    `around` says what it wraps: "call" a whole call, once, or each round of one with tools; "target" what is asked of
    one target, unless the cache has it; "attempt" each request on the wire. "route" is for what chooses among targets.
    """

    kind = "middleware"
    around: ClassVar[Place] = "call"

    async def __call__(self, call: Call, next: Next) -> Any:
        """Answer the call, usually by `await next(call)`."""
        return await next(call)


class Observer(Middleware):
    """A middleware that only watches: what it does or raises neither changes nor fails a call.

    Both methods may be plain, or `async def` where all calls are async. What they raise is logged. An async one that
    takes longer than `patience` seconds is given up, and the call goes on.
    """

    patience: ClassVar[float] = 5.0
    """Seconds that an async hook may take."""

    def before(self, call: Call) -> Any:
        """Told of a call before anything is sent."""

    def after(self, call: Call, answer: Any, error: BaseException | None, seconds: float) -> Any:
        """Told how a call ended, once: of its answer, or of its error; of a stream behind the last chunk.

        A stream that the caller leaves early has neither answer nor error.
        """

    async def __call__(self, call: Call, next: Next) -> Any:
        """The answer as it comes."""
        started = call.context.clock()
        if type(self).before is not Observer.before:
            await self._tell(call, self.before, call)
        try:
            answer = await next(call)
        except BaseException as error:
            await self._tell(call, self.after, call, None, error, call.context.clock() - started)
            raise
        if call.stream:
            return self._watched(call, answer, started)
        await self._tell(call, self.after, call, answer, None, call.context.clock() - started)
        return answer

    async def _watched(self, call: Call, source: Any, started: float) -> AsyncIterator[Chunk]:
        answer: Any = None
        failed: BaseException | None = None
        try:
            async for chunk in source:
                if chunk.kind == "end":
                    answer = chunk
                yield chunk
        except BaseException as error:
            failed = None if isinstance(error, GeneratorExit) else error
            raise
        finally:
            await drive.aclose(source)
            whole = answer.completion if answer is not None else None
            await self._tell(call, self.after, call, whole, failed, call.context.clock() - started)

    async def _tell(self, call: Call, hook: Callable[..., Any], *said: Any) -> None:
        try:
            heard = hook(*said)
            if hasattr(heard, "__await__"):
                if not call.is_async:
                    heard.close()
                    raise InputTypeError(f"{hook.__qualname__} is async, and this call is not")
                import asyncio

                async with asyncio.timeout(self.patience):
                    await heard
        except Exception as error:
            told = scrubber(call.secrets())(f"{type(error).__name__}: {error}")
            call.services.logger.error("observer %s failed: %s", name_of(self), told)


class Judge(Configured):
    """Base of judges, which a route asks whether the answer of a target will do (entry points `heavenbase.judges`)."""

    kind = "judges"

    def __call__(self, call: Call, answer: Completion) -> Any:
        """Why the answer is rejected, as a short text; None where it will do. It may be `async def`."""
        return None


def place_of(middleware: Any) -> str:
    """Where a middleware stands ("call" for a plain async function); an error for what is no middleware."""
    place = getattr(middleware, "around", "call")
    if not callable(middleware) or isinstance(middleware, type):
        raise InputTypeError(f"a middleware is an object called as (call, next), not {middleware!r}")
    if place not in PLACES:
        raise UnknownNameError("place of a middleware", place, PLACES)
    return str(place)


def name_of(middleware: Any) -> str:
    """What a middleware is called in what is told of a stack."""
    named = getattr(middleware, "name", "") or getattr(middleware, "__name__", "")
    return str(named or type(middleware).__name__)


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
