"""`hb llm`: the commands about models in one group."""

from __future__ import annotations

import click

from hb_cli import listing, output
from hb_cli.lazy import Entry, LazyGroup
from hb_cli.state import State, pass_state
from hb_cli.target import json_option

HERE = "hb_cli"
TABLE = {
    "chat": Entry(f"{HERE}.chat:chat", "Ask a model and print its answer."),
    "session": Entry(f"{HERE}.session:session", "Talk with a model, turn by turn."),
    "embed": Entry(f"{HERE}.embed:embed", "Print the vectors of texts."),
    "imagen": Entry(f"{HERE}.imagen:imagen", "Generate images and save them."),
    "explain": Entry(f"{HERE}.explain:explain", "Show what a call would send and why, without sending it."),
    "list": Entry(f"{HERE}.llm:list_names", "List presets, models, providers, gateways, routes, options, or all."),
    "status": Entry(f"{HERE}.llm:status", "Say which providers have a key, by the name of its variable."),
}
ALIASES = {"image": "imagen", "sessions": "session", "ls": "list", "resolve": "explain", "verbose": "explain"}
LISTS = ("presets", "models", "providers", "gateways", "routes", "options", "all")


@click.group(cls=LazyGroup, table=TABLE, aliases=ALIASES)
def llm() -> None:
    """The commands about models in one group."""


@click.command("list")
@click.argument("what", type=click.Choice(LISTS), default="all")
@json_option
@pass_state
def list_names(state: State, what: str, as_json: bool) -> None:
    """List presets, models, providers, gateways, routes, the options of calls, or all."""
    listing.say_list(state, what, as_json)


@click.command()
@json_option
@pass_state
def status(state: State, as_json: bool) -> None:
    """Say which providers have a key, by the name of its variable; never the key."""
    rows = [row for row in listing.provider_rows(state) if row["installed"]]
    if as_json:
        names = ("provider", "key", "key_variables")
        output.say_json({"providers": [{name: row[name] for name in names} for row in rows]})
    else:
        output.say_table([[row["provider"], row["key"]] for row in rows], ("provider", "key"))
