"""Several targets for one name: the list of models, the table, or the preset's route, as the spec of its first target.

The others are resolved when they are needed, so that what is wrong with one that nobody asks does no harm. Slips in
their names are told at once.

Middlewares of the caller, and of the preset that the route belongs to, are those of the whole call, and stand in the
arguments of the spec with the route; those of a target, by its own preset or arguments, in those of its own spec.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

from heavenbase.config.config import Config
from heavenbase.config.section import Section, read
from heavenbase.errors import (
    FallbackExhausted,
    HBError,
    InputError,
    MissingCredential,
    PluginError,
    UnknownNameError,
)
from heavenbase.middleware import kind_of
from heavenbase.options import CONNECTION, conceal, unknown_options, with_effort
from heavenbase.registry import Registry
from heavenbase.resolution.arguments import check_options, default_arguments
from heavenbase.resolution.endpoint import ROOT, Sources
from heavenbase.resolution.naming import Naming
from heavenbase.resolution.slips import check_gateway
from heavenbase.routes.reading import to_route, to_target
from heavenbase.routes.route import Route, Routing, Target
from heavenbase.spec import LLMSpec

MEMO_SIZE = 256
MIDDLEWARE = "middleware"


class RoutedResolver:
    """Resolves routes for one kernel; `resolver` resolves the targets."""

    def __init__(self, resolver: Any, config: Config, registry: Registry) -> None:
        self._resolver = resolver
        self._registry = registry
        self._config = config
        self._memo: dict[Any, LLMSpec] = {}
        self._own: dict[Any, tuple[LLMSpec, LLMSpec]] = {}

    def resolve(
        self, preset: str | None, model: Any, provider: str | None, gateway: str | None, options: Mapping[str, Any]
    ) -> LLMSpec | None:
        """The spec of the first target, with the route; None where nothing says that there are several."""
        given, owner = options.get("route"), preset
        options = {name: value for name, value in options.items() if name != "route"}
        if isinstance(model, list | tuple | Mapping | Route):
            if given is not None:
                raise InputError("a list of models and route= say two things; pass one of them")
            given, model = model, None
        whose = "a route"
        if given is None and model is None:
            given, owner = self._of_preset(preset)
            whose = f"the route of preset {owner!r}"
        if given is None:
            return None
        if model is not None or provider is not None or gateway is not None:
            raise InputError(f"the targets of {whose} say model, provider and gateway themselves; name them there")
        return self._routed(given, preset, owner, options)

    def target(self, owner: str | None, target: Target, preset: str | None, options: Mapping[str, Any]) -> LLMSpec:
        """The spec of one target: its own arguments, and what the caller gave for all over them.

        `owner` is the preset that the route belongs to; its middlewares, and the caller's, are not those of a target.
        """
        if target.unset:
            raise MissingCredential(target.unset)
        own = {**target.args, **{name: value for name, value in options.items() if name != MIDDLEWARE}}
        conceal(own)
        names = (target.preset or preset, target.model, target.provider, target.gateway)
        spec: LLMSpec = self._resolver.resolve_one(*names, dict(with_effort(own)))
        given = frozenset(options)
        around = self._around(spec, owner)
        if spec.explicit == given and around == [*(spec.args.get(MIDDLEWARE) or ())]:
            return spec
        # What the target says is no wish of the caller's, and stays behind when the call goes on.
        known = self._own.get((id(spec), owner))
        if known is None or known[0] is not spec or known[1].explicit != given:
            if len(self._own) >= MEMO_SIZE:
                self._own.clear()
            known = spec, replace(spec, explicit=given, args=_with_middleware(spec.args, around))
            self._own[id(spec), owner] = known
        return known[1]

    def _around(self, spec: LLMSpec, owner: str | None) -> list[Any]:
        """The middlewares of a resolved target that are its own, and not those of all calls by the route."""
        found = [*(spec.args.get(MIDDLEWARE) or ())]
        if not found:
            return found
        catalog = self._resolver.catalog
        owner = catalog.preset(owner) if owner is not None else None
        count = len(catalog.presets[spec.preset].get(MIDDLEWARE) or ()) if spec.preset is not None else 0
        is_of_all = spec.origins.get(f"args.{MIDDLEWARE}") in (f"{ROOT}.default_args", f"preset {owner}")
        return [*(found[:count] if spec.preset != owner else ()), *(() if is_of_all else found[count:])]

    def _of_call(self, owner: str | None, options: Mapping[str, Any]) -> list[Any]:
        """The middlewares of all calls by a route: of the preset that it belongs to, and of the caller."""
        catalog = self._resolver.catalog
        name = catalog.preset(owner) if owner is not None else None
        record = catalog.presets[name] if name is not None else {}
        defaults = {**self._config.section(f"{ROOT}.default_args"), **default_arguments(record)}
        return [*(record.get(MIDDLEWARE) or ()), *({**defaults, **options}.get(MIDDLEWARE) or ())]

    def _of_preset(self, preset: str | None) -> tuple[Any, str | None]:
        """The route of the preset that counts, and the name of that."""
        name = preset if preset is not None else self._config.get(f"{ROOT}.default_preset")
        catalog = self._resolver.catalog
        found = catalog.preset(name) if isinstance(name, str) else None
        route = catalog.presets[found].get("route") if found is not None else None
        key = (*ROOT.split("."), "presets", str(found), "route")
        return self._read(route, key), found

    def _named(self, name: str) -> Any:
        """The table of a route in the configuration."""
        known = self._config.section(f"{ROOT}.routes", raw=True)
        if name not in known:
            hint = f"add one: hb cfg set {ROOT}.routes.{name}.targets …"
            raise UnknownNameError("route", name, known, hint="" if known else hint)
        return self._read(known[name], (*ROOT.split("."), "routes", name))

    def _read(self, raw: Any, key: tuple[str, ...]) -> Any:
        """A route of the settings with its references resolved, those of each target by themselves.

        A variable that is not set so keeps nobody from the other targets.
        """
        if isinstance(raw, list):
            return [self._read_target(each, key) for each in raw]
        if not isinstance(raw, dict):
            return read(raw, key, self._config.environ)
        rest = {name: value for name, value in raw.items() if name != "targets"}
        found = Section(rest, key, self._config.environ).copy()
        if "targets" in raw:
            found["targets"] = self._read(raw["targets"], (*key, "targets"))
        return found

    def _read_target(self, raw: Any, key: tuple[str, ...]) -> Any:
        if not isinstance(raw, dict):
            try:
                return self._read(raw, key)
            except MissingCredential as error:
                return Target(str(raw), unset=error.message)
        if raw.get("route") is not None:
            return {**raw, "route": self._read(raw["route"], (*key, "route"))}
        found: dict[str, Any] = {}
        unset = ""
        for name, value in raw.items():
            try:
                found[name] = read([value], key, self._config.environ)[0]
            except MissingCredential as error:
                unset = error.message
        if not unset:
            return found
        if not found.keys() & {"model", "preset", "provider"}:
            found["model"] = str(raw.get("model"))  # the reference, as its name
        return replace(to_target(found, self._named), unset=unset)

    def _routed(self, given: Any, preset: str | None, owner: str | None, options: Mapping[str, Any]) -> LLMSpec:
        key: Any = None
        try:
            key = (tuple(given) if isinstance(given, list) else given, preset, owner, tuple(options.items()))
            known = self._memo.get(key)
        except TypeError:  # what cannot be hashed is not remembered
            key = known = None
        route: Route = known.route.route if known is not None else to_route(given, self._named)
        connection = {name: options[name] for name in CONNECTION & options.keys()}
        own = {name: value for name, value in options.items() if name not in connection}
        problem: HBError | None = None
        try:
            first = self.target(owner, route.first(), preset, {**own, **connection})
        except (PluginError, MissingCredential) as error:
            problem = error
            first = self._unusable(route, preset, owner, own, error)
        if known is not None and known.route.first is first:
            return known
        self._check_names(route, preset, options)
        self._check_judges(route)
        resolve = partial(self.target, owner)
        given = MappingProxyType(connection)
        routing = Routing(route, MappingProxyType(own), given, first, preset, resolve, problem)
        spec = replace(first, route=routing, args=_with_middleware(first.args, self._of_call(owner, options)))
        if key is not None and problem is None and not any(target.unset for target in route.leaves()):
            if len(self._memo) >= MEMO_SIZE:
                self._memo.clear()
            self._memo[key] = spec
        return spec

    def _unusable(
        self, route: Route, preset: str | None, owner: str | None, options: Mapping[str, Any], error: HBError
    ) -> LLMSpec:
        """A spec that stands for the first target, whose plugin cannot be used: with its names and nothing else.

        What was given for its provider so belongs to nobody else. How calls are made it has from the next target that
        can be resolved; where there is none, FallbackExhausted names each.
        """
        lead, *others = route.leaves()
        errors: list[tuple[str, HBError]] = [(lead.label, error)]
        for target in others:
            try:
                spec = self.target(owner, target, preset, options)
            except HBError as failure:
                errors.append((target.label, failure))
                continue
            provider, name = self._names_of(lead, preset)
            return LLMSpec(
                preset=None,
                model=name,
                model_id=name,
                provider=provider,
                gateway=spec.gateway,
                requested_gateway=lead.gateway or spec.gateway,
                args=MappingProxyType({**options}),
                explicit=frozenset(options),
                timeouts=spec.timeouts,
            )
        if not others:
            raise error
        told = "; ".join(f"{label}: {each.message}" for label, each in errors)
        raise FallbackExhausted(f"no target of {route.label} can be used: {told}", errors) from error

    def _names_of(self, target: Target, preset: str | None) -> tuple[str, str]:
        """Provider and model of a target that cannot be resolved; of one that cannot be named either, as given."""
        catalog = self._resolver.catalog
        naming = Naming(Sources(self._config, catalog.claims.foreign), catalog, target.args)
        try:
            named = naming.target(target.model, target.provider, *naming.preset(target.preset or preset, target.model))
        except HBError:
            head, _, rest = (target.model or target.preset or "").rpartition("/")
            return target.provider or head or target.label, rest or target.label
        return named.provider, named.model

    def _check_names(self, route: Route, preset: str | None, options: Mapping[str, Any]) -> None:
        catalog = self._resolver.catalog
        for target in route.leaves():
            self._check_args(target)
            if target.unset:
                continue  # told when it is its turn
            naming = Naming(Sources(self._config, catalog.claims.foreign), catalog, {**target.args, **options})
            around = [*(target.args.get(MIDDLEWARE) or ())]
            try:
                name, record = naming.preset(target.preset or preset, target.model)
                if target.preset is not None and target.model is None and record.get("route"):
                    raise InputError(
                        f"preset {name!r} has a route, and cannot be a target; let the target name the route itself"
                    )
                around += record.get(MIDDLEWARE) or ()
                naming.target(target.model, target.provider, name, record)
                if target.gateway is not None:
                    check_gateway(target.gateway, self._registry, self._config)
            except PluginError:
                pass  # told when it is its turn, and by `hb explain`
            for each in around:
                if isinstance(each, str) and not self._registry.has(kind_of(self._registry, each), each):
                    self._registry.info(MIDDLEWARE, each)

    def _check_judges(self, route: Route) -> None:
        """UnknownNameError for the name of a judge that nothing has; without any judges, the router tells so."""
        known = self._registry.names("judges")
        for each in route.routes() if known else ():
            name = each.judge_name
            if name and name not in known:
                raise UnknownNameError("judge", name, known, package=f"hb-judge-{name}")

    def _check_args(self, target: Target) -> None:
        check_options(target.args)
        origins = {f"args.{name}": f"the target {target.label}" for name in target.args}
        unknown_options(target.args, None, origins=origins)


def _with_middleware(args: Mapping[str, Any], around: list[Any]) -> Mapping[str, Any]:
    if not around and MIDDLEWARE not in args:
        return args
    rest = {name: value for name, value in args.items() if name != MIDDLEWARE}
    return MappingProxyType({**rest, MIDDLEWARE: around} if around else rest)
