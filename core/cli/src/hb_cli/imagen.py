"""`hb imagen`: images from a prompt, saved as files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from hb_cli import answers, inputs, output
from hb_cli.saving import Place
from hb_cli.state import State, pass_state
from hb_cli.target import Target, json_option, make_ready, target_options, verbose_option, yes_option
from hb_cli.waiting import waiting

if TYPE_CHECKING:
    from heavenbase.types import ImageResult


@click.command()
@click.argument("prompt", required=False)
@click.option(
    *("-o", "--output", "out"),
    metavar="FILE",
    help="File or folder; - is standard output [default: named by the prompt].",
)
@click.option("--force", is_flag=True, help="Overwrite the file.")
@target_options("imagen", short_option=False)
@click.option("--image", "images", multiple=True, metavar="PATH|URL", help="A reference image. Repeatable.")
@json_option
@yes_option
@verbose_option
@pass_state
def imagen(
    state: State,
    prompt: str | None,
    out: str | None,
    force: bool,
    target: Target,
    images: tuple[str, ...],
    as_json: bool,
    yes: bool,
    verbose: bool,
) -> int:
    """Generate images, save them, and print the path of each.

    Several images are numbered: mug-1.png, mug-2.png. Nothing is overwritten without --force.
    """
    text = inputs.prompt_text(prompt)
    references = inputs.read_images(images)
    to_pipe = out == "-"
    if to_pipe and (as_json or output.is_terminal(sys.stdout)):
        raise click.UsageError("-o - writes the bytes of the image, so standard output must be a pipe without --json")
    place = Place(None if to_pipe else out, text, force)
    place.check()
    kernel = state.kernel
    spec = target.spec(kernel)
    make_ready(kernel, spec, yes)
    call = kernel.call("imagen", spec, {}, is_async=False, prompt=text, images=references)
    with waiting(f"waiting for {call.target}"):
        answer: ImageResult = kernel.run(call)
    found = list(answer.images)
    is_empty = not found
    if to_pipe and found:
        sys.stdout.buffer.write(found.pop(0).to_bytes())
    paths = place.save(found)
    if as_json:
        rows = [
            {"path": path, "format": image.format, "width": image.width, "height": image.height,
             "revised_prompt": image.revised_prompt}
            for path, image in zip(paths, found, strict=True)
        ]  # fmt: skip
        output.say_json({"images": rows, **answers.call_data(answer), "cached": answer.cached})
    for path in () if as_json else paths:
        (output.note if to_pipe else output.say)(path)
    if verbose:
        answers.note_call(answer, call)
    if is_empty:
        output.label("error", output.RED, f"{call.target} answered without an image; say that it is to draw one")
    return int(is_empty)
