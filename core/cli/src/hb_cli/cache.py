"""`hb cache`: what the response cache holds, why two calls differ, and how to empty it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hb_cli import cache_entries as entries
from hb_cli import output
from hb_cli.lazy import Entry, LazyGroup
from hb_cli.saving import create_text
from hb_cli.state import State, pass_state
from hb_cli.target import json_option

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = "hb_cli.cache"
TABLE = {
    "stats": Entry(f"{HERE}:stats", "Count entries and bytes, and show the limits."),
    "list": Entry(f"{HERE}:list_entries", "List entries, the last used first."),
    "show": Entry(f"{HERE}:show", "Print one entry: the request and its answer."),
    "why": Entry(f"{HERE}:why", "Say which fields made two calls differ."),
    "clear": Entry(f"{HERE}:clear", "Forget the entries of a namespace, or all."),
    "purge": Entry(f"{HERE}:purge", "Forget everything and leave no trace of it on the disk."),
    "export": Entry(f"{HERE}:export", "Write entries as JSON lines."),
}
ALIASES = {"ls": "list", "status": "stats", "diff": "why"}
NAMES = ("text", "embedding", "image")

namespace_option = click.option("-n", "--namespace", type=click.Choice(NAMES), help="Only entries of this namespace.")


@click.group(cls=LazyGroup, table=TABLE, aliases=ALIASES)
def cache() -> None:
    """Look into the response cache, and empty it."""


@click.command()
@json_option
@pass_state
def stats(state: State, as_json: bool) -> None:
    """Count entries and bytes, and show the limits."""
    with entries.opened(state) as shelf:
        found = shelf.summary()
    if as_json:
        output.say_json(found)
        return
    state_word = "on" if found["enabled"] else "off"
    output.say(f"{state_word}, policy {found['policy']}, backend {found['backend']}")
    if found["place"]:
        output.say(found["place"])
    header = ("namespace", "entries", "bytes", "enabled", "ttl_seconds", "max_entries", "max_bytes")
    rows = [[name, *(output.brief(row.get(key)) for key in header[1:])] for name, row in found["namespaces"].items()]
    output.say_table(rows, header)


@click.command("list")
@namespace_option
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Entries at most.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Entries to leave out first.")
@json_option
@pass_state
def list_entries(state: State, namespace: str | None, limit: int, offset: int, as_json: bool) -> None:
    """List entries, the last used first."""
    with entries.opened(state) as shelf:
        rows = [shelf.row(found) for found in shelf.store.entries(namespace, limit=limit, offset=offset)]
    if as_json:
        output.say_json({"entries": rows})
    elif rows:
        cells = [
            [row["key"][:12], row["namespace"], str(row["size"]), entries.when(row["accessed"]),
             entries.when(row["expires"]), row["model"] or "", row["about"]]
            for row in rows
        ]  # fmt: skip
        output.say_table(cells, ("key", "namespace", "bytes", "used", "expires", "model", "about"))
    else:
        output.note("the cache has no entries")


@click.command()
@click.argument("key")
@click.option("--raw", is_flag=True, help="Also the provider's answer as it came.")
@json_option
@pass_state
def show(state: State, key: str, raw: bool, as_json: bool) -> None:
    """Print one entry: the request and its answer. KEY is the key or its beginning, from `hb cache list`."""
    with entries.opened(state) as shelf:
        found = shelf.full(shelf.find(key), raw=raw)
    if as_json:
        output.say_json(found)
        return
    for name in ("key", "namespace", "size"):
        output.say(f"{name}: {found[name]}")
    for name in ("created", "accessed", "expires"):
        output.say(f"{name}: {entries.when(found[name]) or 'never'}")
    for name in ("request", "answer", *(("raw",) if raw else ())):
        output.say(f"\n{name}")
        output.say(output.to_json(entries.shortened(found[name]), indent=2))


@click.command()
@click.argument("a")
@click.argument("b")
@json_option
@pass_state
def why(state: State, a: str, b: str, as_json: bool) -> int:
    """Say which fields made two calls differ. A and B are keys of entries, or their beginnings.

    Ends with exit code 1 when they do not differ.
    """
    with entries.opened(state) as shelf:
        first, second = shelf.find(a), shelf.find(b)
        requests = [shelf.full(found)["request"] for found in (first, second)]
    rows = entries.differences(*requests)
    if first.namespace != second.namespace:
        rows.insert(0, {"field": "namespace", "a": first.namespace, "b": second.namespace})
    if as_json:
        output.say_json({"a": first.key.hex(), "b": second.key.hex(), "differences": rows})
    elif first.key == second.key and not rows:
        output.say("both are the same entry")
    else:
        for row in rows:
            output.say(entries.sentence(row))
    return 0 if rows else 1


@click.command()
@namespace_option
@json_option
@pass_state
def clear(state: State, namespace: str | None, as_json: bool) -> None:
    """Forget the entries of a namespace, or all."""
    with entries.opened(state) as shelf:
        count = shelf.store.clear(namespace)
    if as_json:
        output.say_json({"cleared": count})
    else:
        output.say(f"{count} {'entry' if count == 1 else 'entries'} forgotten")


@click.command()
@pass_state
def purge(state: State) -> None:
    """Forget everything and leave no trace of it on the disk, damaged files that were moved aside included."""
    with entries.opened(state) as shelf:
        shelf.store.purge()
    output.note("the cache is gone")


@click.command()
@namespace_option
@click.option("-o", "--output", "target", type=click.Path(dir_okay=False), help="File to write; else standard output.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@click.option("--raw", is_flag=True, help="Also the providers' answers as they came.")
@pass_state
def export(state: State, namespace: str | None, target: str | None, force: bool, raw: bool) -> None:
    """Write entries as JSON lines: key, times, request, answer. They hold prompts and answers in clear text."""
    file = create_text(target, force) if target is not None else None
    count = 0
    with entries.opened(state) as shelf:
        try:
            for line in _lines(shelf, namespace, raw):
                count += 1
                if file is None:
                    output.write(line)
                else:
                    file.write(line)
        finally:
            if file is not None:
                file.close()
    if file is not None:
        output.note(f"{count} {'entry' if count == 1 else 'entries'} written to {target}")


def _lines(shelf: entries.Shelf, namespace: str | None, raw: bool) -> Iterator[str]:
    for found in shelf.store.entries(namespace):
        row: dict[str, Any] | None = shelf.whole(found, raw=raw)
        if row is not None:
            yield output.to_json(row) + "\n"
