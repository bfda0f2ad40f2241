"""The `.env` file, read only when asked for: KEY=VALUE lines, `export`, quotes and comments.

The last of several equal names wins; `$` has no meaning; a value ends with its line.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from heavenbase.config.files import read_text
from heavenbase.errors import ConfigError

_ASSIGNMENT = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]*)[ \t]*=[ \t]*(.*)", re.DOTALL)
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"[ \t]*(?:#.*)?')
_SINGLE = re.compile(r"'([^']*)'[ \t]*(?:#.*)?")
_COMMENT = re.compile(r"(?:^|[ \t])#.*")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


class Variable(NamedTuple):
    """A variable of a `.env` file: its value, and the line (from 1) where it stands."""

    value: str
    line: int

    def __repr__(self) -> str:
        return f"Variable(line={self.line})"


def read_dotenv(path: str) -> dict[str, Variable]:
    """Read a `.env` file; ConfigError with file and line, never with the text, when a line is malformed."""
    text, exposed = read_text(path)
    found, problem = _parse(text)
    del text  # tracebacks may show locals
    if problem is not None:
        raise ConfigError(f"{path}:{problem}")
    if exposed and found:
        raise ConfigError(f"{path}: may hold credentials and other users may write to it; run: chmod go-w {path}")
    return found


def _parse(text: str) -> tuple[dict[str, Variable], str | None]:
    found: dict[str, Variable] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _ASSIGNMENT.fullmatch(stripped)
        if match is None:
            return {}, f"{number}: expected NAME=VALUE"
        value = _value(match.group(2))
        if value is None:
            return {}, f"{number}: a quote is never closed, or text follows it"
        found[match.group(1)] = Variable(value, number)
    return found, None


def _value(text: str) -> str | None:
    if text.startswith('"'):
        match = _DOUBLE.fullmatch(text)
        return _ESCAPE.sub(lambda m: _ESCAPES.get(m.group(1), m.group(1)), match.group(1)) if match else None
    if text.startswith("'"):
        match = _SINGLE.fullmatch(text)
        return match.group(1) if match else None
    return _COMMENT.sub("", text, count=1).rstrip()
