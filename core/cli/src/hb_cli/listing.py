"""`hb models`, `hb providers` and the tables of `hb llm list`, from metadata and settings.

No plugin is imported for them but the table of models, where one is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hb_cli import output
from hb_cli.known import Knowledge, Known, cells, legend
from hb_cli.state import State, pass_state
from hb_cli.target import json_option, offered_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from heavenbase.config.layers import Environ

    Table: TypeAlias = tuple[list[list[str]], Sequence[str]]
    """Rows of cells, and their headings."""

PROVIDER_COLUMNS = ("provider", "gateway", "key", "default model", "names", "base URL")
ABOUT = ("description", "docs_url", "keys_url", "models_url")
SHOWN_NAMES = 3


@click.command()
@click.option("-b", "--provider", help="Only the models of this provider.")
@click.option("--live", is_flag=True, help="Ask the provider which models it has now; with -b.")
@click.option("--limit", type=click.IntRange(1), help="Most models of --live.")
@json_option
@pass_state
def models(state: State, provider: str | None, live: bool, limit: int | None, as_json: bool) -> None:
    """List the models that hb knows. A model that is not listed works too, wherever its provider knows it."""
    if live:
        if provider is None:
            raise click.UsageError("--live asks one provider: name it with -b")
        from hb_cli.operations import say_models

        say_models(state, provider, limit, as_json)
        return
    rows = model_rows(state, provider)
    if as_json:
        output.say_json({"models": rows})
    elif rows:
        output.say_table(*_model_table(rows))
        if told := legend(it["prices"] for row in rows for it in row["known"].values()):
            output.say()
            output.say(told)


@click.command()
@json_option
@pass_state
def providers(state: State, as_json: bool) -> None:
    """List the providers, whether their key is set, and which names of models go to each."""
    rows = provider_rows(state)
    default = default_row(state)
    if as_json:
        output.say_json({"providers": rows, "default": default})
        return
    output.say_table(_provider_cells(rows), PROVIDER_COLUMNS)
    output.say()
    output.say(f"without names, calls go to {default['provider']} ({default['model']}): {default['why']}")


def say_list(state: State, what: str, as_json: bool) -> None:
    """Print one of presets, models, providers, gateways, routes, options; "all" is all of them but the options."""
    kinds = [kind for kind in KINDS if kind != "options"] if what == "all" else [what]
    found = {kind: KINDS[kind][0](state) for kind in kinds}
    if as_json:
        output.say_json(found)
        return
    for place, (kind, rows) in enumerate(found.items()):
        if place:
            output.say()
        output.say_table(*KINDS[kind][1](rows))


def model_rows(state: State, provider: str | None = None) -> list[dict[str, Any]]:
    """The models by name; UnknownNameError for a provider that does not exist."""
    from heavenbase.resolution.catalog import native_id

    catalog = state.catalog
    wanted = None
    if provider is not None:
        wanted = catalog.provider(provider) or catalog.wanted_provider(provider)
        if wanted is None:
            from heavenbase.errors import UnknownNameError

            raise UnknownNameError("provider", provider, [*catalog.providers, *catalog.wanted])
    rows, knowledge, about = [], Knowledge(state), provider_records(state)
    for name, record in sorted(catalog.models.items()):
        entries = record.get("providers", {})
        offered = {at: native_id(entry) for at, entry in entries.items()}
        if wanted is None or wanted in offered:
            known = {
                at: knowledge.of(at, native, about.get(at, {}), record, _table(entries[at]))
                for at, native in offered.items()
                if wanted in (None, at)
            }
            rows.append(
                {
                    "model": name,
                    "aliases": list(record.get("aliases", ())),
                    "default_provider": record.get("default_provider"),
                    "providers": offered if wanted is None else {wanted: offered[wanted]},
                    "installed": sorted(set(offered) & set(catalog.providers)),
                    "dim": record.get("dim"),
                    "description": record.get("description"),
                    "known": {at: it.to_dict() for at, it in known.items()},
                }
            )
    return rows


def preset_rows(state: State) -> list[dict[str, Any]]:
    """The presets by name."""
    names = ("model", "provider", "gateway", "description")
    return [
        {"preset": preset, **{name: record.get(name) for name in names}}
        for preset, record in sorted(state.catalog.presets.items())
    ]


def provider_records(state: State) -> dict[str, Mapping[str, Any]]:
    """What manifests and settings say of each provider that can be used."""
    from heavenbase.resolution.catalog import merge

    installed = {info.name: info.manifest for info in state.inventory.plugins if info.kind == "providers"}
    catalog = state.catalog
    return {
        name: merge((installed.get(name) or {}).get("provider", {}), catalog.configured_providers.get(name, {}))
        for name in catalog.providers
    }


def provider_rows(state: State) -> list[dict[str, Any]]:
    """The providers by name: those that can be used, then those that the catalogue knows and that are not installed."""
    from heavenbase.resolution.endpoint import Sources

    catalog = state.catalog
    sources = Sources(state.config, catalog.claims.foreign)
    installed = {info.name: info for info in state.inventory.plugins if info.kind == "providers"}
    rows = []
    for name, record in provider_records(state).items():
        info = installed.get(name)
        variables = key_variables(record)
        owners = {variable: sources.foreign(name, variable) for variable in variables}
        model = next(iter((record.get("default_models") or {}).values()), None)
        rows.append(
            {
                "provider": name,
                "title": record.get("title"),
                "gateway": record.get("gateway"),
                "base_url": _shown_url(record.get("base_url")),
                "key": _key_state(record, owners, state.config.environ),
                "key_variables": variables,
                "default_model": sources.value(model, f"provider {name}"),
                "names": list(record.get("prefixes") or ()),
                "capabilities": dict(record.get("capabilities") or {}),
                **{name: record.get(name) for name in ABOUT},
                "distribution": info.distribution if info is not None else None,
                "installed": True,
            }
        )
    missing: dict[str, Any] = {
        "title": None,
        "gateway": None,
        "base_url": None,
        "key": "not installed",
        "key_variables": [],
        "default_model": None,
        "names": [],
        "capabilities": {},
        **dict.fromkeys(ABOUT),
    }
    rows += [
        {"provider": name, **missing, "distribution": catalog.packages[name], "installed": False}
        for name in catalog.wanted
    ]
    return rows


def default_row(state: State) -> dict[str, Any]:
    """Where a call without names goes, and why."""
    from heavenbase.errors import HBError
    from heavenbase.resolution.endpoint import Sources
    from heavenbase.resolution.naming import Naming

    naming = Naming(Sources(state.config, state.catalog.claims.foreign), state.catalog, {})
    try:
        preset, record = naming.preset(None, None)
        found = naming.target(None, None, preset, record)
    except HBError as error:
        return {"provider": None, "model": None, "why": error.message}
    return {"provider": found.provider, "model": found.model, "why": naming.origins["provider"]}


def gateway_rows(state: State) -> list[dict[str, Any]]:
    """The gateways by name: installed, and those of this project that are not."""
    installed = {info.name: info.distribution for info in state.inventory.plugins if info.kind == "gateways"}
    names = sorted({*installed, *state.inventory.known_gateways})
    return [
        {
            "gateway": name,
            "distribution": installed.get(name) or state.inventory.gateway_distribution(name),
            "installed": name in installed,
        }
        for name in names
    ]


def route_rows(state: State) -> list[dict[str, Any]]:
    """The routes of the settings by name, each with its targets as they are written there."""
    return [
        {
            "route": name,
            "kind": record.get("kind") or "fallback",
            "targets": [_target(target) for target in record.get("targets") or ()],
            "description": record.get("description"),
        }
        for name, record in sorted(state.config.section("heavenbase.llm.routes", raw=True).items())
    ]


def _target(target: Any) -> str:
    """A target in one word; its arguments and keys are not shown."""
    if not hasattr(target, "get"):
        return str(target)
    named = target.get("model") or target.get("preset") or target.get("route")
    words = str(named) if isinstance(named, str) else "a route" if named else ""
    provider = target.get("provider")
    return f"{provider}/{words}" if provider and words else words or str(provider or "?")


def _table(value: Any) -> Mapping[str, Any]:
    return value if hasattr(value, "get") else {}


def key_variables(record: Mapping[str, Any]) -> list[str]:
    """The variables that a provider's key is looked for in, in order."""
    found = record.get("api_key_env") or ()
    return [found] if isinstance(found, str) else list(found)


