"""The stack of one kernel: its middlewares by place, and the chain that a call goes through.

call middlewares - route - for each target: cache - target middlewares - structured answers - retry - attempt
middlewares - gateway. An embedding is split into its batches inside its target. Behind a route, a target may have
middlewares of its own: those of calls stand around its cache, the others inside of those of the whole call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any

from heavenbase.cache.middleware import CacheMiddleware
from heavenbase.call import Call
from heavenbase.config.values import join_key
from heavenbase.discovery.plugin_settings import settings_of, where
from heavenbase.errors import ConfigError, InputError, InputTypeError, PluginError, UnknownNameError
from heavenbase.flow.answers import check_answer
from heavenbase.flow.retry import Retry
from heavenbase.middleware import PLACES, Configured, Next, compose, kind_of, name_of, place_of
from heavenbase.registry import Registry
from heavenbase.stack.attempt import Attempting

ROUTER = "routing"
"""The middleware that chooses among the targets of a route."""
SWITCH = ("heavenbase", "llm", "middleware")
"""The key with the middlewares of all calls."""
CHAINS = 256
_BUILT_IN = ("cache", "structured answers", "retry")


class Stack:
    """Composes chains. `given` are the middlewares of every call inside of those of the settings, first outermost."""

    def __init__(
        self,
        registry: Registry,
        config: Any,
        given: Iterable[Any],
        cache: CacheMiddleware,
        retry: Retry,
        end: Attempting,
    ) -> None:
        self._registry = registry
        self._config = config
        self._cache = cache
        self._retry = retry
        self._end = end
        self._chains: dict[tuple[int, ...], tuple[Sequence[Any], Next, tuple[str, ...]]] = {}
        self._ready: set[tuple[str, str]] = set()
        self._own = [*self.switched_on(SWITCH, config), *self.read(given)]
        self.sees_calls = any(place_of(each) == "call" for each in self._own)
        """Whether something wants to see every call."""
        self._plain = self._compose(self._own, is_routed=False)
        self._names = _names(self._own)

    def chain(self, call: Call) -> Next:
        """What a call goes through."""
        more = call.controls.get("middleware")
        is_routed = call.spec.route is not None
        if not more and not is_routed:
            if self._names:
                call.context.report.stack = self._names
            return self._plain
        key = (is_routed, *map(id, more or ()))
        found = self._chains.get(key)
        if found is None:
            if len(self._chains) >= CHAINS:
                self._chains.clear()
            given = [*self._own, *self.read(more or ())]
            chain = self._compose(given, is_routed=is_routed)
            names = _names([*given, self._router()] if is_routed else given)
            # Held with the chain, so that their ids stay theirs.
            found = self._chains[key] = (tuple(more or ()), chain, names)
        call.context.report.stack = found[2]
        return found[1]

    def described(self, call: Call) -> list[dict[str, str]]:
        """The names of all that a call goes through, outermost first, each with its place."""
        given = [*self._own, *self.read(call.controls.get("middleware") or ())]
        if call.spec.route is not None:
            given.append(self._router())
        rows = {place: list(_names(given, (place,))) for place in PLACES}
        rows["target"] = [_BUILT_IN[0], *rows["target"], *_BUILT_IN[1:]]
        return [{"name": name, "place": place} for place, names in rows.items() for name in names]

    def read(self, given: Any) -> list[Any]:
        """Middlewares by name as the objects of this kernel, checked."""
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise InputTypeError(f"middleware must be a list of names and objects, not {type(given).__name__}")
        return [self.load(each) if isinstance(each, str) else _checked(each) for each in given]

    def switched_on(self, path: tuple[str, ...], config: Any) -> list[Any]:
        """The middlewares that a key of the settings names; what is wrong with one is told with file and line."""
        at = where(config, path)
        try:
            found = self.read(config.get(path, None) or ())
            for each in found:
                if place_of(each) == "route":
                    raise InputError(f"{name_of(each)!r} comes with each route, and is not switched on")
        except PluginError as error:
            raise type(error).of(error, f"{at}{error.message}") from error
        except InputError as error:
            raise ConfigError(f"{at}{join_key(path)}: {error.message}") from error
        return found

    def load(self, name: str) -> Any:
        """The middleware plugin of this name, with its settings."""
        return _checked(self.configured(kind_of(self._registry, name), name))

    def configured(self, kind: str, name: str, options: Mapping[str, Any] | None = None) -> Any:
        """A plugin by kind and name, with its settings; with `options`, one of its own with these over them."""
        found = self._registry.load(kind, name)
        if not isinstance(found, Configured):
            return found
        if options:
            own = copy(found)
            own.configure({**settings_of(self._config, kind, found), **found.checked(options, given_only=True)})
            return own
        if (kind, name) not in self._ready:
            found.configure(settings_of(self._config, kind, found))
            self._ready.add((kind, name))
        return found

    def _router(self) -> Any:
        return self.load(ROUTER)

    def _compose(self, given: Sequence[Any], *, is_routed: bool) -> Next:
        from heavenbase.flow.structuring import StructuredOutput

        cache, structured = self._cache, StructuredOutput()

        def asking(own: Sequence[Any]) -> Next:
            """What is behind the route, with these middlewares of a target's own."""
            around = _by_place([*given, *own])
            inner = (cache, *around["target"], structured, self._retry, *around["attempt"])
            asked = compose(inner, self._end)

            def target(call: Call) -> Any:
                if call.verb == "embed":
                    from heavenbase.flow.embedding import embed_all

                    return embed_all(call, asked, cache)
                return asked(call)

            return compose(_by_place(own)["call"], target)

        around, plain = _by_place(given), asking(())
        if not is_routed:
            return compose(around["call"], plain)
        chains: dict[tuple[int, ...], tuple[Sequence[Any], Next, tuple[str, ...]]] = {}

        def chosen(call: Call) -> Any:
            more = call.spec.args.get("middleware")
            if not more:
                return plain(call)
            key = tuple(map(id, more))
            if (found := chains.get(key)) is None:
                if len(chains) >= CHAINS:
                    chains.clear()
                own = self.read(more)
                outside = [*_names(given, ("call",)), name_of(router), *_names(own, ("call",))]
                names = (*outside, *_names([*given, *own], ("target", "attempt")))
                found = chains[key] = (tuple(more), asking(own), names)
            call.context.report.stack = found[2]
            return _checked_answer(found[1], call)

        router = self._router()
        return compose([*around["call"], router], chosen)


async def _checked_answer(chain: Next, call: Call) -> Any:
    answer = await chain(call)
    check_answer(call, answer)
    return answer


def _by_place(given: Iterable[Any]) -> Mapping[str, list[Any]]:
    around: Mapping[str, list[Any]] = {place: [] for place in PLACES}
    for each in given:
        around[place_of(each)].append(each)
    if around["route"]:
        raise UnknownNameError("place of a middleware", "route", ("call", "target", "attempt"), hint="pass route=")
    return around


def _names(given: Iterable[Any], places: Iterable[str] = PLACES) -> tuple[str, ...]:
    """The names of middlewares in the order in which a call comes to them."""
    found = list(given)
    return tuple(name_of(each) for place in places for each in found if place_of(each) == place)


def _checked(middleware: Any) -> Any:
    place_of(middleware)
    return middleware
