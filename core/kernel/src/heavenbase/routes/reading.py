"""What callers and settings give as a route, checked: a name, a list of models, a table, a Route."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from operator import is_
from typing import Any

from heavenbase.config.check import problems
from heavenbase.config.routing import TARGET
from heavenbase.config.schema import ROUTE
from heavenbase.errors import InputError, InputTypeError, UnknownNameError, check_kinds
from heavenbase.options import CONNECTION
from heavenbase.routes.route import DEPTH, NAMES, Breaker, Route, Target
from heavenbase.secrets import Secret
from heavenbase.spec import EMPTY, LLMSpec

KEYS = ("api_key", "auth_token")
"""Options that stand in the field `api_key` of a spec."""


def to_route(given: Any, named: Callable[[str], Any], *, above: tuple[str | None, ...] = (), **settings: Any) -> Route:
    """A route from what stands for one; InputError, InputTypeError or UnknownNameError for what does not.

    Args:
        given: A Route, the name of one, a list of targets (a fallback), or a table with the keys of a route.
        named: The table of a route by its name; it raises UnknownNameError for one that is not there.
        above: The names of the routes around this one (None for one without), so that none stands in itself.
        settings: Fields of the route, over those of a table.
    """
    name = given if isinstance(given, str) else None
    if name is not None and name in above:
        raise InputError(f"route {name!r} stands in itself: {' -> '.join([*filter(None, above), name])}")
    if len(above) == DEPTH:  # before what is inside is read, which has no end where a list holds itself
        raise InputError(f"routes stand more than {DEPTH} deep in each other")
    above = (*above, name)
    if isinstance(given, Route):
        return _checked_route(given, named, above)
    if name is not None:
        given = named(name)
    what = f"route {name!r}" if name else "route"
    if isinstance(given, Mapping):
        found = {**given, **settings}
        _check_names(found, ROUTE, what)
        targets = found.pop("targets", None)
    elif isinstance(given, list | tuple):
        targets, found = given, settings
    else:
        raise InputTypeError(f"a route is a name, a list of targets, a table or a Route, not {type(given).__name__}")
    return _made(targets, found, named, above, name, what)


def _made(
    targets: Any,
    found: Mapping[str, Any],
    named: Callable[[str], Any],
    above: tuple[str | None, ...],
    name: Any,
    what: str,
) -> Route:
    if targets is not None and not isinstance(targets, list | tuple):
        raise InputTypeError(f"{what}: targets must be a list of names and tables, not {type(targets).__name__}")
    if not targets:
        raise InputError(f"{what} has no targets" if name else "a route without targets; name at least one")
    return Route(tuple(to_target(each, named, above) for each in targets), name=name, **_fields(found, what))


def _checked_route(given: Route, named: Callable[[str], Any], above: tuple[str | None, ...]) -> Route:
    """A Route made in code, itself where all in it is as it should be."""
    if not isinstance(given.name, str | None):
        raise InputTypeError(f"the name of a route is a text, not {type(given.name).__name__}")
    found = {name: getattr(given, name) for name in NAMES}
    made = _made(given.targets, found, named, above, given.name, f"route {given.name!r}" if given.name else "route")
    is_whole = type(given.targets) is tuple and all(map(is_, made.targets, given.targets))
    return given if is_whole and all(getattr(made, name) is value for name, value in found.items()) else made


def to_target(given: Any, named: Callable[[str], Any], above: tuple[str | None, ...] = ()) -> Target:
    """One target: the name of a model, a table with the keys of one, a Target, a spec or LLM, a Route or a list."""
    if isinstance(given, Target):
        return _checked_target(given, named, above)
    if isinstance(given, str):
        if not given.strip():
            raise InputError("a target of a route is empty; name a model")
        return Target(given)
    if isinstance(given, Route | list | tuple):
        return Target(route=to_route(given, named, above=above))
    spec = given if isinstance(given, LLMSpec) else getattr(given, "spec", None)
    if isinstance(spec, LLMSpec):
        return _of_spec(spec)
    if not isinstance(given, Mapping):
        raise InputTypeError(f"a target of a route is a name or a table, not {type(given).__name__}")
    table = {**given}
    _check_target(table)
    if (inner := table.pop("route", None)) is not None:
        if extra := table.keys() - {"weight", "share", "first_token"}:
            raise InputError(f"a target that is a route has no {sorted(extra)[0]!r} of its own")
        return Target(route=to_route(inner, named, above=above), **table)
    if not any(table.get(name) for name in ("model", "preset", "provider")):
        raise InputError("a target of a route names neither model nor preset nor provider")
    keys = tuple(key if isinstance(key, Secret) else Secret(str(key)) for key in table.pop("keys", None) or ())
    return Target(**table, keys=keys)


def _checked_target(given: Target, named: Callable[[str], Any], above: tuple[str | None, ...]) -> Target:
    """A Target made in code, itself where all in it is as it should be."""
    found = {it.name: getattr(given, it.name) for it in fields(Target)}
    # What is left empty is no word of the caller's.
    empty = {name for name, value in found.items() if value is None or value == () or value == EMPTY} | {"unset"}
    made = to_target({name: value for name, value in found.items() if name not in empty}, named, above)
    made = replace(made, unset=given.unset) if given.unset else made
    is_same = all(getattr(made, name) is value for name, value in found.items() if name != "keys")
    return given if is_same and type(given.keys) is tuple and all(isinstance(it, Secret) for it in given.keys) else made


def _of_spec(spec: LLMSpec) -> Target:
    """The target of an LLM: its names, and all that was given for it."""
    if spec.route is not None:
        if spec.route.connection or spec.route.options:
            raise InputError(
                "an LLM with a route and options cannot be a target; give them to the targets of its route"
            )
        return Target(route=spec.route.route)
    args = {name: spec.args[name] for name in spec.explicit if name in spec.args}
    # What is said of the connection stands in fields of its own.
    # The spec of a target has nothing that is explicit, and a connection that was given all the same.
    given = spec.explicit | {name for name, origin in spec.origins.items() if origin == "argument"}
    own = {name: getattr(spec, "api_key" if name in KEYS else name) for name in CONNECTION & given}
    own |= {"headers": dict(own["headers"])} if "headers" in own else {}
    return Target(spec.model_id, spec.provider, spec.gateway, spec.preset, args={**args, **own})


def _check_target(table: Mapping[str, Any]) -> None:
    what = "target of a route"
    _check_names(table, TARGET, what)
    # Arguments are checked as those of a call are, where the target is resolved; they may be what only code can give.
    args = table.get("args")
    code: tuple[str, ...] = ("args",) if isinstance(args, Mapping) else ()
    for name in args if isinstance(args, Mapping) else ():
        if not isinstance(name, str):
            raise InputTypeError(f"{what}: the name of an argument is a text, not {type(name).__name__}")
    inner = table.get("route")
    code += ("route",) if isinstance(inner, Route | list | tuple | Mapping) else ()
    plain = {name: value for name, value in table.items() if name not in code}
    keys = plain.get("keys")
    if isinstance(keys, list | tuple):
        for key in keys:
            if not isinstance(key, str | Secret) or not (key.reveal() if isinstance(key, Secret) else key).strip():
                raise InputError(f"{what}: keys holds what is no credential: an empty text, or no text")
        del plain["keys"]
    _check_values(plain, TARGET, what)
    if (share := table.get("share")) is not None and share > 1:
        raise InputError(f"{what}: share is a part of the time left, at most 1, not {share:g}")


def _fields(found: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The settings of a route as its fields; None leaves a default."""
    names = {name: value for name, value in found.items() if value is not None or name == "hop_after"}
    for name in names:
        if name not in NAMES:
            raise UnknownNameError("setting of a route", name, sorted(NAMES))
    _check_values({name: value for name, value in names.items() if name not in ("on", "judge", "breaker")}, ROUTE, what)
    if "on" in names:
        if isinstance(names["on"], Iterator):  # a table or Route may be read again, and would then name none
            raise InputTypeError(f"on of a {what} is a list of kinds of errors, not {type(names['on']).__name__}")
        names["on"] = check_kinds(f"on of a {what}", names["on"])
    if "judge" in names:
        _check_judge(names["judge"], what)
    if "breaker" in names:
        breaker = names["breaker"]
        if not isinstance(breaker, Breaker | Mapping):
            raise InputTypeError(f"{what}: breaker must be a table, not {type(breaker).__name__}")
        rules = asdict(breaker) if isinstance(breaker, Breaker) else {**breaker}
        table = ROUTE.fields["breaker"]
        _check_names(rules, table, f"breaker of a {what}")
        _check_values(rules, table, f"breaker of a {what}")
        names["breaker"] = breaker if isinstance(breaker, Breaker) else Breaker(**rules)
    return names


