"""Answers as a person at a terminal reads them: text as it comes, and a block of Markdown drawn once it is whole.

A block that rich would show with something left out (HTML, images, escapes) stays as it was written.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TYPE_CHECKING, Any

from hb_cli import output

if TYPE_CHECKING:
    from typing import TextIO

_MARKS = re.compile(r"[*_`]|~~|\]\(|^ {0,3}(#{1,6} |[-+] |\d{1,9}[.)] |>|\|)", re.MULTILINE)
_LOSSY = re.compile(r"<[A-Za-z/!?]|!\[|\\|&#?\w+;|^ {0,3}\[[^\]\n]+\]:|\A(?: {4}|\t)", re.MULTILINE)
_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_FENCED = re.compile(r"^\s*(`{3,}|~{3,}).*?(?:^\s*\1[`~]*\s*$|\Z)", re.MULTILINE | re.DOTALL)
_PIECE = re.compile(r"[^\n]*\n|[^\n]+")
_WIDEST = 100
"""Columns of drawn text, however wide the terminal is."""


def answer_stream(*, whole: bool = False) -> output.TextStream:
    """Where an answer's text goes: drawn on a terminal that can, plain elsewhere. `whole` text is drawn at once."""
    stream = sys.stdout
    term = os.environ.get("TERM", "xterm" if os.name == "nt" else "dumb")
    if term == "dumb" or not output.is_terminal(stream):
        return output.TextStream(stream)
    return MarkdownStream(stream, echo=not whole)


def say_answer(text: str) -> None:
    """A whole answer on standard output."""
    if text:
        stream = answer_stream(whole=True)
        stream.write(text)
        stream.finish()


class MarkdownStream(output.TextStream):
    """Text on a terminal in blocks. With `echo` a block is seen while it grows, and drawn over when it is whole."""

    def __init__(self, stream: TextIO | None, *, echo: bool = True) -> None:
        super().__init__(stream)
        self._echo = echo
        self._block = ""
        self._line = ""
        self._fence = ""
        self._seen = output.writes()

    def settle(self) -> None:
        """Draw what there is of a block: something else is about to be written."""
        block, self._block, self._line, self._fence = self._block + self._line, "", "", ""
        if block:
            self._draw(block)

    def finish(self) -> None:
        """End the last line, and draw the last block."""
        held, self._held = self._held, ""
        self._show(held)
        if self._open:
            self._show("\n")
        self.settle()

    def _show(self, text: str) -> None:
        for piece in _PIECE.findall(text):
            self._grow(piece)

    def _grow(self, piece: str) -> None:
        if not self._block and not self._line:
            self._seen = output.writes()
        self._open = not piece.endswith("\n")
        self._line += piece
        if self._echo:
            super()._show(piece)
            self._seen += 1
        if self._open:
            return
        line, self._line = self._line, ""
        self._block += line
        fence = _FENCE.match(line)
        if self._fence:
            ends = fence is not None and fence[1].startswith(self._fence) and not line.strip().strip("`~")
            self._fence = "" if ends else self._fence
        else:
            ends = not line.strip()
            self._fence = fence[1] if fence is not None else ""
        if ends:
            self.settle()

    def _draw(self, block: str) -> None:
        body = output.escape(block)
        columns, lines = shutil.get_terminal_size()
        lossy = _LOSSY.search(_FENCED.sub("", body))
        if not body.endswith("\n") or lossy or not _MARKS.search(body):
            if not self._echo:
                output.put(self._stream, body)
            return
        if self._echo:
            rows = _rows(body, columns)
            if rows >= lines or output.writes() != self._seen:
                return  # its beginning has left the screen, or something else stands in between
            output.put(self._stream, f"\x1b[{rows}A\r\x1b[J")
        self._print(body, min(columns, _WIDEST))
        output.put(self._stream, "\n" * (len(body) - len(body.rstrip("\n")) - 1))

    def _print(self, body: str, width: int) -> None:
        from rich.console import Console
        from rich.markdown import Markdown

        text, end = "", 0
        for fenced in _FENCED.finditer(body):
            text += _lines_kept(body[end : fenced.start()]) + fenced[0]
            end = fenced.end()
        text += _lines_kept(body[end:])
        console = Console(file=self._stream, width=width, highlight=False, emoji=False, markup=False)
        with console.capture() as drawn:
            console.print(Markdown(text, code_theme="ansi_dark", hyperlinks=False))
        output.put(self._stream, drawn.get().removeprefix("\n"))  # lists begin with an empty line


def _lines_kept(text: str) -> str:
    """The text with its breaks of lines, which Markdown would take for blanks."""
    return text.replace("\n", "  \n")


def _rows(text: str, columns: int) -> int:
    from rich.cells import cell_len

    widths: Any = (cell_len(line.expandtabs()) for line in text.split("\n")[:-1])
    return sum(max(1, -(-width // columns)) for width in widths)
