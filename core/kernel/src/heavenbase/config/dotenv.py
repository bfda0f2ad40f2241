"""The `.env` file, read only when asked for: python-dotenv's bindings, with the line of each.

The last of several equal names wins, and `$` has no meaning. A name without a value is passed over.
"""

from __future__ import annotations

import warnings
from io import StringIO
from typing import NamedTuple

from heavenbase.config.files import read_text
from heavenbase.errors import ConfigError, HBWarning


class Variable(NamedTuple):
    """A variable of a `.env` file: its value, and the line (from 1) where it stands."""

    value: str
    line: int

    def __repr__(self) -> str:
        return f"Variable(line={self.line})"


def read_dotenv(path: str) -> dict[str, Variable]:
    """Read a `.env` file.

    HBWarning with file and line, never with the text, for a line that binds nothing; ConfigError for a file that cannot
    be read, or that holds values and that other users may write to.
    """
    from dotenv.parser import parse_stream

    text, exposed = read_text(path)
    found, wrong = {}, []
    for binding in parse_stream(StringIO(text)):
        shown = binding.original.string
        line = binding.original.line + shown[: len(shown) - len(shown.lstrip())].count("\n")
        if binding.error:
            wrong.append(line)
        elif binding.key is not None and binding.value is not None:
            found[binding.key] = Variable(binding.value, line)
    if exposed and found:
        raise ConfigError(f"{path}: may hold credentials and other users may write to it; run: chmod go-w {path}")
    for line in wrong:
        warnings.warn(f"{path}:{line}: expected NAME=VALUE; this line is passed over", HBWarning, stacklevel=2)
    return found
