"""The options of a target and of a call, checked before anything is sent: their values and their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from heavenbase.config.config import Config
from heavenbase.config.schema import LOSSY_ACTIONS
from heavenbase.errors import InputError, InputTypeError, UnknownNameError
from heavenbase.options import (
    CONNECTION,
    COUNTS,
    KNOWN,
    MOCKS,
    OPTIONS,
    PREPARED,
    named,
    split_options,
    unknown_options,
)
from heavenbase.registry import Registry
from heavenbase.resolution.endpoint import header_text
from heavenbase.spec import LLMSpec
from heavenbase.types import ParameterReport

ROOT = ("heavenbase", "llm")
LOSSY_SIDES = ("guarantees", "tuning")
REPAIR = ("repair_tool_calls", "tool_call_repair")


def default_arguments(record: Mapping[str, Any]) -> dict[str, Any]:
    """The default arguments that a record gives, None for what must not travel."""
    prompt = {"prompt_template": record["prompt"]} if record.get("prompt") else {}
    given = {**record.get("default_args", {}), **record.get("args", {})}
    return {**prompt, **given, **dict.fromkeys(record.get("unset", ()))}


def plain_options(spec: LLMSpec) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Arguments and controls of a call that says nothing of its own; None where they are more than data to copy."""
    found: Any = spec._keys.get("options")
    if found is None:
        args = spec.args
        special = MOCKS | PREPARED | {"extra_body"}
        plain = KNOWN.issuperset(args) and all(args[name] is None for name in special.intersection(args))
        found = spec._keys["options"] = split_options(args) if plain else ()
    return found or None


def unasked_arguments(spec: LLMSpec, config: Config) -> frozenset[str]:
    """The default arguments that neither the caller nor the user's settings give: those of hb and of plugins."""
    found: frozenset[str] | None = spec._keys.get("unasked")
    if found is None:
        packaged = ".".join((*ROOT, "default_args"))
        names = []
        for name in spec.args.keys() - spec.explicit:
            origin = spec.origins.get(f"args.{name}", "")
            where = config.origin((*ROOT, "default_args", name)) if origin == packaged else None
            if where.layer == "default" if where is not None else not _is_the_users(name, origin, config):
                names.append(name)
        found = spec._keys["unasked"] = frozenset(names)
    return found


def unknown_arguments(spec: LLMSpec, config: Config, registry: Registry) -> frozenset[str]:
    """The default arguments that neither hb nor the wire knows, where they are allowed; else UnknownNameError.

    What plugins put into their own records is known to them, but for slips.
    """
    given = [name for name in spec.args if _is_the_users(name, spec.origins.get(f"args.{name}", ""), config)]
    wire = parameters_of(spec, registry)
    unknown_options(spec.args.keys() - given, wire, allowed=True, origins=spec.origins)
    return unknown_options(given, wire, allowed=bool(spec.args.get("allow_unknown")), origins=spec.origins)


def check_parameters(
    spec: LLMSpec, registry: Registry, options: Mapping[str, Any], merged: Mapping[str, Any], report: ParameterReport
) -> None:
    """UnknownNameError for an option of a call that nothing knows; the report learns of those that are allowed.

    `merged` are the default arguments of the spec with the options over them.
    """
    wire = parameters_of(spec, registry)
    fresh = [name for name in options if name not in spec.args]
    report.strange = spec.unknown | unknown_options(fresh, wire, allowed=bool(merged.get("allow_unknown")))
    extra = merged.get("extra_body")
    if wire is not None and isinstance(extra, dict):
        added = extra.keys() - KNOWN - wire - merged.keys()
        report.strange |= added
        report.sent(*added)


def parameters_of(spec: LLMSpec, registry: Registry) -> frozenset[str] | None:
    """The parameters of a target's wire beside hb's own; None where its gateway lists none."""
    known: tuple[frozenset[str] | None] | None = spec._keys.get("parameters_of")
    if known is None:
        listed: frozenset[str] | None = registry.load("gateways", spec.gateway).parameters
        if listed is not None:
            rules, words = spec.provider_record.get("parameters", ()), ("rename", "drop", "clamp")
            named = [rule.get(word, ()) for rule in rules for word in words]
            listed = listed.union(spec.provider_record.get("known_parameters", ()), *named)
        known = spec._keys["parameters_of"] = (listed,)
    return known[0]


def _is_the_users(name: str, origin: str, config: Config) -> bool:
    """Whether an argument comes from the caller or the settings; `origin` is the layer as the resolver names it."""
    kind, _, row = origin.partition(" ")
    if kind not in ("gateway", "model", "provider", "preset"):
        return True
    table = config.section((*ROOT, f"{kind}s", row), raw=True)
    rows = [table, *table.get("providers", {}).values()]
    return any(name in default_arguments(found) for found in rows if isinstance(found, dict))


def check_options(options: Mapping[str, Any]) -> None:
    """InputError or InputTypeError for a control with a value it cannot have; None is always allowed."""
    for name in CHECKED.intersection(options):
        if options[name] is not None:
            _CHECKS.get(name, _check_count)(name, options[name])


