"""Tools on the command line: where they come from, who agrees to their calls, what is shown of their results."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from hb_cli import output
from heavenbase.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from heavenbase.types import Chunk, ToolCall

SHOWN = 200
"""Characters of a tool's result that are shown."""


def tool_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that can use tools: `tools`, `servers`, `allow_tools`."""
    for option in (
        click.option("--allow-tools", is_flag=True, help="Run tools without asking."),
        click.option(
            "--mcp", "servers", multiple=True, metavar="URL|COMMAND", help="The tools of an MCP server. Repeatable."
        ),
        click.option(
            "-t", "--tools", multiple=True, metavar="MODULE:NAME", help="A tool, or several, from Python. Repeatable."
        ),
    ):
        command = option(command)
    return command


def read_tools(sources: Iterable[str]) -> list[Any]:
    """What MODULE:NAME stands for; a module is also looked for in the working folder."""
    from importlib import import_module

    found = []
    for source in sources:
        module, mark, attribute = source.partition(":")
        if not mark:
            raise InputError(f"--tools {source!r} is no MODULE:NAME, such as --tools mytools:weather")
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        try:
            found.append(getattr(import_module(module), attribute))
        except (ImportError, AttributeError) as error:
            raise InputError(f"--tools {source!r}: {error}") from error
    return found


def agreement(ask: Callable[[str], str] | None, command: str) -> Callable[[ToolCall], Any]:
    """A `confirm` callback that asks a person by `ask`; without one it refuses, and says what would allow the call."""

    def confirm(call: ToolCall) -> Any:
        if ask is None:
            return f"nobody is there to agree; run {command} with --allow-tools"
        repaired = f" (repaired: {'; '.join(call.changes)})" if call.changes else ""
        # On one line, so that no argument can look like the question or its answer.
        asked = output.one_line(f"{call.name}({call.arguments}){repaired}")
        output.note(f"\nthe model asks to run {asked}")
        return ask("run it? [y/N] ").strip().lower() in ("y", "yes")

    return confirm


def show_results(chunk: Chunk) -> None:
    """A line on standard error for each result of a round."""
    for message in chunk.messages or ():
        if message["role"] == "tool":
            output.note(f"{message['name']}: {message['content'][:SHOWN]}", output.DIM)