def _key_state(record: Mapping[str, Any], owners: Mapping[str, str | None], environ: Environ) -> str:
    """What is said of a provider's key; `owners` has its variables, each with the provider whose key it really is."""
    configured = record.get("api_key")
    if configured:
        from heavenbase.config.values import references

        named = [name for name, default in references(configured) if not environ.get(name) and default is None]
        return f"not set: {named[0]}" if named else "set in the settings"
    found = [name for name in owners if environ.get(name)]
    own = [name for name in found if owners[name] is None]
    if own:
        told = environ.told(own[0])
        return f"set: {own[0]}" if told.startswith("environment ") else f"set: {told}"
    if found and not record.get("placeholder_key"):
        return f"not sent: {found[0]} is the key of {owners[found[0]]}"
    if not owners or record.get("api_key_optional") or record.get("placeholder_key"):
        return "not needed"
    return f"not set: {next(iter(owners))}"


def _shown_url(value: Any) -> str | None:
    from heavenbase.config.values import masked

    url = value.get("default") if isinstance(value, dict) else value
    return str(masked(url, False)) if url else None


def _model_table(rows: list[dict[str, Any]]) -> Table:
    """What is known of a model is that of the provider which answers by default, or of the first."""
    known, headings = cells([_known(row) for row in rows])
    table = [
        [
            row["model"],
            ", ".join(row["aliases"]),
            *more,
            ", ".join(f"{at}: {native}" for at, native in row["providers"].items()),
        ]
        for row, more in zip(rows, known, strict=True)
    ]
    return table, ("model", "aliases", *headings, "native ids")