_KINDS: Mapping[str, tuple[Any, str]] = {
    "int": (int, "a whole number"),
    "float": (int | float, "a number"),
    "bool": (bool, "True or False"),
    "str": (str, "text"),
    "table": (Mapping, "a mapping"),
    "list[str]": (Iterable, "a list of texts"),
}


def _check_argument(name: str, value: Any) -> None:
    words, least = OPTIONS[name].types.split(" | "), OPTIONS[name].least
    if not any(_is_of(value, word) for word in words) or value != value:  # the latter is no number
        raise InputTypeError(f"{name} must be {' or '.join(_KINDS[w][1] for w in words)}, not {type(value).__name__}")
    if least is not None and isinstance(value, int | float) and value < least:
        raise InputError(f"{name} must be at least {least:g}, not {value}")


def _is_of(value: Any, word: str) -> bool:
    if isinstance(value, bool):
        return word == "bool"
    if word == "list[str]" and isinstance(value, Iterable):
        return not isinstance(value, bytes) and all(isinstance(item, str) for item in value)
    return isinstance(value, _KINDS[word][0]) and value not in (float("inf"), -float("inf"))


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputTypeError(f"{name} must be a whole number, not {type(value).__name__}")
    if value < COUNTS[name]:
        raise InputError(f"{name} must be at least {COUNTS[name]}, not {value}")


def _check_repair(name: str, value: object) -> None:
    from heavenbase.tools.repair import LLMToolCallRepair

    LLMToolCallRepair().merged(value)


def _check_retry(name: str, value: object) -> None:
    from heavenbase.resolution.retrying import RetryPolicy

    RetryPolicy().merged(value)


def _check_callable(name: str, value: object) -> None:
    if not callable(value):
        raise InputTypeError(f"{name} must be a function, not {type(value).__name__}")


def _check_middleware(name: str, value: object) -> None:
    from heavenbase.middleware import place_of

    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise InputTypeError(f"middleware must be a list of names and objects, not {type(value).__name__}")
    for each in value:
        if not isinstance(each, str):
            place_of(each)


def _check_by_provider(name: str, value: object) -> None:
    # The values may be credentials, so no message repeats one.
    if not isinstance(value, Mapping):
        raise InputTypeError(f"by_provider must be a mapping, not {type(value).__name__}")
    for provider, options in value.items():
        if not isinstance(options, Mapping):
            kind = type(options).__name__
            raise InputTypeError(f"by_provider: the options for {provider!r} must be a mapping, not {kind}")
        if name in options:
            raise InputError(f"by_provider: the options for {provider!r} hold by_provider themselves")
        check_options(options)
        unknown_options(options, None, origins={f"args.{each}": f"by_provider.{provider}" for each in options})


def _check_lossy(name: str, value: object) -> None:
    if isinstance(value, dict):
        for side in value:
            if side not in LOSSY_SIDES:
                raise UnknownNameError("side of on_lossy", side, LOSSY_SIDES)
    elif not isinstance(value, str):
        raise InputTypeError(f"on_lossy must be a word or a mapping, not {type(value).__name__}")
    for action in value.values() if isinstance(value, dict) else [value]:
        if action not in LOSSY_ACTIONS:
            raise UnknownNameError("on_lossy action", action, LOSSY_ACTIONS)


def _check_headers(name: str, value: object) -> None:
    # The values may be credentials, so no message repeats one.
    if not hasattr(value, "items"):
        raise InputTypeError(f"headers must be a mapping of texts, not {type(value).__name__}")
    for header, text in value.items():
        if not isinstance(header, str) or not isinstance(text, str | int | float):
            raise InputTypeError(f"header {header!r} must be text")
        header_text(header, text)


def unconnected(name: str, value: Any) -> Any:
    """A value of a record; of a table of arguments all but the connection, in those of a model's providers too."""
    if name in ("default_args", "args"):
        return {key: item for key, item in value.items() if key not in CONNECTION}
    if name == "providers":
        return {key: unconnected("", item) for key, item in value.items()}
    return (
        {key: unconnected(key, item) for key, item in value.items()} if isinstance(value, dict) and not name else value
    )


def merged_headers(tables: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The headers of all tables, later ones winning whatever their spelling; a null takes one away."""
    found: dict[str, tuple[str, Any]] = {}
    for table in tables:
        for name, value in table.items():
            found[name.lower()] = name, value
    return {name: header_text(name, value) for name, value in found.values() if value is not None}


_SENT = named(lambda option: option.kind in ("argument", "extra") and _KINDS.keys() >= {*option.types.split(" | ")})
_PLAIN = (
    named(lambda option: option.kind == "control" and option.types in ("bool", "float", "str")) - MOCKS - COUNTS.keys()
)
"""Controls that nothing else checks."""
_CHECKS = {**dict.fromkeys(REPAIR, _check_repair), "on_lossy": _check_lossy, "headers": _check_headers}
_CHECKS |= dict.fromkeys(_SENT | _PLAIN, _check_argument)
_CHECKS |= {"retry": _check_retry, "on_retry": _check_callable, "middleware": _check_middleware}
_CHECKS |= {"by_provider": _check_by_provider}
CHECKED = frozenset({*COUNTS, *_CHECKS})
