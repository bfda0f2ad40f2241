"""Files of rows put together: one row for each request, the best that there is, in the order of the requests."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from glob import escape, glob
from typing import IO, Any, Final

from hb_batch.folder import Folder, replacing
from hb_batch.index import Index, Place
from hb_batch.journal import Journal, mend, rows_of
from hb_batch.lines import lines_of, opened
from hb_batch.rows import (
    BadRow,
    custom_id_of,
    decoded,
    encoded,
    error_row,
    key_of,
    line_of,
    output_row,
    read_output,
    status_of,
)
from heavenbase.errors import InputError

RANKS: Final = {"success": 3, "error": 2, "invalid": 2, "expired": 1, "cancelled": 1, "missing": 0}
"""How good a row is: of two for one request the better one stays, of equal ones the later."""
BUFFER: Final = 2**20


def merge(path: str, outputs: Sequence[str], target: str) -> dict[str, int]:
    """Write the best row of each request of an input file, in its order; returns the counts by status.

    A request without a row gets one that is `missing`. `target` may be one of the outputs, unless a run appends to it.

    Raises:
        InputError: The rows would be written over the requests, or a file of rows has requests.
    """
    if os.path.realpath(path) == os.path.realpath(target):
        raise InputError("the merged rows would be written over the requests; name another file")
    counts: dict[str, int] = {}
    with ExitStack() as stack:
        folder = Folder(os.path.realpath(target))
        if folder.has_manifest:
            stack.enter_context(folder.locked())
        index = stack.enter_context(Index(os.path.dirname(os.path.abspath(target))))
        files: list[IO[bytes]] = []
        for number, output in enumerate(outputs):
            files.append(stack.enter_context(opened(output)))
            for offset, row in rows_of(output):
                if "body" in row and not row.keys() & {"status", "response", "error"}:
                    raise InputError(f"{output} has requests and no rows; name the file of requests first")
                line = row.get("line")
                key = key_of(row.get("custom_id"), line if isinstance(line, int) else 0)
                index.keep_best(key, Place(number, offset, RANKS[status_of(row)]))
        seen = stack.enter_context(Index(os.path.dirname(os.path.abspath(target))))
        source = stack.enter_context(opened(path))
        handle = stack.enter_context(replacing(target))
        with open(handle, "wb", BUFFER, closefd=False) as out:
            for line in lines_of(source):
                data, status = _best(line.number, line.data, index, seen, files)
                out.write(data)
                counts[status] = counts.get(status, 0) + 1
    return counts


def _best(number: int, data: bytes, index: Index, seen: Index, files: list[IO[bytes]]) -> tuple[bytes, str]:
    problem: BadRow | None = None
    name = None
    try:
        name = custom_id_of(decoded(data, number), number)
        earlier = seen.add(key_of(name, number), Place(0, number))
        if earlier is not None:
            told = f"line {number} has the custom_id of line {earlier.offset}"
            problem = BadRow(told, line=number, custom_id=None, code="duplicate_custom_id")
    except BadRow as error:
        problem = error
    place = index.get(key_of(None if problem is not None else name, number))
    if place is not None:
        found = _line(files[place.file], place.offset)
        row = read_output(found)
        if row is not None:
            return found, status_of(row)
    if problem is not None:
        return encoded(error_row(number, problem.custom_id, problem, status="invalid")), "invalid"
    told_missing = {"code": "missing", "message": "none of the files has a row for this request"}
    return encoded(output_row(number, name, "missing", error=told_missing)), "missing"


def _line(file: IO[bytes], offset: int) -> bytes:
    file.seek(offset)
    data = file.readline()
    return data if data.endswith(b"\n") else data + b"\n"


def compact(path: str, lines: int, within: str | None = None) -> None:
    """Leave the newest row of each of so many lines alone, at once and in the order in which they came.

    What is not finished yet stands in the folder `within`.
    """
    lefts = array("L", bytes(array("L").itemsize * (lines + 1)))
    for _, row in rows_of(path):
        number = line_of(row, lines)
        if number is not None:
            lefts[number] += 1
    with opened(path) as file, replacing(path, within) as handle, open(handle, "wb", BUFFER, closefd=False) as out:
        for line in lines_of(file, limit=None):
            newest = read_output(line.data)
            number = line_of(newest, lines) if newest is not None else None
            if number is not None:
                lefts[number] -= 1
                if not lefts[number]:
                    out.write(line.data)


def parts_in(folder: str) -> list[str]:
    """The files of shards that were run elsewhere, and are not joined yet."""
    return sorted(glob(os.path.join(escape(folder), "*.jsonl")))


def join_parts(parts: Iterable[str], lines: int, journal: Journal, write: Callable[[dict[str, Any]], None]) -> None:
    """Write the rows of shards to the journal of a file with so many lines; forget their files when it is synced."""
    for part in parts:
        mend(part)
        for _, row in rows_of(part):
            if line_of(row, lines) is not None:
                write({**row, "status": status_of(row)})
        journal.sync()
        os.unlink(part)
