"""Lines of a file, one after the other and never more than one in memory; and what is known of each, in a byte."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from typing import IO, NamedTuple

from hb_batch.errors import BatchFileError
from hb_batch.rows import LINE_LIMIT, STATUSES

CHUNK = 2**20
"""Bytes that are read at once where lines do not matter."""
CODES: Mapping[str, int] = {status: code for code, status in enumerate(STATUSES, 1)}
"""Statuses as one byte; 0 stands for a request without a row."""


class Line(NamedTuple):
    """A line that is not blank: its number from 1, where it begins in the file, and its bytes."""

    number: int
    offset: int
    data: bytes


def opened(path: str) -> IO[bytes]:
    """A file to read; BatchFileError where that cannot be, and for a pipe, which could be read but once."""
    try:
        if path == "-":  # as many a command calls its standard input
            raise BatchFileError("requests are read again after an interrupt; write them to a file, and name it")
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise BatchFileError(f"{path} is no file that can be read again; write its lines to one")
        return open(path, "rb")
    except OSError as error:
        raise BatchFileError(f"{path}: cannot be read: {error.strerror}") from error


def lines_of(
    file: IO[bytes], *, first: int = 1, offset: int = 0, size: int | None = None, limit: int | None = LINE_LIMIT
) -> Iterator[Line]:
    """The lines from an offset on, at which line number `first` begins; up to `size` bytes of the file.

    Of a line that is longer than the `limit` no more is kept than shows that.
    """
    file.seek(offset)
    number = first
    while size is None or offset < size:
        data = file.readline(limit + 1 if limit is not None else -1)
        if not data:
            return
        length = len(data)
        if limit is not None and length > limit and not data.endswith(b"\n"):
            while rest := file.readline(CHUNK):
                length += len(rest)
                if rest.endswith(b"\n"):
                    break
        if data.strip():
            yield Line(number, offset, data)
        number, offset = number + 1, offset + length


class States:
    """The status of each line by its number, one byte a line."""

    def __init__(self) -> None:
        self._codes = bytearray()
        self.has_replaced = False
        """Whether a line got a status more than once: its file has two rows of it then."""

    def __getitem__(self, line: int) -> str | None:
        """The status of a line; None for one without a row."""
        code = self._codes[line] if line < len(self._codes) else 0
        return STATUSES[code - 1] if code else None

    def __setitem__(self, line: int, status: str) -> None:
        if line >= len(self._codes):
            self._codes.extend(bytes(max(line + 1, len(self._codes) * 9 // 8) - len(self._codes)))
        self.has_replaced = self.has_replaced or self._codes[line] > 0
        self._codes[line] = CODES[status]

    def counts(self) -> dict[str, int]:
        """How many lines have each status."""
        return self.counts_of(0, len(self._codes))

    def counts_of(self, first: int, lines: int) -> dict[str, int]:
        """How many of some lines have each status."""
        found = {status: self._codes.count(code, first, first + lines) for status, code in CODES.items()}
        return {status: count for status, count in found.items() if count}
