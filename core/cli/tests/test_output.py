"""Printing: control characters, JSON, tables, styles."""

from __future__ import annotations

import io
import json
import re
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hb_cli import output

TRICKS = "a\x1b[31mred\x07\x00\ud800\x9b31m\x7f\r!"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_escape_spells_control_characters_and_lone_surrogates_and_keeps_newline_and_tab() -> None:
    assert output.escape(TRICKS) == "a\\x1b[31mred\\x07\\x00\\ud800\\x9b31m\\x7f\\x0d!"
    assert output.escape("a\tb\nc\r\nd é 漢 🙂") == "a\tb\nc\nd é 漢 🙂"


@given(st.text(st.characters(exclude_categories=())))
def test_no_text_leaves_a_control_character_or_fails_to_encode(text: str) -> None:
    shown = output.escape(text)
    shown.encode()
    assert not any((ord(c) < 0x20 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0 for c in shown)


@given(
    st.recursive(st.text(st.characters(exclude_categories=())) | st.integers() | st.none() | st.booleans(), st.lists)
)
def test_json_keeps_every_character_in_one_printable_line(value: object) -> None:
    text = output.to_json(value)
    text.encode()
    assert json.loads(text) == value
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in text)


@given(st.text("ab\r\n\x1b"), st.lists(st.integers(0, 12)))
def test_text_in_pieces_is_shown_as_the_whole_would_be(text: str, cuts: list[int]) -> None:
    places = sorted({0, *(cut for cut in cuts if cut < len(text)), len(text)})
    stream = io.StringIO()
    pieces = output.TextStream(stream)
    for start, end in pairwise(places):
        pieces.write(text[start:end])
    pieces.finish()
    whole = output.escape(text)
    assert stream.getvalue() == (whole if whole.endswith("\n") or not whole else whole + "\n")


def test_styles_are_only_for_terminals_and_respect_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    assert output.styled("x", output.DIM, io.StringIO()) == "x"
    monkeypatch.setenv("TERM", "xterm")
    assert output.styled("x", output.DIM, Terminal()) == "\x1b[2mx\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.styled("x", output.DIM, Terminal()) == "x"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert output.styled("x", output.DIM, Terminal()) == "x"


def test_a_table_aligns_its_columns_and_keeps_cells_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    output.say_table([("a", "bb\nc", ""), ("ddd", "e\x1b", "f")], ("x", "y", "z"))
    assert capsys.readouterr().out == "x    y      z\na    bb c\nddd  e\\x1b  f\n"


def test_one_line_shows_what_would_reorder_it() -> None:
    assert output.one_line("a\u202eb\u2066c\u2028d\ne") == "a\\u202eb\\u2066c\\u2028d e"


def test_streams_that_do_not_exist_or_are_closed_are_no_terminals() -> None:
    closed = io.StringIO()
    closed.close()
    assert not output.is_terminal(None)
    assert not output.is_terminal(closed)


def test_a_table_wider_than_the_terminal_is_fitted_and_nothing_of_it_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    output.say_table([("a", "w" * 50), ("[red]c", "d\x1b")], ("x", "y"))
    lines = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).splitlines()
    assert max(map(len, lines)) <= 40
    assert "".join(lines).count("w") == 50
    assert "[red]c" in terminal.getvalue()
    assert "d\\x1b" in terminal.getvalue()


def test_a_table_that_fits_looks_as_it_does_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stdout", stream)
        monkeypatch.setenv("COLUMNS", "40")
        output.say_table([("a", "b" * 30)])
        assert stream.getvalue() == f"a  {'b' * 30}\n"


def test_progress_is_a_line_a_name_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress() as show:
        for name, done in (("one", 1), ("one", 2), ("two\x1b", 0), ("one", 3)):
            show(name, done, 10)
    assert capsys.readouterr() == ("", "one\ntwo\\x1b\none\n")


def test_progress_is_bars_on_a_terminal_and_they_are_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with output.progress() as show:
        show("[b]fetching\x1b", 500_000, 1_000_000)
        show("unknown", 5, 0)
    assert "[b]fetching\\x1b" in terminal.getvalue()
    assert "0.5/1.0 MB" in terminal.getvalue()
