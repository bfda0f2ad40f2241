"""`hb budgets`: what was spent of each budget, and how to begin anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hb_cli import output
from hb_cli.state import State, pass_state
from hb_limits.budgets.amounts import amount_of, shown
from heavenbase.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    from hb_limits.budgets.accounts import Row
    from hb_limits.budgets.middleware import Budgets
    from hb_limits.budgets.rules import Rule

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(invoke_without_command=True, help="What was spent of each budget, and how to begin anew.")
@json_option
@click.pass_context
def budgets(context: click.Context, as_json: bool) -> None:
    """Show the budgets where no command follows."""
    if context.invoked_subcommand is None:
        context.invoke(show, as_json=as_json)


@budgets.command(help="Show what was spent, reserved and left of each budget.")
@json_option
@pass_state
def show(state: State, as_json: bool) -> None:
    """One line for each account, or for a budget of which nothing was spent."""
    plugin = _loaded(state)
    found = [_told(rule, row) for rule, row in _rows(state, plugin)]
    if as_json:
        output.say_json({"store": plugin.keeper.place, "budgets": found})
        return
    if not found:
        output.note("no budgets; they are the key heavenbase.middleware.budgets.rules")
        return
    header = ("budget", "for", "window", "spent", "reserved", "left")
    output.say_table([[_cell(row, name) for name in header] for row in found], header)
    if plugin.options["store"] == "memory":
        output.note('each process keeps budgets of its own; store = "sqlite" keeps them on the disk')
    elif any(rule.per == "call" for rule in plugin.rules):
        output.note("budgets for each call are kept by the process that makes it")


@budgets.command(help="Take back what was spent of a budget, or of all; what is reserved stays.")
@click.argument("name", required=False)
@click.option("--for", "label", help="Only of this tenant, session or key, as `hb budgets` shows it.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_state
def reset(state: State, name: str | None, label: str | None, yes: bool) -> None:
    """Take back what was spent."""
    plugin = _loaded(state)
    names = [rule.name for rule in plugin.rules]
    if name is not None and name not in names:
        raise UnknownNameError("budget", name, names)
    rows = [row for rule, row in _rows(state, plugin) if row is not None and name in (None, rule.name)]
    rows = [row for row in rows if label in (None, row.label)]
    if not rows:
        output.note("nothing was spent")
        return
    if not yes:
        click.confirm(f"Take back what was spent of {len(rows)} accounts in {plugin.keeper.place}?", abort=True)
    plugin.keeper.store.reset([row.key for row in rows], state.kernel.wall())
    output.say(f"{len(rows)} {'account' if len(rows) == 1 else 'accounts'} reset")


def _loaded(state: State) -> Budgets:
    found: Any = state.kernel.stack.load("budgets")
    return found  # type: ignore[no-any-return]


def _rows(state: State, plugin: Budgets) -> list[tuple[Rule, Row | None]]:
    """The accounts of each rule; None for a rule that has none."""
    from hb_limits.budgets.accounts import StoreError

    try:
        rows = plugin.keeper.rows(state.kernel.wall())
    except StoreError as error:
        raise InputError(str(error)) from error
    found: list[tuple[Rule, Row | None]] = []
    for rule in plugin.rules:
        own = [row for row in rows if row.rule == rule.name]
        found += [(rule, row) for row in own] or [(rule, None)]
    return found


def _told(rule: Rule, row: Row | None) -> dict[str, Any]:
    found: dict[str, Any] = {"budget": rule.name, "about": str(rule), "for": None, "window": None}
    if row is not None:
        found |= {"for": row.label or None, "window": str(row.window)}
    for unit, most in (("money", rule.money), ("tokens", rule.tokens)):
        if most is None:
            continue
        spent, reserved = (getattr(row.spent, unit), getattr(row.reserved, unit)) if row is not None else (0, 0)
        counts = {"budget": most, "spent": spent, "reserved": reserved, "left": most - spent - reserved}
        if unit == "money":
            found[unit] = {"currency": rule.currency} | {name: f"{amount_of(it):f}" for name, it in counts.items()}
        else:
            found[unit] = counts
    return found


def _cell(row: dict[str, Any], name: str) -> str:
    if name not in ("spent", "reserved", "left"):
        return str(row[name] or "")
    parts = []
    if "money" in row:
        from decimal import Decimal

        from hb_limits.budgets.amounts import PARTS

        amount = int(Decimal(row["money"][name]) * PARTS)
        parts.append(f"{'-' if amount < 0 else ''}{shown(abs(amount))} {row['money']['currency']}")
    if "tokens" in row:
        parts.append(f"{row['tokens'][name]:,} tokens")
    return ", ".join(parts)
