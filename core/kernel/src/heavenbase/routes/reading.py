"""What callers and settings give as a route, checked: a name, a list of models, a table, a Route."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from heavenbase.config.check import problems
from heavenbase.config.routing import TARGET
from heavenbase.config.schema import ROUTE, Table
from heavenbase.errors import InputError, InputTypeError, UnknownNameError, check_kinds
from heavenbase.routes.route import DEPTH, Breaker, Route, Target
from heavenbase.secrets import Secret
from heavenbase.spec import LLMSpec, check_seconds


def to_route(given: Any, named: Callable[[str], Any], *, above: tuple[str, ...] = (), **settings: Any) -> Route:
    """A route from what stands for one; InputError, InputTypeError or UnknownNameError for what does not.

    Args:
        given: A Route, the name of one, a list of targets (a fallback), or a table with the keys of a route.
        named: The table of a route by its name; it raises UnknownNameError for one that is not there.
        above: The names of the routes around this one, so that none stands in itself.
        settings: Fields of the route, over those of a table.
    """
    if isinstance(given, Route):
        _check_depth(given)
        return given
    name: str | None = None
    if isinstance(given, str):
        if given in above:
            raise InputError(f"route {given!r} stands in itself: {' -> '.join([*above, given])}")
        name, above = given, (*above, given)
        given = named(given)
    if isinstance(given, Mapping):
        table = {**given}
        plain = {key: value for key, value in table.items() if key not in ("targets", "on", "judge", "breaker")}
        _checked(plain, ROUTE, f"route {name!r}" if name else "route")
        targets = table.pop("targets", None)
        found = {**table, **settings}
    elif isinstance(given, list | tuple):
        targets, found = given, settings
    else:
        raise InputTypeError(f"a route is a name, a list of targets, a table or a Route, not {type(given).__name__}")
    if not targets:
        raise InputError(f"route {name!r} has no targets" if name else "a route without targets; name at least one")
    route = Route(tuple(to_target(each, named, above) for each in targets), name=name, **_fields(found))
    _check_depth(route)
    return route


def to_target(given: Any, named: Callable[[str], Any], above: tuple[str, ...] = ()) -> Target:
    """One target: the name of a model, a table with the keys of one, a Target, a spec or LLM, a Route or a list."""
    if isinstance(given, Target):
        return given
    if isinstance(given, str):
        if not given.strip():
            raise InputError("a target of a route is empty; name a model")
        return Target(given)
    if isinstance(given, Route | list | tuple):
        return Target(route=to_route(given, named, above=above))
    spec = given if isinstance(given, LLMSpec) else getattr(given, "spec", None)
    if isinstance(spec, LLMSpec):
        if spec.route is not None:
            return Target(route=spec.route.route)
        args = {name: spec.args[name] for name in spec.explicit if name in spec.args}
        return Target(spec.model_id, spec.provider, spec.gateway, spec.preset, args=args)
    if not isinstance(given, Mapping):
        raise InputTypeError(f"a target of a route is a name or a table, not {type(given).__name__}")
    table = {**given}
    _checked({name: value for name, value in table.items() if not _is_code(value)}, TARGET, "target of a route")
    if (inner := table.pop("route", None)) is not None:
        if extra := table.keys() - {"weight", "share", "first_token"}:
            raise InputError(f"a target that is a route has no {sorted(extra)[0]!r} of its own")
        return Target(route=to_route(inner, named, above=above), **table)
    if not any(table.get(name) for name in ("model", "preset", "provider")):
        raise InputError("a target of a route names neither model nor preset nor provider")
    keys = tuple(key if isinstance(key, Secret) else Secret(str(key)) for key in table.pop("keys", None) or ())
    return Target(**table, keys=keys)


def _is_code(value: Any) -> bool:
    """Whether a value is none that settings could hold, such as a Route or a Secret."""
    return isinstance(value, Route | Secret) or (isinstance(value, list | tuple) and any(map(_is_code, value)))


def _fields(found: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a route as its fields; None leaves a default."""
    names = {name: value for name, value in found.items() if value is not None or name == "hop_after"}
    for name in names:
        if name not in ROUTE.fields or name == "targets":
            raise UnknownNameError("setting of a route", name, [each for each in ROUTE.fields if each != "targets"])
    plain = {name: value for name, value in names.items() if name not in ("on", "judge", "breaker")}
    _checked(plain, ROUTE, "route")
    check_seconds("hop_after", names.get("hop_after") or None)
    if "on" in names:
        names["on"] = check_kinds("on", names["on"])
    if "breaker" in names and not isinstance(names["breaker"], Breaker):
        _checked({"breaker": dict(names["breaker"])}, ROUTE, "route")
        names["breaker"] = Breaker(**names["breaker"])
    return names


def _check_depth(route: Route) -> None:
    if route.depth > DEPTH:
        raise InputError(f"routes stand {route.depth} deep in each other; {DEPTH} are allowed")


def _checked(values: Mapping[str, Any], table: Table, what: str) -> None:
    for name in values:
        if name not in table.fields:
            raise UnknownNameError(f"key of a {what}", name, list(table.fields))
    for problem in problems(dict(values), table, ()):
        raise InputError(f"{what}: {problem.message}")
