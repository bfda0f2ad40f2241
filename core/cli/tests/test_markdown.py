"""Answers on a terminal: Markdown is drawn block by block, nothing is lost, and pipes get what the model wrote."""

from __future__ import annotations

import io
import re
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hb_cli import output
from hb_cli.markdown import MarkdownStream, answer_stream, say_answer

ANSWER = """\
# Title

Some **bold** text,
a second line.

```py
x = "**kept**"

y = 1
```

- one
- two

| a | b |
|---|---|
| 1 | 2 |

The end
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def look(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 60 columns and 20 lines as standard output; set in the test, as capture begins before it."""
    found = Terminal()
    monkeypatch.setattr(sys, "stdout", found)
    for name, value in {"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "60", "LINES": "20"}.items():
        monkeypatch.setenv(name, value)
    return found


def screen(text: str, columns: int = 60) -> list[str]:
    """What stands on an endless screen: lines, moves upward and clearing to the end; styles are left out."""
    rows, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[\d*[A-Za-z]|\x1b\[[\d;]*m|[^\x1b]", text):
        if token.endswith("A") and token.startswith("\x1b"):
            row -= int(token[2:-1])
        elif token == "\x1b[J":
            rows[row:] = [rows[row][:column]]
        elif token == "\r":
            column = 0
        elif token == "\n":
            row, column = row + 1, 0
            rows += [""] * (row + 1 - len(rows))
        elif not token.startswith("\x1b"):
            if column == columns:
                row, column = row + 1, 0
                rows += [""] * (row + 1 - len(rows))
            rows[row] = rows[row][:column].ljust(column) + token + rows[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in rows]


def test_a_whole_answer_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = look(monkeypatch)
    say_answer(ANSWER)
    shown = "\n".join(screen(terminal.getvalue()))
    assert "**bold**" not in shown
    assert "Some bold text,\na second line.\n" in shown
    assert 'x = "**kept**"' in shown
    assert "```" not in shown
    assert "|---|" not in shown
    assert shown.endswith("The end\n")


def test_pieces_are_seen_at_once_and_drawn_over_when_their_block_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = look(monkeypatch)
    stream = answer_stream()
    stream.write("Some **bo")
    assert terminal.getvalue() == "Some **bo"
    stream.write("ld** text\n")
    stream.write("\nmore *text*")
    assert screen(terminal.getvalue())[:3] == ["Some bold text", "", "more *text*"]
    stream.finish()
    assert screen(terminal.getvalue()) == ["Some bold text", "", "more text", ""]


@given(st.lists(st.integers(0, len(ANSWER)), max_size=8))
def test_however_it_is_cut_an_answer_looks_the_same(cuts: list[int]) -> None:
    patched = pytest.MonkeyPatch()
    for name, value in {"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "60", "LINES": "20"}.items():
        patched.setenv(name, value)
    seen = []
    for echo in (False, True):
        terminal = Terminal()
        stream = MarkdownStream(terminal, echo=echo)
        for start, end in pairwise(sorted({0, *cuts, len(ANSWER)})):
            stream.write(ANSWER[start:end])
        stream.finish()
        seen.append(screen(terminal.getvalue()))
    patched.undo()
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    "text",
    [
        "plain text\nof two lines",
        "a\x1b[31mb",
        "use **<div>** here",
        "**see** ![a picture](http://x/y.png)",
        "so \\\\(x_1\\\\) is **it**",
        "[1]: http://x/y **z**",
        "    indented **code**",
    ],
)
def test_what_has_no_markdown_or_would_lose_something_stays_as_it_was_written(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    terminal = look(monkeypatch)
    stream = answer_stream()
    stream.write(text)
    stream.finish()
    say_answer(text)
    assert terminal.getvalue() == f"{output.escape(text)}\n" * 2


def test_a_block_is_not_drawn_over_what_came_between_nor_when_it_has_left_the_screen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = look(monkeypatch)
    stream = answer_stream()
    stream.write("a **b")
    output.put(sys.stdout, "!")
    stream.write("**\n\n")
    stream.write("- x\n" * 30 + "\n")
    assert "\x1b" not in terminal.getvalue()


@pytest.mark.parametrize("name", ["pipe", "dumb terminal"])
def test_pipes_and_dumb_terminals_get_what_the_model_wrote(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO() if name == "pipe" else Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("TERM", "xterm" if name == "pipe" else "dumb")
    say_answer(ANSWER)
    assert stream.getvalue() == ANSWER
