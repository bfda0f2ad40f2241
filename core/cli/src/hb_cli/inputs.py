"""What a command reads: the prompt from its argument, from standard input, from files; images by path or URL."""

from __future__ import annotations

import select
import sys
from typing import TYPE_CHECKING

import click

from hb_cli.output import is_terminal, note
from heavenbase.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heavenbase.image.image import LLMImage


GRACE = 0.5
"""Seconds that a prompt which was given waits for text to be piped in too."""


def prompt_text(argument: str | None, files: Iterable[str] = (), *, required: bool = True) -> str:
    """Argument, piped text and the text of files, joined by blank lines; a usage error when there is none of it.

    With an argument or files, standard input counts where something comes or it ends within `GRACE`: a pipe that is
    merely inherited must not hold up a prompt that was given. `-` among the files waits for it.
    """
    paths = list(files)
    parts = [_checked(argument, "the prompt") if argument is not None else ""]
    is_given = argument is not None or bool(paths)
    if "-" not in paths and not (is_given and _is_quiet()):
        parts.append(piped_text())
    parts += [_file_text(path) for path in paths]
    text = "\n\n".join(part.strip("\n") for part in parts if part.strip())
    if required and not text.strip():
        asked = click.get_current_context().command_path
        raise click.UsageError(f'there is no prompt; give one, as in {asked} "Say hello.", or pipe it in')
    return text


def piped_text() -> str:
    """What is piped into the program; nothing when a person types."""
    if sys.stdin is None or is_terminal(sys.stdin):
        return ""
    return decoded(sys.stdin.buffer.read(), "standard input")


def _is_quiet() -> bool:
    """Whether nothing begins to come from standard input within the grace, which is told."""
    if sys.stdin is None or is_terminal(sys.stdin):
        return False
    try:
        is_quiet = not select.select([sys.stdin.fileno()], [], [], GRACE)[0]
    except (OSError, ValueError):  # no file of the system's, or one that cannot be watched there
        return False
    if is_quiet:
        note("standard input is open and says nothing, so the prompt goes without it; -i - waits for it")
    return is_quiet


def _file_text(path: str) -> str:
    if path == "-":
        return piped_text()
    try:
        with open(path, "rb") as file:
            return decoded(file.read(), path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def decoded(data: bytes, where: str, line: int = 1) -> str:
    """Text of a file, which begins at this line of it; InputError with the line for what is none."""
    try:
        return data.decode("utf-8-sig" if line == 1 else "utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line += data[: error.start].count(b"\n")
        raise InputError(f"{where}: line {line} is not UTF-8 text; give images with --image") from error


def _checked(text: str, what: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{what} is not valid UTF-8 at character {error.start + 1}") from error
    return text


def read_images(sources: Iterable[str]) -> list[LLMImage]:
    """Images named by http(s) URLs, data URLs or paths; a URL is fetched only if the provider cannot do it."""
    found = []
    for source in sources:
        from heavenbase.image.image import LLMImage

        is_url = source.lower().startswith(("http://", "https://", "data:"))
        found.append(LLMImage.from_url(source) if is_url else LLMImage.from_path(source))
    return found
