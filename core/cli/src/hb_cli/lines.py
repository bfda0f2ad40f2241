"""Reading lines from a person, with history and editing, or from a pipe."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from hb_cli.output import is_terminal
from heavenbase.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PROMPT = "> "
MORE = "… "
KEPT = 1_000
"""Lines of history that are kept where prompt-toolkit is not installed."""


class Lines:
    """Where lines come from; `is_interactive` says whether a person types them."""

    is_interactive = False

    def line(self, prompt: str) -> str:
        """The next line without its end; EOFError after the last one."""
        raise NotImplementedError

    def read(self) -> str:
        """The next entry: a line, and those that follow while a line ends with a backslash."""
        lines = [self.line(PROMPT)]
        while lines[-1].endswith("\\"):
            lines[-1] = lines[-1][:-1]
            try:
                lines.append(self.line(MORE))
            except EOFError:
                break
        return "\n".join(lines)

    def close(self) -> None:
        """Keep the history."""


class PipedLines(Lines):
    """Lines of standard input."""

    def __init__(self) -> None:
        self._number = 0

    def line(self, prompt: str) -> str:
        """The next line."""
        data = sys.stdin.buffer.readline() if sys.stdin is not None else b""
        if not data:
            raise EOFError
        self._number += 1
        try:
            return data.decode("utf-8-sig" if self._number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise InputError(f"standard input: line {self._number} is not UTF-8 text") from error


class PlainLines(Lines):
    """Lines of a terminal, edited by the readline of the standard library where there is one."""

    is_interactive = True

    def __init__(self, history: Path | None) -> None:
        self._history = history
        self._readline = _readline()
        if history is not None and self._readline is not None and history.exists():
            self._readline.read_history_file(history)
            self._readline.set_history_length(KEPT)

    def line(self, prompt: str) -> str:
        """The next line."""
        return input(prompt)

    def close(self) -> None:
        """Keep the history."""
        if self._history is not None and self._readline is not None:
            make_private(self._history)
            self._readline.write_history_file(self._history)


class EditedLines(Lines):
    """Lines of a terminal by prompt-toolkit: history with search, completion of commands, Alt-Enter for a new line."""

    is_interactive = True

    def __init__(self, history: Path | None, commands: Iterable[str]) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import WordCompleter
        from prompt_toolkit.history import FileHistory, InMemoryHistory
        from prompt_toolkit.key_binding import KeyBindings

        keys = KeyBindings()

        @keys.add("escape", "enter")
        def _(event: Any) -> None:
            event.current_buffer.insert_text("\n")

        if history is not None:
            make_private(history)
        self._session: Any = PromptSession(
            history=FileHistory(str(history)) if history is not None else InMemoryHistory(),
            completer=WordCompleter(list(commands), sentence=True),
            complete_while_typing=False,
            key_bindings=keys,
        )

    def line(self, prompt: str) -> str:
        """The next line, or several of one entry."""
        return str(self._session.prompt(prompt))


def open_lines(history: Path | None, commands: Iterable[str]) -> Lines:
    """Where this run reads from."""
    if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
        return PipedLines()
    try:
        return EditedLines(history, commands)
    except ImportError:
        return PlainLines(history)


def make_private(path: Path) -> None:
    """Make the file if there is none, for its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


def _readline() -> Any:
    try:
        import readline
    except ImportError:  # Windows
        return None
    return readline
