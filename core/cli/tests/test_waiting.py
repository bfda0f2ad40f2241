"""The line that tells a person to wait."""

from __future__ import annotations

import io
import sys
import threading
import time

import pytest

from hb_cli.waiting import waiting


class Terminal(io.StringIO):
    """Standard error as a person sees it; `written` is set with the first word."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        count = super().write(text)
        self.written.set()
        return count


def look(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    # Not a fixture: between fixtures and test, pytest puts its own standard error in place.
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    return screen


def test_a_terminal_shows_what_is_waited_for_and_is_clean_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = look(monkeypatch)
    with waiting("drawing with acme/paint\x1b[31m", after=0, every=0.001):
        assert terminal.written.wait(5)
    shown = terminal.getvalue()
    assert "drawing with acme/paint\\x1b[31m 0 s" in shown
    assert shown.endswith("\r\x1b[K")


def test_what_is_quick_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = look(monkeypatch)
    started = time.perf_counter()
    with waiting("drawing", after=60):
        pass
    assert terminal.getvalue() == ""
    assert time.perf_counter() - started < 1


def test_pipes_and_dumb_terminals_get_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = look(monkeypatch)
    monkeypatch.setenv("TERM", "dumb")
    with waiting("drawing", after=0, every=0.001):
        assert not terminal.written.wait(0.02)
    monkeypatch.setenv("TERM", "xterm")
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    before = threading.active_count()
    with waiting("drawing", after=0, every=0.001):
        assert threading.active_count() == before
    assert pipe.getvalue() == ""


def test_an_error_passes_and_the_line_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = look(monkeypatch)

    def fail() -> None:
        with waiting("drawing", after=0, every=0.001):
            assert terminal.written.wait(5)
            raise KeyError("x")

    before = threading.active_count()
    with pytest.raises(KeyError):
        fail()
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert threading.active_count() == before


def test_a_closed_terminal_does_not_cost_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = look(monkeypatch)
    with waiting("drawing", after=0, every=0.001):
        assert terminal.written.wait(5)
        terminal.close()
    assert terminal.closed
