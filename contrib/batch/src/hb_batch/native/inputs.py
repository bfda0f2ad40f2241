"""The rows of an input file as a native run goes through them: who is asked each, which are left, what is written."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import contextmanager
from typing import IO, Any

from hb_batch.errors import BatchFileError
from hb_batch.folder import Folder
from hb_batch.index import Index, Place
from hb_batch.journal import Journal, mend, states_of
from hb_batch.lines import States, lines_of, opened
from hb_batch.native.endpoint import Endpoint
from hb_batch.native.intents import Intents, Part
from hb_batch.native.marks import Marks
from hb_batch.native.parts import Pile, Piles
from hb_batch.native.settings import NativeSettings
from hb_batch.rows import BadRow, Row, error_row, key_of, output_row, read_row
from heavenbase.errors import InputError, UnsupportedError
from heavenbase.llm import LLM

Target = Callable[[Row], tuple[LLM, dict[str, Any]]]
"""Who is asked a row, and with which options."""


class Inputs:
    """The input at `path`, beside the output of a folder; `again` are statuses that are asked anew."""

    def __init__(
        self, folder: Folder, path: str, target: Target, intents: Intents, again: Collection[str], *, is_async: bool
    ) -> None:
        self.states = States()
        self.again = again
        self._folder, self._path, self._target, self._intents = folder, path, target, intents
        self._is_async = is_async
        self._offsets = array("Q")
        self._endpoints: dict[Any, Endpoint] = {}
        self._file: IO[bytes] | None = None

    @contextmanager
    def opened(self) -> Iterator[None]:
        """With the files open, and what was written before known."""
        mend(self._folder.output)
        self.states = states_of(self._folder.output)
        with opened(self._path) as self._file:
            try:
                yield
            finally:
                self._file = None

    def journal(self) -> Journal:
        """The output, to append to."""
        return Journal(self._folder.output, self.states)

    def read(self, journal: Journal) -> None:
        """Go through all rows; those that are none get their own."""
        for _ in self._rows(journal):
            pass

    def write_unsent(self) -> None:
        """Write rows for what was never sent, after the user cancelled the batch."""
        with self.journal() as journal:
            for row in self._rows(journal):
                error = {"code": "cancelled", "message": "the batch was cancelled before it was sent"}
                journal.append(output_row(row.line, row.custom_id, "cancelled", error=error))

    async def piles(self, journal: Journal, settings: NativeSettings) -> AsyncIterator[Pile]:
        """The rows that no part has, put together as they are to be sent."""
        piles, marks = Piles(settings), Marks(self._intents.run)
        for row in self._rows(journal):
            is_first = not self._endpoints
            try:
                llm, options = self._target(row)
                endpoint = self._endpoint(llm)
                is_first = False
                call = endpoint.call(row.verb, row.content, options)
                made = await endpoint.entry(call, marks.custom_id(row.line))
                full = list(piles.add(endpoint, row.line, made, len(set(call.inputs))))
            except (InputError, UnsupportedError) as error:
                if is_first and isinstance(error, UnsupportedError):
                    raise  # the target of all, most likely; nothing was sent
                journal.append(error_row(row.line, row.custom_id, error, status="invalid"))
                continue
            for pile in full:
                yield pile
        for pile in piles.rest():
            yield pile

    def row_at(self, line: int) -> Row:
        """The row of a line."""
        assert self._file is not None
        if not self._offsets:
            with self.journal() as journal:
                self.read(journal)
        if not 0 < line < len(self._offsets):
            raise BatchFileError(f"{self._path} has no line {line}, which the batch says that it sent")
        self._file.seek(self._offsets[line])
        return read_row(self._file.readline(), line)

    def options_of(self, row: Row) -> dict[str, Any]:
        """With which options a row is asked."""
        return self._target(row)[1]

    def endpoint_of(self, part: Part) -> Endpoint:
        """Who was asked a part; BatchFileError where the settings now lead elsewhere."""
        llm, _ = self._target(self.row_at(part.lines[0]))
        endpoint = self._endpoint(llm)
        for name in ("provider", "gateway", "base_url"):
            if endpoint.place[name] != part.place.get(name):
                raise BatchFileError(
                    f"part {part.number} was submitted to {name} {part.place.get(name)!r}, and the settings now lead "
                    f"to {endpoint.place[name]!r}; go on with those it was begun with"
                )
        return endpoint

    async def pile_of(self, part: Part) -> Pile:
        """The requests of a part once more, as they were sent; without all but the first where they are uploaded."""
        endpoint, marks = self.endpoint_of(part), Marks(self._intents.run)
        pile: Pile | None = None
        for line in part.lines[:1] if part.file is not None else part.lines:
            row = self.row_at(line)
            call = endpoint.call(row.verb, row.content, self.options_of(row))
            made = await endpoint.entry(call, marks.custom_id(line))
            pile = pile or Pile(endpoint, made)
            pile.lines += made.lines
        assert pile is not None
        return pile

    def _rows(self, journal: Journal) -> Iterator[Row]:
        """The rows that no part has; those that are none get their own row."""
        file, taken = self._file, self._taken()
        assert file is not None
        self._offsets = array("Q")
        with Index(self._folder.path) as index:
            for line in lines_of(file):
                while len(self._offsets) <= line.number:
                    self._offsets.append(0)
                self._offsets[line.number] = line.offset
                state, name = self.states[line.number], None
                try:
                    row = read_row(line.data, line.number)
                    name = row.custom_id
                    earlier = index.add(key_of(name, line.number), Place(0, line.number))
                    if earlier is not None and earlier.offset != line.number:
                        told = f"line {line.number} has the custom_id of line {earlier.offset}"
                        raise BadRow(told, line=line.number, code="duplicate_custom_id")
                    if line.number in taken or (state is not None and state not in self.again):
                        continue
                except BadRow as error:
                    if state is None:
                        journal.append(error_row(line.number, error.custom_id, error, status="invalid"))
                    continue
                # A generator's consumer may seek in this file.
                at = file.tell()
                yield row
                file.seek(at)

    def _taken(self) -> set[int]:
        """The lines that a part has, and that are not to be asked anew."""
        found: set[int] = set()
        for part in self._intents.parts.values():
            if part.status == "merged":
                # A row that was lost is asked for anew, as in mode sync.
                states = ((line, self.states[line]) for line in part.lines)
                found.update(line for line, state in states if state is not None and state not in self.again)
            elif part.is_open:
                found.update(part.lines)
        return found

    def _endpoint(self, llm: LLM) -> Endpoint:
        key = llm.spec.hash_key()
        if key not in self._endpoints:
            self._endpoints[key] = Endpoint(llm, is_async=self._is_async)
        return self._endpoints[key]
