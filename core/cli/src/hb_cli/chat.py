"""`hb chat`: one question, one answer."""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any

import click

from hb_cli import answers, inputs, output
from hb_cli.markdown import answer_stream, say_answer
from hb_cli.state import State, pass_state
from hb_cli.target import Target, json_option, make_ready, target_options, verbose_option, yes_option
from hb_cli.tools import agreement, read_tools, tool_options
from hb_cli.waiting import begun
from heavenbase.errors import StreamTruncated

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.kernel import Kernel
    from heavenbase.types import Completion


@click.command()
@click.argument("prompt", required=False)
@click.option("-s", "--system", help="System message.")
@target_options("chat")
@click.option("--prompt", "template", metavar="NAME|FILE", help="Template of the prompt, which the text fills.")
@click.option("-V", "--value", "values", multiple=True, metavar="NAME=VALUE", help="Value for it. Repeatable.")
@click.option(
    "-i", "--input", "files", multiple=True, metavar="FILE", help="Append a text file to the prompt. Repeatable."
)
@click.option("--image", "images", multiple=True, metavar="PATH|URL", help="Show the model an image. Repeatable.")
@click.option("--think/--no-think", default=None, help="Let the model reason, shown on standard error; or not.")
@tool_options
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
    template: str | None,
    values: tuple[str, ...],
    files: tuple[str, ...],
    images: tuple[str, ...],
    think: bool | None,
    tools: tuple[str, ...],
    servers: tuple[str, ...],
    allow_tools: bool,
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
    from heavenbase.prompts import prompted

    made = _prompt(state, template, values)
    text = inputs.prompt_text(prompt, files, required=not (images or made))
    kernel = state.kernel
    spec = target.spec(kernel, **({} if think is None else {"think": think}))
    source = text or (None if made else "")
    messages = prompted(kernel.config, spec, source, made, system, inputs.read_images(images) or None)
    make_ready(kernel, spec, yes)
    if stream is None:
        stream = output.is_terminal(sys.stdout) and not as_json
    with ExitStack() as connections:
        options = _tools(tools, servers, allow_tools, connections) if tools or servers else {}
        call = kernel.call("complete", spec, options, is_async=False, stream=stream, messages=messages)
        answer = (_stream if stream else _whole)(kernel, call, think=bool(think), as_json=as_json)
    if not as_json:
        answers.note_ending(answer)
    if verbose:
        answers.note_call(answer, call)


def _prompt(state: State, name: str | None, values: tuple[str, ...]) -> dict[str, Any]:
    """The options of a call with this template."""
    if name is None:
        if values:
            raise click.UsageError("--value is for a template; name it with --prompt")
        return {}
    from hb_cli.prompts import read_template, read_values

    found = read_template(state, name)
    return {"prompt_template": found, "prompt_values": read_values(found, values)}


def _tools(sources: tuple[str, ...], servers: tuple[str, ...], allow: bool, connections: ExitStack) -> dict[str, Any]:
    """The options of a call with these tools; a person at the terminal agrees to each run, unless all are allowed."""
    found = read_tools(sources)
    if servers:
        from heavenbase.tools.mcp import MCPTools

        found += [connections.enter_context(MCPTools(server)) for server in servers]
    if allow:
        return {"tools": found}
    is_asked = output.is_terminal(sys.stdin) and output.is_terminal(sys.stderr)
    return {"tools": found, "confirm": agreement(_ask if is_asked else None, "hb chat")}


def _ask(question: str) -> str:
    return str(click.prompt(question.rstrip(), default="", show_default=False, prompt_suffix=" ", err=True))


def _whole(kernel: Kernel, call: Call, *, think: bool, as_json: bool) -> Completion:
    answer: Completion = kernel.run(call)
    if as_json:
        output.say_json(answers.completion_data(answer))
        return answer
    if think and answer.reasoning:
        output.note(answer.reasoning.rstrip("\n"), output.DIM)
    if answer.text:
        say_answer(answer.text)
    return answer


def _stream(kernel: Kernel, call: Call, *, think: bool, as_json: bool) -> Completion:
    chunks = kernel.iterate(call)
    # Closed whatever happens, so that an interrupt or a closed pipe ends the connection too.
    with closing(chunks):
        answer = _print_json(chunks) if as_json else _print_chunks(chunks, think=think)
    if answer is None:
        raise StreamTruncated("the stream ended without an answer", provider=call.spec.provider)
    if as_json:
        output.write(output.to_json({"kind": "completion", **answers.completion_data(answer)}) + "\n")
    return answer


def _print_json(chunks: Any) -> Completion | None:
    answer: Completion | None = None
    for chunk in chunks:
        if chunk.kind == "end":
            answer = chunk.completion
        else:
            output.write(output.to_json(answers.chunk_data(chunk)) + "\n")
    return answer


def _print_chunks(chunks: Any, *, think: bool) -> Completion | None:
    answer: Completion | None = None
    text = answer_stream()
    reasoning = output.TextStream(sys.stderr, output.DIM)
    try:
        for chunk in begun(chunks, "waiting for the answer"):
            if chunk.kind == "end":
                answer = chunk.completion
            answers.show_chunk(chunk, text, reasoning, think=think)
    finally:
        reasoning.finish()
        text.finish()
    return answer
