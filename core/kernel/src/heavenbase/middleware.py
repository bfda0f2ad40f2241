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

from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from copy import copy
from dataclasses import fields
from functools import cache, partial
from typing import Any, ClassVar, Literal, TypeAlias

from heavenbase.call import Call
from heavenbase.colour import drive as drive
from heavenbase.colour.hooks import outcome
from heavenbase.config.schema import UNSET as UNSET
from heavenbase.config.schema import Field as Setting
from heavenbase.details import Record
from heavenbase.errors import InputTypeError, UnknownNameError
from heavenbase.plugin import Loadable
from heavenbase.secrets import told
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
    "call_sleep", "compose", "kind_of", "name_of", "place_of", "sleep_async",
]
# fmt: on


class Configured(Loadable):
    """A plugin with settings of its own: the table `heavenbase.KIND.NAME` of the configuration."""

    settings: ClassVar[Mapping[str, Setting]] = {}
    """Its keys: `Setting("float", 1.0, "seconds between …", minimum=0)`. Another key is an error with file and line."""

    def __init__(self, **options: Any) -> None:
        self.check_declared()
        self.options: dict[str, Any] = self.checked(options)

    @classmethod
    def check_declared(cls) -> None:
        """PluginContractError for settings that are not declared as `Setting`s, or whose defaults do not fit."""
        from heavenbase.discovery.plugin_settings import check_declared

        check_declared(cls.name or cls.__name__, cls.settings)

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

    Both methods may be plain, or `async def` where all calls are async. They get copies of the call and of its answer;
    context and ledger are the call's own. What they raise is logged, but for a KeyboardInterrupt. An async one runs in
    a task of its own; after `patience` seconds it is given up, and the call goes on.
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
        if _is_own(self.before, Observer.before):
            await self._tell(call, self.before, call)
        if not _is_own(self.after, Observer.after):
            return await next(call)
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
            try:
                await drive.aclose(source)
            finally:
                whole = answer.completion if answer is not None else None
                await self._tell(call, self.after, call, whole, failed, call.context.clock() - started)

    async def _tell(self, call: Call, hook: Callable[..., Any], *said: Any) -> None:
        failed: BaseException | None = None
        try:
            heard = hook(*map(_seen, said))
            is_async = hasattr(heard, "__await__")
            if is_async and not call.is_async:
                getattr(heard, "close", bool)()
                raise InputTypeError(f"{hook.__qualname__} is async, and this call is not")
        except BaseException as error:  # nothing was awaited, so that it is the hook's own, whatever it is
            failed = error
        else:
            if is_async:
                failed = await outcome(heard, self.patience)
        if isinstance(failed, KeyboardInterrupt):
            raise failed
        if failed is not None:
            call.services.logger.error("observer %s failed: %s", name_of(self), told(failed, call.secrets()))


def _is_own(method: Any, inherited: Any) -> bool:
    return getattr(method, "__func__", method) is not inherited


_SHARED = frozenset({str, int, float, bool, type(None)})


def _seen(value: Any) -> Any:
    """What a hook gets for a call or an answer: one of its own, each field of which is copied when it is read first.

    A whole copy, of which most hooks read two fields, would cost as much as the rest of a call.
    """
    kind: Any = type(value)
    if kind in _SHARED:
        return value
    view = _view_of(kind)
    if view is None:
        return _apart(value)
    seen: Any = object.__new__(view)
    object.__setattr__(seen, "_of", value)
    return seen


@cache
def _view_of(kind: Any) -> Any:
    """A class like this one, whose objects have what they lack from the one that they stand for."""
    if not issubclass(kind, Call | Record) or kind.__dictoffset__:
        return None

    def read(self: Any, name: str) -> Any:
        held = _apart(getattr(self._of, name))
        object.__setattr__(self, name, held)
        return held

    own = {"__slots__": ("_of",), "__module__": kind.__module__, "__qualname__": kind.__qualname__}
    # It passes for the class itself where it is compared, and is one of it where it is copied or pickled.
    like = {"__class__": property(lambda _: kind), "__reduce_ex__": lambda self, way: _apart(self).__reduce_ex__(way)}
    return type(kind.__name__, (kind,), {**own, **like, "__getattr__": read})


def _apart(value: Any) -> Any:
    """Plain data, and the records in it, anew; other objects are shared."""
    kind = type(value)
    if kind in _SHARED:
        return value
    if kind is dict:
        return {name: _apart(held) for name, held in value.items()}
    if kind is list or kind is tuple:
        return value[:] if value and type(value[0]) is float else kind(map(_apart, value))
    if isinstance(value, Call | Record):
        made = object.__new__(value.__class__)
        for field in fields(value):
            object.__setattr__(made, field.name, _apart(getattr(value, field.name)))
        return made
    return copy(value) if isinstance(value, array) else value


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


def kind_of(registry: Any, name: str) -> str:
    """The kind under which a middleware of this name is published: older ones stand under `contrib`."""
    return "contrib" if registry.has("contrib", name) and not registry.has("middleware", name) else "middleware"


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
