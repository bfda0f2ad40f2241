"""What a route is: its targets, and how one of them is chosen. Data alone; `hb-routing` goes by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias

from heavenbase.errors import HBError
from heavenbase.spec import EMPTY, LLMSpec, empty

Kind: TypeAlias = Literal["fallback", "cascade", "balance"]
JUDGE = "heuristic"
"""Who judges the answers of a cascade that names nobody."""
DEPTH = 4
"""How deep routes may nest."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """When a target that fails is left alone, in failures and seconds: see `heavenbase.llm.routes.NAME.breaker`."""

    failures: int = 5
    cooldown: float = 5.0
    max_cooldown: float = 60.0
    quota_cooldown: float = 300.0


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One target of a route: names as `LLM` takes them, or another route.

    `args` are its own default arguments, which what the caller gives goes over; `weight` its share of a balance.
    `first_token` is in seconds, `share` the part of the time left that it may take, of 1; `keys` are credentials that
    are taken in turn.
    """

    model: str | None = None
    provider: str | None = None
    gateway: str | None = None
    preset: str | None = None
    route: Route | None = None
    args: Mapping[str, Any] = field(default_factory=empty, repr=False)
    weight: float = 1.0
    first_token: float | None = None
    share: float | None = None
    keys: tuple[Any, ...] = field(default=(), repr=False)
    unset: str = field(default="", repr=False)
    """Why it cannot be asked, where the settings refer for it to a variable that is not set."""

    def __reduce__(self) -> tuple[Any, ...]:
        held = [getattr(self, it.name) for it in fields(self)]
        return type(self), tuple(dict(value) if isinstance(value, Mapping) else value for value in held)

    def __deepcopy__(self, memo: dict[int, Any]) -> Target:
        return self  # it never changes

    @property
    def label(self) -> str:
        """What it is called before it is resolved."""
        if self.route is not None:
            return self.route.label
        other = f"the default model of {self.provider}" if self.provider else "the default preset"
        named = self.model or (f"preset {self.preset}" if self.preset else other)
        return f"{self.provider}/{named}" if self.provider and self.model else named


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """Targets, and how one is chosen: `kind` is fallback, cascade or balance.

    The fields are the keys of `heavenbase.llm.routes.NAME`. `on` are kinds of errors, classes, or functions of an
    error; None stands for those of the kind of route. `judge` is a name, a table of name and settings, or an object.
    """

    targets: tuple[Target, ...]
    kind: Kind = "fallback"
    name: str | None = None
    on: tuple[Any, ...] | None = None
    judge: Any = None
    hop_after: float | None = 2.0
    stream_fallback: str = "fail"
    stream_prompt: str | None = None
    on_foreign: str = "skip"
    by: str = "weights"
    affinity: str = "none"
    max_wait: float = 10.0
    breaker: Breaker = field(default_factory=Breaker)
    description: str = ""

    def __deepcopy__(self, memo: dict[int, Any]) -> Route:
        return self  # it never changes

    @property
    def label(self) -> str:
        """Its name, or its targets."""
        return self.name or f"{self.kind} of {', '.join(target.label for target in self.targets)}"

    @property
    def judge_name(self) -> str:
        """The name of the judge of its answers; "" for nobody, and for one that is an object."""
        judge = self.judge
        if judge is None:
            return JUDGE if self.kind == "cascade" else ""
        if isinstance(judge, Mapping):
            return str(judge.get("name") or judge.get("type") or JUDGE)  # "type" is what some files call the name
        return (judge or JUDGE) if isinstance(judge, str) else ""

    @property
    def depth(self) -> int:
        """How many routes stand in each other, this one included."""
        return 1 + max((target.route.depth for target in self.targets if target.route is not None), default=0)

    def leaves(self) -> Iterator[Target]:
        """All targets that are no routes, in order."""
        for target in self.targets:
            if target.route is None:
                yield target
            else:
                yield from target.route.leaves()

    def routes(self) -> Iterator[Route]:
        """This route, and all that stand in it."""
        yield self
        for target in self.targets:
            if target.route is not None:
                yield from target.route.routes()

    def first(self) -> Target:
        """The first target that is no route."""
        return next(self.leaves())


@dataclass(frozen=True, slots=True, eq=False)
class Routing:
    """The route of a spec, with what the targets other than the first are resolved with.

    `options` are the default arguments that the caller gave for all; `connection` are address and credentials, which
    belong to the provider `owner` alone. `first` is the spec of the first target, `preset` is for those that name none.
    Where the first target cannot be used, for its plugin or a variable that is not set, `problem` says why, and `first`
    names it and cannot be asked.
    """

    route: Route
    options: Mapping[str, Any] = field(repr=False)
    connection: Mapping[str, Any] = field(repr=False)
    first: LLMSpec
    preset: str | None
    resolve: Callable[[Target, str | None, Mapping[str, Any]], LLMSpec] = field(repr=False)
    problem: HBError | None = None
    is_moved: bool = False
    """Whether the connection is another one than that of `first`."""
    known: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)
    """What was worked out for its targets, kept."""

    @property
    def is_plain(self) -> bool:
        """Whether what the cache keeps for the first target is the answer: without a judge, or anything around it."""
        found: bool | None = self.known.get("is_plain")
        if found is None:
            judged = any(route.judge is not None or route.kind == "cascade" for route in self.route.routes())
            found = self.known["is_plain"] = not (judged or self.first.args.get("middleware"))
        return found

    @property
    def owner(self) -> str:
        """The provider that the connection belongs to."""
        return self.first.provider

    def spec_of(self, target: Target, connection: Mapping[str, Any] = EMPTY) -> LLMSpec:
        """The spec of one of the targets, with these parts of a connection and no others."""
        return self.resolve(target, self.preset, {**self.options, **connection})

    def secrets(self) -> list[str]:
        """What must not be told of its targets, as far as they were resolved."""
        found = [specs for specs in tuple(self.known.values()) if isinstance(specs, list)]
        return [text for specs in ([self.first], *found) for spec in specs for text in spec.secrets()]

    def connected(self, connection: Mapping[str, Any]) -> Routing:
        """The same routing with these parts of a connection over its own."""
        return replace(self, connection={**self.connection, **connection}, is_moved=True)


NAMES = frozenset(it.name for it in fields(Route)) - {"targets", "name"}
"""The settings of a route."""
