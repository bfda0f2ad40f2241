"""`hb embed`: texts in, vectors out; lines of a file or a pipe are read as they are needed, however many there are."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from itertools import islice
from typing import IO, TYPE_CHECKING

import click

from hb_cli import answers, inputs, output
from hb_cli.saving import create_text
from hb_cli.state import State, pass_state
from hb_cli.target import Target, json_option, make_ready, target_options, verbose_option, yes_option
from heavenbase.errors import HBError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from heavenbase.kernel import Kernel
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Embedding

SHOWN = 6
"""Numbers of a vector that --preview prints."""
WINDOW = 2048
"""Texts that are in memory at once, with their vectors: as many as the requests that are made at a time."""


@click.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@target_options("embed")
@click.option("--file", "file", type=click.Path(dir_okay=False), help="Embed the lines of this file.")
@click.option("--output", "target_file", type=click.Path(dir_okay=False), help="Write the vectors to this file.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@click.option("--preview", is_flag=True, help="Print only the length and the first numbers of each vector.")
@json_option
@yes_option
@verbose_option
@pass_state
def embed(
    state: State,
    texts: tuple[str, ...],
    target: Target,
    file: str | None,
    target_file: str | None,
    force: bool,
    preview: bool,
    as_json: bool,
    yes: bool,
    verbose: bool,
) -> None:
    """Print the vectors of texts, one JSON list a line, in order.

    Without arguments every line that is piped in, or of --file, is one text. They may be any number: they are read,
    and their vectors written, some at a time; --json alone holds all of them.
    """
    if file is not None and texts:
        raise click.UsageError("texts are arguments or lines of --file, not both")
    if file is not None and target_file is not None and os.path.realpath(file) == os.path.realpath(target_file):
        raise InputError("the vectors would be written over the texts; name another file")
    wanted = iter(texts) if texts else _lines(file)
    first = list(wanted if as_json else islice(wanted, WINDOW))
    if not first:
        raise click.UsageError("there is no text; give some as arguments, or pipe lines in")
    kernel = state.kernel
    spec = target.spec(kernel)
    make_ready(kernel, spec, yes)
    with create_text(target_file, force) if target_file is not None else nullcontext() as out:
        if as_json:
            answer = _ask(kernel, spec, first, verbose)
            vectors = [list(vector) for vector in answer.vectors]
            shown = {"preview": [v[:SHOWN] for v in vectors]} if preview else {"embeddings": vectors}
            told = {**shown, "dim": answer.dim, **answers.call_data(answer)}
            if out is None:
                output.say_json(told)
            else:
                out.write(output.to_json(told) + "\n")
            return
        done, window = 0, first
        while window:
            try:
                answer = _ask(kernel, spec, window, verbose)
                for vector in answer.vectors:
                    line = _preview(vector) if preview else output.to_json(list(vector))
                    if out is None:
                        output.say(line)
                    else:
                        out.write(f"{line}\n")
                done += len(window)
                window = list(islice(wanted, WINDOW))
            except HBError:
                if done:
                    output.note(f"the vectors of the first {done} texts were written before this")
                raise


def _ask(kernel: Kernel, spec: LLMSpec, texts: list[str], verbose: bool) -> Embedding:
    call = kernel.call("embed", spec, {}, is_async=False, inputs=texts)
    answer: Embedding = kernel.run(call)
    if verbose:
        answers.note_call(answer, call)
    return answer


def _lines(path: str | None) -> Iterator[str]:
    if path is None:
        if sys.stdin is None or output.is_terminal(sys.stdin):
            return
        yield from _texts(sys.stdin.buffer, "standard input")
        return
    try:
        file = open(path, "rb")  # noqa: SIM115  # closed below; what cannot be opened is told otherwise
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    with file:
        yield from _texts(file, path)


def _texts(file: IO[bytes], where: str) -> Iterator[str]:
    blank = 0
    for number, data in enumerate(file, 1):
        text = inputs.decoded(data, where, number).rstrip("\n")
        if not text.strip():
            blank = blank or number
            continue
        if blank:  # blank lines at the end are none
            raise InputError(f"{where}: line {blank} is blank, and a blank text has no vector")
        yield text


def _preview(vector: Sequence[float]) -> str:
    numbers = " ".join(f"{number:.6g}" for number in vector[:SHOWN])
    return f"{len(vector)}: {numbers}{' …' if len(vector) > SHOWN else ''}"