def _known(row: Mapping[str, Any]) -> Known:
    known = row["known"]
    places = [row["default_provider"], *row["installed"], *known]
    place = next((at for at in places if at in known), None)
    return Known(**known[place]) if place is not None else Known({})


def _provider_cells(rows: list[dict[str, Any]]) -> list[list[str]]:
    return [
        [
            row["provider"],
            row["gateway"] or "",
            row["key"],
            row["default_model"] or "",
            _names(row["names"]),
            (row["base_url"] or "") if row["installed"] else f"pip install {row['distribution']}",
        ]
        for row in rows
    ]


def _names(prefixes: list[str]) -> str:
    more = len(prefixes) - SHOWN_NAMES
    return ", ".join(f"{prefix}…" for prefix in prefixes[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def _preset_cells(rows: list[dict[str, Any]]) -> list[list[str]]:
    return [[row["preset"], row["model"] or "", row["provider"] or "", row["description"] or ""] for row in rows]


def _gateway_cells(rows: list[dict[str, Any]]) -> list[list[str]]:
    return [[row["gateway"], "installed" if row["installed"] else f"pip install {row['distribution']}"] for row in rows]


def _route_cells(rows: list[dict[str, Any]]) -> list[list[str]]:
    return [[row["route"], row["kind"], ", ".join(row["targets"]), row["description"] or ""] for row in rows]


def option_rows(state: State) -> list[dict[str, Any]]:
    """The options of calls, as `-o` takes them."""
    return [
        {"option": o.name, "kind": o.kind, "types": o.types.split(" | "), "unit": o.unit or None, "help": o.help}
        for o in offered_options()
    ]


def _option_cells(rows: list[dict[str, Any]]) -> list[list[str]]:
    return [[row["option"], " or ".join(w for w in row["types"] if w != "object"), row["help"]] for row in rows]


def _under(header: Sequence[str], cells: Callable[[list[dict[str, Any]]], list[list[str]]]) -> Callable[..., Table]:
    return lambda rows: (cells(rows), header)


KINDS: dict[str, tuple[Callable[[State], list[dict[str, Any]]], Callable[..., Table]]] = {
    "presets": (preset_rows, _under(("preset", "model", "provider", "description"), _preset_cells)),
    "models": (model_rows, _model_table),
    "providers": (provider_rows, _under(PROVIDER_COLUMNS, _provider_cells)),
    "gateways": (gateway_rows, _under(("gateway", "state"), _gateway_cells)),
    "routes": (route_rows, _under(("route", "kind", "targets", "description"), _route_cells)),
    "options": (option_rows, _under(("option", "value", "meaning"), _option_cells)),
}
