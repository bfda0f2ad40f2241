"""Printing: the answer to standard output, all else to standard error, and no control character of anybody's to either.

What a model or a server wrote may hold terminal escapes; they are shown as `\\x1b`, and `--json` keeps every character.
"""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TextIO, TypeAlias

    Scrub: TypeAlias = Callable[[str], str]

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_REORDERS = re.compile("[\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What lets a line look other than it is: text of right-to-left scripts may need it, a name or a question does not."""
_NOT_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""What json.dumps leaves as it is and a terminal, a line reader or an encoder would not."""
DIM, BOLD, RED, YELLOW, GREEN = "2", "1", "31", "33", "32"


def escape(text: str) -> str:
    """The text with control characters (but newline and tab) and lone surrogates spelled out; CRLF becomes LF."""
    return _CONTROL.sub(_spelled, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The text escaped, on one line, in the order in which it is written."""
    return _REORDERS.sub(_spelled, escape(text).replace("\n", " ").replace("\t", " "))


def _spelled(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person reads (or types into) this stream."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def styled(text: str, style: str, stream: TextIO | None) -> str:
    """The text in an ANSI style, where the stream is a terminal that shows it and NO_COLOR is not set."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not is_terminal(stream)
    return text if plain or not text else f"\x1b[{style}m{text}\x1b[0m"


def check_open() -> None:
    """OSError where the program was started without a standard output: before a call whose answer would be lost."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, "standard output is closed, so the answer has nowhere to go")


def write(text: str) -> None:
    """Put text, escaped, on standard output at once."""
    _answer(escape(text))


def say(text: str = "") -> None:
    """A line, or several, of the answer."""
    _answer(escape(text) + "\n")


def say_marked(mark: str, text: str) -> None:
    """A line behind a mark that is styled already."""
    _answer(f"{mark} {escape(text)}\n")


def _answer(text: str) -> None:
    check_open()
    put(sys.stdout, text)


def note(text: str, style: str = "") -> None:
    """A line on standard error: what is not the answer."""
    put(sys.stderr, styled(escape(text), style, sys.stderr) + "\n")


def label(word: str, style: str, text: str) -> None:
    """A line on standard error behind a coloured word, as in `error: …`."""
    put(sys.stderr, f"{styled(f'{word}:', style, sys.stderr)} {escape(text)}\n")


def warn(text: str) -> None:
    """A warning on standard error."""
    label("warning", YELLOW, text)


_writes = 0
_has_utf8 = True
"""Whether standard output takes every character; JSON is ASCII where it does not, which is right in any encoding."""


def prepare_streams() -> None:
    """Print what an encoding lacks as escapes instead of failing; what goes to a file or a program is UTF-8."""
    global _has_utf8
    _has_utf8 = str(getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            is_piped = stream is sys.stdout and not is_terminal(stream)
            reconfigure(errors="backslashreplace", encoding="utf-8" if is_piped else None)


def writes() -> int:
    """How often anything was written: whoever draws over what it wrote looks whether something came between."""
    return _writes


def put(stream: TextIO | None, text: str) -> None:
    """Put text on a stream as it is, at once: only for what `escape` or this package made."""
    global _writes
    if stream is None:  # the program was started without it
        return
    _writes += 1
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        if stream is not sys.stderr:
            raise
        silence(stream)  # what is said beside an answer must not cost the answer, nor the exit code


def silence(stream: TextIO | None) -> None:
    """Let nothing more go to where nothing can: the interpreter would try again as it ends, and exit with 120."""
    with suppress(OSError, ValueError, AttributeError):  # no real file, or none at all
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # type: ignore[union-attr]


def to_json(value: Any, *, indent: int | None = None) -> str:
    """The value as JSON without a character that a terminal or an encoder could stumble over; nothing is lost."""
    text = json.dumps(value, ensure_ascii=not _has_utf8, indent=indent, default=plain)
    return _NOT_IN_JSON.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def say_json(value: Any) -> None:
    """The answer as one JSON object: indented for people, one line for programs."""
    _answer(to_json(value, indent=2 if is_terminal(sys.stdout) else None) + "\n")


def plain(value: Any) -> Any:
    """What JSON has no word for, as plain data."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if hasattr(value, "keys"):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return str(value)


def brief(value: Any) -> str:
    """A setting's value on one line: text as it is, all else as JSON."""
    return one_line(value) if isinstance(value, str) else to_json(value)


def say_table(rows: Iterable[Sequence[str]], header: Sequence[str] = ()) -> None:
    """Rows in aligned columns; cells are escaped and stay on one line, trailing empty ones leave no blanks."""
    cells = [[one_line(cell) for cell in row] for row in (*([header] if header else []), *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if is_terminal(sys.stdout) and sum(widths) + 2 * len(widths) - 2 > _columns():
        _fit_table(cells, has_header=bool(header))
        return
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
    if header:
        lines[0] = styled(lines[0], BOLD, sys.stdout)
    _answer("".join(f"{line}\n" for line in lines))


def _columns() -> int:
    # Imported here, as it brings every compression format with it.
    from shutil import get_terminal_size

    return get_terminal_size().columns


def _fit_table(cells: list[list[str]], *, has_header: bool) -> None:
    """The table with columns narrow enough for the terminal, and cells on as many lines as they need."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=has_header, header_style="bold")
    for name in cells[0]:
        table.add_column(Text(name if has_header else ""), overflow="fold")
    for row in cells[has_header:]:
        table.add_row(*map(Text, row))
    Console(file=sys.stdout, width=_columns(), highlight=False).print(table)


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """Bars of bytes on standard error, one for each name: call with name, bytes done, and all bytes or 0.

    Where standard error is no terminal, each new name is a line, and nothing else is said.
    """
    named: dict[str, Any] = {}
    if not is_terminal(sys.stderr):

        def tell(name: str, done: int, total: int) -> None:
            if name not in named:
                named.clear()
                named[name] = True
                note(name)

        yield tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:

        def show(name: str, done: int, total: int) -> None:
            if name not in named:
                named[name] = bars.add_task(one_line(name), total=total or None)
            bars.update(named[name], completed=done, total=total or None)

        yield show


class TextStream:
    """Text that arrives in pieces, put on a stream as it comes; `finish` ends the last line."""

    def __init__(self, stream: TextIO | None, style: str = "") -> None:
        self._stream = stream
        self._style = style
        self._held = ""
        self._open = False

    def write(self, piece: str) -> None:
        """Put a piece; a carriage return at its end waits for what follows, as CRLF may be cut in two."""
        text = self._held + piece
        self._held = "\r" if text.endswith("\r") else ""
        self._show(text[: len(text) - len(self._held)])

    def settle(self) -> None:
        """Something else is about to be written; for streams that draw over what they have written."""

    def finish(self) -> None:
        """Put what waits, and a newline unless the text ended with one."""
        held, self._held = self._held, ""
        self._show(held)
        if self._open:
            put(self._stream, "\n")
            self._open = False

    def _show(self, text: str) -> None:
        if text:
            self._open = not text.endswith("\n")
            put(self._stream, styled(escape(text), self._style, self._stream) if self._style else escape(text))
