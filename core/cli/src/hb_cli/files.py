"""`hb files`: the files that a provider keeps for an account."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from hb_cli import output
from hb_cli.operations import date, llm_at
from hb_cli.state import State, pass_state
from hb_cli.target import json_option
from heavenbase.errors import InputError

if TYPE_CHECKING:
    from heavenbase.operations import FileInfo

provider_option = click.option("-b", "--provider", required=True, help="The provider that keeps them.")


@click.group()
def files() -> None:
    """Upload, list, show and delete the files that a provider keeps."""


@files.command("list")
@provider_option
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Most files that are read.")
@json_option
@pass_state
def list_files(state: State, provider: str, limit: int, as_json: bool) -> None:
    """List the files."""
    found = llm_at(state, provider).files.list(limit)
    if as_json:
        output.say_json({"files": [_data(file) for file in found], "has_more": found.has_more})
        return
    output.say_table(map(_cells, found), ("id", "name", "bytes", "created", "purpose"))
    if found.has_more:
        output.note(f"there are more than these {len(found)}; --limit says how many are read")


@files.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False), metavar="PATH...")
@provider_option
@click.option("--purpose", help="What they are for, in a word of the provider's.")
@json_option
@pass_state
def upload(state: State, paths: tuple[str, ...], provider: str, purpose: str | None, as_json: bool) -> None:
    """Upload files; prints the id of each."""
    kept = llm_at(state, provider).files
    for path in paths:
        found = kept.upload(path, purpose=purpose)
        if as_json:
            output.say_json(_data(found))
        else:
            output.say(found.id)


@files.command()
@click.argument("file")
@provider_option
@json_option
@pass_state
def show(state: State, file: str, provider: str, as_json: bool) -> None:
    """Show what the provider says of a file."""
    found = llm_at(state, provider).files.get(file)
    if as_json:
        output.say_json(_data(found))
    else:
        output.say_table([[name, str(value)] for name, value in _data(found).items()])


@files.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@provider_option
@pass_state
def delete(state: State, files: tuple[str, ...], provider: str) -> None:
    """Delete files by their ids."""
    kept = llm_at(state, provider).files
    for file in files:
        kept.delete(file)


@files.command()
@click.argument("file")
@provider_option
@click.option("-o", "--output", "path", type=click.Path(dir_okay=False), help="Where to; standard output without it.")
@pass_state
def content(state: State, file: str, provider: str, path: str | None) -> None:
    """Get the bytes of a file, where the provider gives them back."""
    data = llm_at(state, provider).files.content(file)
    if path is None:
        sys.stdout.buffer.write(data)
        return
    try:
        with open(path, "xb") as opened:
            opened.write(data)
    except FileExistsError as error:
        raise InputError(f"{path} exists; use another name") from error
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error


FIELDS = ("id", "filename", "size", "media_type", "purpose", "created", "expires", "status", "uri")


def _data(file: FileInfo) -> dict[str, Any]:
    return {name: value for name in FIELDS if (value := getattr(file, name)) is not None}


def _cells(file: FileInfo) -> list[str]:
    size = str(file.size) if file.size is not None else ""
    return [file.id, file.filename or "", size, date(file.created), file.purpose or ""]
