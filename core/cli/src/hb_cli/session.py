"""`hb session`: a conversation in the terminal."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import click

from hb_cli import inputs, output
from hb_cli.state import State, pass_state
from hb_cli.target import Target, make_ready, target_options, yes_option
from hb_cli.tools import read_tools, tool_options
from heavenbase.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from heavenbase.llm import LLM
    from heavenbase.session.session import LLMSession

LOGS = 100
"""Logs that are kept; the oldest make room."""


@click.command()
@click.argument("prompt", required=False)
@click.option("-s", "--system", help="System message.")
@target_options("chat")
@click.option("--image", "images", multiple=True, metavar="PATH|URL", help="Show the model an image first. Repeatable.")
@click.option("--think/--no-think", default=None, help="Let the model reason, shown on standard error; or not.")
@tool_options
@click.option("-l", "--load", "saved", metavar="FILE", help="Go on with a saved session, or with the log of one.")
@click.option("-c", "--continue", "again", is_flag=True, help="Go on with the last session.")
@click.option("--log/--no-log", default=True, help="Keep a log to resume from, and a history of what is typed.")
@yes_option
@pass_state
def session(
    state: State,
    prompt: str | None,
    system: str | None,
    target: Target,
    images: tuple[str, ...],
    think: bool | None,
    tools: tuple[str, ...],
    servers: tuple[str, ...],
    allow_tools: bool,
    saved: str | None,
    again: bool,
    log: bool,
    yes: bool,
) -> None:
    """Talk with a model, turn by turn; /help lists the commands.

    Answers are printed as they come; Ctrl-C stops one. Each line that is piped in is a turn. With prompt-toolkit
    (pip install "hb-cli[session]") lines are edited, completed and found again.
    """
    from pathlib import Path

    from hb_cli.commands import names, run_command
    from hb_cli.lines import open_lines
    from hb_cli.repl import Repl
    from heavenbase.config.files import user_folder

    kernel = state.kernel
    # A kernel that was given may have no home; the person at the terminal has one.
    folder = kernel.config.paths().data_dir or Path(user_folder("data", os.environ))
    options = {**target.options, **({} if think is None else {"think": think})}

    def connect(name: str) -> LLM:
        from heavenbase.llm import LLM

        is_preset = kernel.resolver.catalog.preset(name) is not None
        other = LLM(name if is_preset else None, None if is_preset else name, kernel=kernel, **options)
        make_ready(kernel, other.spec, yes)
        return other

    source = _log_file(folder, saved, again)
    made = _new_log(folder / "sessions") if log and source is None else None
    talk = _open(state, target, options, read_tools(tools), source, made)
    make_ready(kernel, talk.llm.spec, yes)
    if system is not None:
        talk.system = system
    lines = open_lines(folder / "session_history" if log else None, names())
    repl = Repl(talk, lines, state, connect=connect, think=bool(think), allow_tools=allow_tools)
    repl.images = inputs.read_images(images)
    if lines.is_interactive:
        spec = talk.llm.spec
        output.note(f"{spec.model_id} by {spec.provider}; /help lists the commands", output.DIM)
    try:
        for server in servers:
            run_command(repl, f"mcp {server}")
        repl.run(prompt)
    finally:
        lines.close()
        talk.close()
        if made is not None and not talk.messages:
            made.unlink(missing_ok=True)


def _open(
    state: State, target: Target, options: dict[str, Any], tools: list[Any], source: str | None, log: Path | None
) -> LLMSession:
    from heavenbase.llm import LLM
    from heavenbase.session.session import LLMSession

    llm = LLM(*target.names(state.kernel), kernel=state.kernel, **options)
    if source is not None:
        loaded = LLMSession.load(source, llm, tools)
        output.note(f"{len(loaded.messages)} messages from {source}", output.DIM)
        return loaded
    return LLMSession(llm, tools=tools, log=log)


def _new_log(folder: Path) -> Path:
    """The file of a new log; old logs make room for it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for old in sorted(folder.glob("*.jsonl"))[: -LOGS + 1]:
        old.unlink(missing_ok=True)
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    path = folder / f"{name}.jsonl"
    number = 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.jsonl"
    return path


def _log_file(folder: Path, saved: str | None, again: bool) -> str | None:
    if not again:
        return saved
    if saved is not None:
        raise click.UsageError("--load and --continue name two sessions; give one")
    logs = list((folder / "sessions").glob("*.jsonl"))
    if not logs:
        raise InputError("there is no session to continue")
    return str(max(logs, key=lambda log: (log.stat().st_mtime_ns, log.name)))
