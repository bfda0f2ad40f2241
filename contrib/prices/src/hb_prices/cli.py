"""`hb prices`: what models cost by the table in use, and a newer table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from hb_cli import State, output, pass_state
from hb_prices.prices import Prices

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Group(click.Group):
    """A group whose first word may be a model: `hb prices gpt-5.5` is `hb prices show gpt-5.5`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `show` before what is none of the commands."""
        if not args or (args[0] not in self.commands and args[0] not in self.get_help_option_names(ctx)):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group("prices", cls=Group)
def command() -> None:
    """What models cost, by bucket and tier, with source and date: hb prices MODEL. Sends nothing but to refresh."""


@command.command()
@click.argument("model", required=False)
@click.option("-b", "--provider", help="The provider that sells it.")
@json_option
@pass_state
def show(state: State, model: str | None, provider: str | None, as_json: bool) -> int:
    """Show the prices of MODEL, as calls name it; or which table is in use."""
    table = _table(state)
    if model is None:
        return _say_table(table, as_json)
    provider, model_id = _target(state, model, provider)
    found = table.prices(provider, model_id, at=state.kernel.services.wall())
    facts = dict(table.facts(provider, model_id))
    about = {"provider": provider, "model": model_id, "prices": _plain(found), "facts": facts}
    if as_json:
        output.say_json(about)
    elif found is None:
        output.say(f"{provider}/{model_id}: no price is known; say one in heavenbase.tables.prices.models")
    else:
        output.say(f"{provider}/{model_id}, {found['currency']} for a million tokens")
        output.say_table(_rows(found), ("tier", "bucket", "prompt", "price"))
        output.say(f"source: {found['source']}" + (f", {found['date']}" if found["date"] else ""))
        if table.is_by_host(provider, model_id):
            output.say("several hosts answer for it, each at its own price: costs are those that the provider tells")
    if not as_json:
        for name, value in facts.items():
            output.say(f"{name}: {', '.join(value) if isinstance(value, list) else value}")
    return int(found is None)


@command.command()
@click.option("--file", "path", type=click.Path(dir_okay=False), help="Read genai-prices' data.json from here.")
@json_option
@pass_state
def refresh(state: State, path: str | None, as_json: bool) -> None:
    """Fetch genai-prices' published data, and use them from now on; the old table stays where that fails."""
    from hb_prices.refresh import refresh as made

    found = made(_table(state), file=path, at=state.kernel.services.wall())
    rows = sum(len(found.rows(provider)) for provider in found.providers)
    if as_json:
        output.say_json({"source": found.header.source, "date": found.header.date, "file": found.name, "models": rows})
    else:
        output.say(f"{rows} models of {found.header.date} in {found.name}")


def _table(state: State) -> Prices:
    """The table as calls have it, also where another one is asked for prices."""
    from heavenbase.errors import ConfigError

    table = state.kernel.services.table
    if not isinstance(table, Prices):
        raise ConfigError('hb prices shows the table "prices"; heavenbase.llm.table names another one, or none')
    return table


def _say_table(table: Prices, as_json: bool) -> int:
    counts = {provider: len(table.table.rows(provider)) for provider in table.table.providers}
    if as_json:
        output.say_json({**table.status(), "models": counts})
        return 0
    for name, value in table.status().items():
        output.say(f"{name}: {value}")
    output.say(f"models: {sum(counts.values())} of {len(counts)} providers")
    return 0


def _target(state: State, model: str, provider: str | None) -> tuple[str, str]:
    """Provider and native id that a call with these names would ask; what no call knows is taken as it is."""
    from heavenbase.errors import HBError

    try:
        spec = state.kernel.resolve(None, model, provider, None)
    except HBError:
        named, _, rest = model.partition("/")
        if provider is None and not rest:
            raise
        return (provider, model) if provider is not None else (named, rest)
    return spec.provider, spec.model_id


def _rows(found: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """One row a price."""
    buckets = {name: value for name, value in found.items() if name not in ("tiers", "currency", "source", "date")}
    rows = []
    for tier, prices in {"": buckets, **found.get("tiers", {})}.items():
        for name, value in prices.items():
            if tier and value == buckets.get(name):
                continue
            first, *tiers = value if isinstance(value, tuple) else (value,)
            unit = " /1000" if name in ("web_searches", "requests") else ""
            rows.append((tier, name, "", f"{first:f}{unit}"))
            rows += [(tier, name, f"> {start:,}", f"{price:f}") for start, price in tiers]
    return rows


def _plain(value: Any) -> Any:
    """Prices as JSON has them: Decimals as texts."""
    if isinstance(value, Mapping):
        return {name: _plain(held) for name, held in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value if value is None or isinstance(value, int | str) else f"{value:f}"
