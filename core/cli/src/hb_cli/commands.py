"""The commands of `hb session`: what can be typed behind a slash."""

from __future__ import annotations

import os
import time
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from hb_cli import inputs, output
from heavenbase.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hb_cli.repl import Repl


class Command(NamedTuple):
    """A command: its names, what it takes, what it does."""

    names: tuple[str, ...]
    takes: str
    help: str
    run: Callable[[Repl, str], None]


def names() -> list[str]:
    """What can be typed, with the slash."""
    return [f"/{name}" for command in COMMANDS for name in command.names]


def run_command(repl: Repl, text: str) -> None:
    """Carry out `name argument`; InputError for a name that does not exist."""
    name, _, argument = text.strip().partition(" ")
    known = {name: command for command in COMMANDS for name in command.names}
    command = known.get(name.lower())
    if command is None:
        close = get_close_matches(name.lower(), known, n=1)
        hint = f"did you mean /{close[0]}?" if close else "/help lists them"
        raise InputError(f"no command /{name}; {hint} (a message that begins with a slash is typed with two)")
    command.run(repl, argument.strip())


def _exit(repl: Repl, argument: str) -> None:
    repl.is_over = True


def _help(repl: Repl, argument: str) -> None:
    rows = [(" ".join(f"/{n}" for n in command.names), command.takes, command.help) for command in COMMANDS]
    output.say_table(rows)
    output.say("A line that ends with \\ goes on in the next one. Ctrl-C stops an answer, Ctrl-D ends the session.")


def _tools(repl: Repl, argument: str) -> None:
    if not repl.session.tools:
        output.say("no tools; start with --tools MODULE:NAME, or add those of a server with /mcp SOURCE")
        return
    output.say_table([(tool.name, tool.description.partition("\n")[0]) for tool in repl.session.tools])


def _mcp(repl: Repl, argument: str) -> None:
    if not argument:
        raise InputError("name the server: /mcp URL, or /mcp COMMAND with its arguments")
    found = repl.session.add_mcp(argument)
    output.note(f"{len(found)} tool{'' if len(found) == 1 else 's'}: {', '.join(found)}", output.DIM)


def _save(repl: Repl, argument: str) -> None:
    path = argument or f"session-{time.strftime('%Y%m%d-%H%M%S')}.json"
    if os.path.lexists(os.path.expanduser(path)):
        raise InputError(f"{path} exists; use another name")
    repl.session.save(path)
    output.note(f"saved to {path}", output.DIM)


def _load(repl: Repl, argument: str) -> None:
    if not argument:
        raise InputError("name the file: /load FILE")
    from heavenbase.session.session import LLMSession

    loaded = LLMSession.load(argument, repl.session.llm, repl.session.tools)
    repl.session.messages = loaded.messages
    output.note(f"{len(loaded.messages)} messages, answered by {_model(repl)}", output.DIM)


def _clear(repl: Repl, argument: str) -> None:
    repl.session.clear()
    repl.images = []
    output.note("cleared", output.DIM)


def _regen(repl: Repl, argument: str) -> None:
    if argument and not argument.lstrip("-").isdigit():
        raise InputError(f"a seed is a whole number, not {argument!r}")
    repl.again(int(argument) if argument else None)


def _back(repl: Repl, argument: str) -> None:
    if argument and not argument.isdigit():
        raise InputError(f"a number of turns, not {argument!r}")
    forgotten = repl.session.back(int(argument or 1))
    output.note(f"{len(forgotten)} messages forgotten" if forgotten else "nothing was asked yet", output.DIM)


def _image(repl: Repl, argument: str) -> None:
    if not argument:
        raise InputError("name the image: /image PATH or URL")
    repl.images += inputs.read_images([argument])
    count = len(repl.images)
    output.note(f"{count} image{'s' if count > 1 else ''} will go with the next message", output.DIM)


def _system(repl: Repl, argument: str) -> None:
    if argument:
        repl.session.system = argument
    output.say(repl.session.system or "no system message")


def _switch(repl: Repl, argument: str) -> None:
    if argument:
        repl.session.llm = repl.connect(argument)
    output.say(_model(repl))


def _cost(repl: Repl, argument: str) -> None:
    from hb_cli.answers import cost_line, usage_line

    session = repl.session
    if session.usage is None and session.cost is None:
        output.say("nothing was counted yet")
        return
    output.say(usage_line(session.usage))
    output.say(cost_line(session.cost) if session.cost is not None else "cost: unknown")


def _model(repl: Repl) -> str:
    spec = repl.session.llm.spec
    return f"{spec.model_id} by {spec.provider} over {spec.gateway}"


COMMANDS = (
    Command(("help", "h", "?", "commands"), "", "List the commands.", _help),
    Command(("exit", "quit", "bye", "e", "q"), "", "End the session.", _exit),
    Command(("clear", "c"), "", "Forget all but the system message.", _clear),
    Command(("back", "b"), "[TURNS]", "Forget the last turn, or several.", _back),
    Command(("regen", "r"), "[SEED]", "Ask the last question again.", _regen),
    Command(("image",), "PATH|URL", "Show the model an image with the next message.", _image),
    Command(("system",), "[TEXT]", "Show the system message, or set it.", _system),
    Command(("model",), "[NAME]", "Show the model, or use another one or a preset.", _switch),
    Command(("cost",), "", "Tell the tokens of this session, and what they cost.", _cost),
    Command(("tools",), "", "List the tools.", _tools),
    Command(("mcp",), "URL|COMMAND", "Use the tools of an MCP server.", _mcp),
    Command(("save", "s"), "[FILE]", "Save the session.", _save),
    Command(("load", "l"), "FILE", "Go on with a saved session, or a log.", _load),
)
