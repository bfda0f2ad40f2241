"""`hb embed`: texts in, vectors out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hb_cli import answers, inputs, output
from hb_cli.state import State, pass_state
from hb_cli.target import Target, json_option, make_ready, target_options, verbose_option, yes_option
from heavenbase.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heavenbase.types import Embedding

SHOWN = 6
"""Numbers of a vector that --preview prints."""


@click.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@target_options("embed")
@click.option("--preview", is_flag=True, help="Print only the length and the first numbers of each vector.")
@json_option
@yes_option
@verbose_option
@pass_state
def embed(
    state: State, texts: tuple[str, ...], target: Target, preview: bool, as_json: bool, yes: bool, verbose: bool
) -> None:
    """Print the vectors of texts, one JSON list a line, in order.

    Without arguments every line that is piped in is one text.
    """
    wanted = list(texts) or _lines(inputs.piped_text())
    if not wanted:
        raise click.UsageError("there is no text; give some as arguments, or pipe lines in")
    kernel = state.kernel
    spec = target.spec(kernel)
    make_ready(kernel, spec, yes)
    call = kernel.call("embed", spec, {}, is_async=False, inputs=wanted)
    answer: Embedding = kernel.run(call)
    if as_json:
        vectors = [list(vector) for vector in answer.vectors]
        shown = {"preview": [v[:SHOWN] for v in vectors]} if preview else {"embeddings": vectors}
        output.say_json({**shown, "dim": answer.dim, **answers.call_data(answer)})
    else:
        for vector in answer.vectors:
            output.say(_preview(vector) if preview else output.to_json(list(vector)))
    if verbose:
        answers.note_call(answer, call)


def _lines(text: str) -> list[str]:
    lines = text.rstrip("\n").split("\n") if text.strip() else []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            raise InputError(f"standard input: line {number} is blank, and a blank text has no vector")
    return lines


def _preview(vector: Sequence[float]) -> str:
    numbers = " ".join(f"{number:.6g}" for number in vector[:SHOWN])
    return f"{len(vector)}: {numbers}{' …' if len(vector) > SHOWN else ''}"
