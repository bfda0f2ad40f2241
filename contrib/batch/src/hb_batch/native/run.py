"""A native batch from file to file: submitted in parts, looked at until it is done, its results made rows.

Each step is noted before it is taken, so that any process can go on where another one ended.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from hb_batch.errors import BatchFileError
from hb_batch.folder import Folder
from hb_batch.index import Index, Place
from hb_batch.journal import Journal, mend, states_of
from hb_batch.lines import States, lines_of, opened
from hb_batch.native import results
from hb_batch.native.endpoint import Endpoint
from hb_batch.native.intents import Intents, Part
from hb_batch.native.lookup import look_for
from hb_batch.native.marks import Marks
from hb_batch.native.parts import Pile, Piles
from hb_batch.native.settings import NativeProgress, NativeReport, NativeSettings
from hb_batch.rows import BadRow, Row, error_row, key_of, output_row, read_row
from heavenbase.errors import (
    ConnectError,
    HBError,
    InputError,
    ModelNotFound,
    ProviderError,
    RateLimitError,
    RequestRejected,
    StatusError,
    TLSVerifyError,
    UnsupportedError,
)
from heavenbase.llm import LLM

LOOKS: Final = 3
"""How often a job is looked for before it is taken not to be there."""
GROWTH: Final = 1.5
UNCERTAIN: Final = (408, 409, 425)
"""Statuses below 500 that do not say whether a submit was heard."""

Target = Callable[[Row], tuple[LLM, dict[str, Any]]]
"""Who is asked a row, and with which options."""


class NativeRun:
    """One batch: `target` says who is asked each row of the input at `path`; `again` are statuses that are asked anew.

    `folder` is that of the output; whoever makes a run holds its lock.
    """

    def __init__(
        self,
        folder: Folder,
        path: str,
        target: Target,
        *,
        settings: NativeSettings | None = None,
        again: Collection[str] = (),
        on_progress: Callable[[NativeProgress], object] | None = None,
        is_async: bool = False,
    ) -> None:
        self._folder, self._path, self._target = folder, path, target
        self._settings = settings or NativeSettings()
        self._again, self._on_progress, self._is_async = again, on_progress, is_async
        self._intents = Intents(folder)
        self._states = States()
        self._offsets = array("Q")
        self._endpoints: dict[Any, Endpoint] = {}
        self._file: IO[bytes] | None = None
        self.report = NativeReport()
        self.has_replaced = False
        """Whether a line has two rows now."""

    # What callers ask

    async def run(self) -> NativeReport:
        """Submit what was not, wait until the provider is done, and write the rows."""
        with self._opened():
            if self._again:
                self._intents.go()
            with Journal(self._folder.output, self._states) as journal:
                if self._intents.is_stopped:
                    self._read_input(journal)
                else:
                    async for pile in self._piles(journal):
                        await self._submit(pile)
            await self._wait()
            if self._intents.is_stopped:
                self._write_unsent()
        return self._told()

    async def cancel(self) -> NativeReport:
        """Have the provider stop, and send nothing more; what was answered comes with the next `run`."""
        with self._opened():
            self._intents.stop()
            for part in self._open_parts():
                endpoint = self._endpoint_of(part)
                if part.job is None:
                    await self._settle(part, endpoint)
                if part.job is not None and part.status == "submitted":
                    job = await endpoint.cancel(part.job)
                    part.counts = job.counts
                    self.report.jobs[part.number] = job.status
        return self._told()

    # The input

    @contextmanager
    def _opened(self) -> Iterator[None]:
        mend(self._folder.output)
        self._states = states_of(self._folder.output)
        with self._intents, opened(self._path) as self._file:
            try:
                yield
            finally:
                self._file = None

    @property
    def _marks(self) -> Marks:
        return Marks(self._intents.run)

    def _taken(self) -> set[int]:
        """The lines that a part has, and that are not to be asked anew."""
        found: set[int] = set()
        for part in self._intents.parts.values():
            if part.status == "merged":
                found.update(line for line in part.lines if self._states[line] not in self._again)
            elif part.is_open:
                found.update(part.lines)
        return found

    def _rows(self, journal: Journal) -> Iterator[Row]:
        """The rows of the input that no part has; those that are none get their own row."""
        file, taken = self._file, self._taken()
        assert file is not None
        self._offsets = array("Q")
        with Index(self._folder.path) as index:
            for line in lines_of(file):
                while len(self._offsets) <= line.number:
                    self._offsets.append(0)
                self._offsets[line.number] = line.offset
                state, name = self._states[line.number], None
                try:
                    row = read_row(line.data, line.number)
                    name = row.custom_id
                    earlier = index.add(key_of(name, line.number), Place(0, line.number))
                    if earlier is not None and earlier.offset != line.number:
                        told = f"line {line.number} has the custom_id of line {earlier.offset}"
                        raise BadRow(told, line=line.number, code="duplicate_custom_id")
                    if line.number in taken or (state is not None and state not in self._again):
                        continue
                    if row.verb != "complete":
                        told = "a native batch answers chats; mode sync answers the others too"
                        raise BadRow(told, line=line.number, custom_id=name, code="invalid_url")
                except BadRow as error:
                    if state is None:
                        self._write(journal, error_row(line.number, error.custom_id, error, status="invalid"))
                    continue
                # A generator's consumer may seek in this file.
                at = file.tell()
                yield row
                file.seek(at)

    def _read_input(self, journal: Journal) -> None:
        for _ in self._rows(journal):
            pass

    async def _piles(self, journal: Journal) -> AsyncIterator[Pile]:
        piles, marks = Piles(self._settings), self._marks
        for row in self._rows(journal):
            is_first = not self._endpoints
            try:
                llm, options = self._target(row)
                endpoint = self._endpoint(llm)
                is_first = False
                made = await endpoint.entry(endpoint.call(row.content, options), marks.custom_id(row.line))
                full = list(piles.add(endpoint, row.line, made))
            except (InputError, UnsupportedError) as error:
                if is_first and isinstance(error, UnsupportedError):
                    raise  # the target of all, most likely; nothing was sent
                self._write(journal, error_row(row.line, row.custom_id, error, status="invalid"))
                continue
            for pile in full:
                yield pile
        for pile in piles.rest():
            yield pile

    def _row_at(self, line: int) -> Row:
        assert self._file is not None
        self._file.seek(self._offsets[line])
        return read_row(self._file.readline(), line)

    def _endpoint(self, llm: LLM) -> Endpoint:
        key = llm.spec.hash_key()
        if key not in self._endpoints:
            self._endpoints[key] = Endpoint(llm, is_async=self._is_async)
        return self._endpoints[key]

    def _endpoint_of(self, part: Part) -> Endpoint:
        """Who was asked a part; BatchFileError where the settings now lead elsewhere."""
        if not self._offsets:
            with Journal(self._folder.output, self._states) as journal:
                self._read_input(journal)
        llm, _ = self._target(self._row_at(part.lines[0]))
        endpoint = self._endpoint(llm)
        for name in ("provider", "gateway", "base_url"):
            if endpoint.place[name] != part.place.get(name):
                raise BatchFileError(
                    f"part {part.number} was submitted to {name} {part.place.get(name)!r}, and the settings now lead "
                    f"to {endpoint.place[name]!r}; go on with those it was begun with"
                )
        return endpoint

    def _write(self, journal: Journal, row: dict[str, Any]) -> None:
        self.has_replaced = self.has_replaced or self._states[row["line"]] is not None
        journal.append(row)

    # Submitting

    async def _submit(self, pile: Pile) -> None:
        endpoint = pile.endpoint
        part = self._intents.intend(pile.numbers, pile.place, pile.size, endpoint.kernel.wall())
        waited, delay = 0.0, self._settings.poll
        while True:
            try:
                job = await endpoint.submit(pile.lines, pile.sample, self._marks.metadata(part.number))
            except RateLimitError as error:
                delay = max(error.retry_after or 0.0, delay)
                if waited + delay > self._settings.patience:
                    self._intents.refused(part)
                    raise
                await endpoint.sleep(delay)
                waited, delay = waited + delay, min(delay * GROWTH, self._settings.longest)
            except HBError as error:
                if _is_certain(error):
                    self._intents.refused(part)
                    raise
                return  # it may have been heard: its job is looked for before anything is sent again
            else:
                self._intents.submitted(part, job.id)
                part.counts = job.counts
                return

    async def _again_submitted(self, part: Part, endpoint: Endpoint) -> None:
        """Submit a part again that was certainly not heard."""
        pile, lines = None, set(part.lines)
        for line in part.lines:
            row = self._row_at(line)
            _, options = self._target(row)
            made = await endpoint.entry(endpoint.call(row.content, options), self._marks.custom_id(line))
            pile = pile or Pile(endpoint, made)
            pile.lines += made.lines
            pile.size += len(made.lines[0]) + 1
        assert pile is not None
        assert len(pile.lines) == len(lines)
        self._intents.again(part, pile.size, endpoint.kernel.wall())
        try:
            job = await endpoint.submit(pile.lines, pile.sample, self._marks.metadata(part.number))
        except HBError as error:
            if _is_certain(error) and not isinstance(error, RateLimitError):
                self._intents.refused(part)
                raise
            part.absent = LOOKS if isinstance(error, RateLimitError) else 0
            return
        self._intents.submitted(part, job.id)
        part.counts = job.counts

    # Waiting

    def _open_parts(self) -> list[Part]:
        return [part for part in self._intents.parts.values() if part.is_open]

    async def _wait(self) -> None:
        delay, failing = self._settings.poll, 0.0
        while parts := self._open_parts():
            pause = delay
            try:
                for part in parts:
                    await self._look(part)
                failing = 0.0
            except ProviderError as error:
                endpoint = self._endpoint_of(parts[0])
                if not error.retryable or failing + delay > self._settings.patience:
                    raise
                pause = max(delay, error.retry_after or 0.0)
                failing += pause
            self._tell()
            if not (parts := self._open_parts()):
                return
            endpoint = self._endpoint_of(parts[0])
            await endpoint.sleep(pause)
            delay = min(delay * GROWTH, self._settings.longest)

    async def _look(self, part: Part) -> None:
        """One step further with a part."""
        endpoint = self._endpoint_of(part)
        if part.job is None:
            await self._settle(part, endpoint)
            if part.job is None:
                return
        try:
            job = await endpoint.get(part.job)
        except (ModelNotFound, RequestRejected) as error:
            if error.status == 404 and endpoint.place["account"] != part.place.get("account"):
                raise BatchFileError(
                    f"part {part.number} is batch {part.job} of another credential than the one that is used now; go "
                    "on with that one"
                ) from error
            raise
        part.counts = job.counts
        self.report.jobs[part.number] = job.status
        if not job.is_done:
            return
        self._intents.ended(part, job.status)
        path = await results.fetch(self._folder, endpoint, part, job)
        strays = len(self.report.unknown), len(self.report.doubled)
        reading = results.Reading(
            endpoint, part, self._marks, self._row_at, lambda row: self._target(row)[1], self.report
        )
        with Journal(self._folder.output, self._states) as journal:
            async for row in reading.rows(path, job):
                if self._states[row["line"]] != "success":  # a row of this part that an earlier process wrote
                    self._write(journal, row)
        self._intents.merged(part, len(self.report.unknown) - strays[0], len(self.report.doubled) - strays[1])
        results.forget(self._folder, part)

    async def _settle(self, part: Part, endpoint: Endpoint) -> None:
        """Find the job of a part whose submit was not answered; submit it again where it certainly was not heard."""
        known = {it.job for it in self._intents.parts.values() if it.job is not None}
        if part.absent < LOOKS:
            found = await look_for(endpoint, part, self._marks, known)
            if found.job is not None:
                self._intents.submitted(part, found.job.id)
                part.counts = found.job.counts
                return
            if found.candidates and not self._settings.resubmit:
                self.report.jobs[part.number] = f"unsure: {', '.join(found.candidates)}"
                return
            part.absent += 1
            if part.absent < LOOKS:
                return
        if self._intents.is_stopped:
            self._intents.refused(part)
            return
        if endpoint.place["account"] != part.place.get("account") and not self._settings.resubmit:
            raise BatchFileError(
                f"part {part.number} may have been submitted with another credential than the one that is used now, "
                "which does not see it; go on with that one, or have it submitted again (resubmit)"
            )
        await self._again_submitted(part, endpoint)

    def _write_unsent(self) -> None:
        """Rows for what was never sent, after the user cancelled the batch."""
        with Journal(self._folder.output, self._states) as journal:
            for row in self._rows(journal):
                error = {"code": "cancelled", "message": "the batch was cancelled before it was sent"}
                self._write(journal, output_row(row.line, row.custom_id, "cancelled", error=error))

    def _tell(self) -> None:
        if self._on_progress is None:
            return
        parts = [part for part in self._intents.parts.values() if part.status != "refused"]
        done = 0
        for part in parts:
            counts = part.counts
            rest = counts.get("processing")
            ended = sum(counts.get(name, 0) for name in ("succeeded", "failed", "expired", "cancelled"))
            done += len(part.lines) if part.status == "merged" else ended if rest is None else len(part.lines) - rest
        jobs = Counter(self.report.jobs.get(part.number, part.status) for part in parts)
        self._on_progress(NativeProgress(sum(len(part.lines) for part in parts), done, jobs))

    def _told(self) -> NativeReport:
        self.report.counts = self._states.counts()
        self.report.is_complete = not self._open_parts()
        return self.report


def _is_certain(error: HBError) -> bool:
    """Whether an error of a submit says that it was not heard."""
    if isinstance(error, StatusError) and error.status is not None:
        return error.status < 500 and error.status not in UNCERTAIN
    if isinstance(error, ProviderError):
        return isinstance(error, ConnectError | TLSVerifyError)
    return isinstance(error, InputError | UnsupportedError) or not error.maybe_billed
