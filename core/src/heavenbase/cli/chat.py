"""`hb chat`: one question, one answer."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from heavenbase.cli import answers, inputs, output
from heavenbase.cli.state import State, pass_state
from heavenbase.cli.target import Target, json_option, make_ready, target_options, verbose_option, yes_option
from heavenbase.errors import StreamTruncated

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.kernel import Kernel
    from heavenbase.types import Completion


@click.command()
@click.argument("prompt", required=False)
@click.option("-s", "--system", help="System message.")
@target_options("chat")
@click.option(
    "-i", "--input", "files", multiple=True, metavar="FILE", help="Append a text file to the prompt. Repeatable."
)
@click.option("--image", "images", multiple=True, metavar="PATH|URL", help="Show the model an image. Repeatable.")
@click.option("--think/--no-think", default=None, help="Let the model reason, shown on standard error; or not.")
@click.option("--stream/--no-stream", default=None, help="Print the answer as it comes [default: on a terminal].")
@json_option
@yes_option
@verbose_option
@pass_state
def chat(
    state: State,
    prompt: str | None,
    system: str | None,
    target: Target,
    files: tuple[str, ...],
    images: tuple[str, ...],
    think: bool | None,
    stream: bool | None,
    as_json: bool,
    yes: bool,
    verbose: bool,
) -> None:
    """Ask a model and print its answer.

    The prompt is the argument, or what is piped in, or both with a blank line between. Control characters of the
    answer are printed as escapes; --json keeps them. With --json --stream each chunk is one line, and the last line is
    the whole answer.
    """
    from heavenbase.messages import to_messages

    text = inputs.prompt_text(prompt, files, required=not images)
    messages = to_messages(text, system=system, images=inputs.read_images(images) or None)
    kernel = state.kernel
    spec = target.spec(kernel, **({} if think is None else {"think": think}))
    make_ready(kernel, spec, yes)
    if stream is None:
        stream = output.is_terminal(sys.stdout) and not as_json
    call = kernel.call("complete", spec, {}, is_async=False, stream=stream, messages=messages)
    if stream:
        answer = _stream(kernel, call, think=bool(think), as_json=as_json)
    else:
        answer = _whole(kernel, call, think=bool(think), as_json=as_json)
    if not as_json:
        answers.note_ending(answer)
    if verbose:
        answers.note_call(answer, call)


def _whole(kernel: Kernel, call: Call, *, think: bool, as_json: bool) -> Completion:
    answer: Completion = kernel.run(call)
    if as_json:
        output.say_json(answers.completion_data(answer))
        return answer
    if think and answer.reasoning:
        output.note(answer.reasoning.rstrip("\n"), output.DIM)
    if answer.text:
        output.say(answer.text.removesuffix("\n"))
    return answer


def _stream(kernel: Kernel, call: Call, *, think: bool, as_json: bool) -> Completion:
    chunks = kernel.iterate(call)
    # Closed whatever happens, so that an interrupt or a closed pipe ends the connection too.
    with closing(chunks):
        if as_json:
            for chunk in chunks:
                output.write(output.to_json(answers.chunk_data(chunk)) + "\n")
        else:
            _print_chunks(chunks, think=think)
    answer = call.context.completion
    if answer is None:
        raise StreamTruncated("the stream ended without an answer", provider=call.spec.provider)
    if as_json:
        output.write(output.to_json({"kind": "completion", **answers.completion_data(answer)}) + "\n")
    return answer


def _print_chunks(chunks: Any, *, think: bool) -> None:
    text = output.TextStream(sys.stdout)
    reasoning = output.TextStream(sys.stderr, output.DIM)
    try:
        for chunk in chunks:
            if chunk.kind == "restart":
                text.finish()
                output.warn("the answer begins again; what came before is void")
            if think and chunk.reasoning:
                reasoning.write(chunk.reasoning)
            if chunk.text:
                reasoning.finish()
                text.write(chunk.text)
    finally:
        reasoning.finish()
        text.finish()