def _check_judge(judge: Any, what: str) -> None:
    name = judge.get("name", judge.get("type", "")) if isinstance(judge, Mapping) else ""
    if isinstance(judge, type) or not (isinstance(judge, str | Mapping) or callable(judge)):
        told = "a class; make one" if isinstance(judge, type) else type(judge).__name__
        raise InputTypeError(f"{what}: judge is a name, a table with a name, or an object called as (call, answer), "
                             f"not {told}")  # fmt: skip
    if not isinstance(name, str):
        raise InputTypeError(f"{what}: the name of a judge is a text, not {type(name).__name__}")


def _check_names(values: Mapping[str, Any], table: Any, what: str) -> None:
    for name in values:
        if name not in table.fields:
            raise UnknownNameError(f"key of a {what}", name, list(table.fields))


def _check_values(values: Mapping[str, Any], table: Any, what: str) -> None:
    try:
        for problem in problems(dict(values), table, ()):
            raise InputError(f"{what}: {problem.message}")
    except RecursionError:
        raise InputError(f"{what}: a value is nested too deeply, or holds itself") from None
    for name, value in values.items():  # a reference to a variable was read before, or is none
        if isinstance(value, str) and "str" not in table.fields[name].types:
            raise InputError(f"{what}: {name} must be a number, not a reference")
