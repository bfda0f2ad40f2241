"""What came back of a job: kept as a file, looked through, and turned into a row for each request that was sent.

Results stand in any order. A name that the part does not have, or that stands there twice with different answers, makes
no row of an answer: it is told of.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from hb_batch.errors import JournalError
from hb_batch.folder import Folder, write_atomic
from hb_batch.lines import lines_of, opened
from hb_batch.native.endpoint import Endpoint
from hb_batch.native.intents import Part
from hb_batch.native.marks import Marks
from hb_batch.native.settings import NativeReport
from hb_batch.rows import Row, error_of, error_row, output_row, success_row
from heavenbase.errors import GenerationFailed, HBError, StatusError, StructuredOutputError
from heavenbase.operations import BatchJob
from heavenbase.utils import sync_folder

SHOWN: Final = 100
"""Names that are told of results that no row was made of."""
ENDS: Final = {"batch_expired": "expired", "batch_cancelled": "cancelled"}
"""What a result says that its request came to, and the status of its row."""
LEFT: Final = {"expired": "expired", "cancelled": "cancelled", "failed": "error"}
"""The status of a row without a result, by that of its job; in others it is missing."""
WHY: Final = {
    "expired": "the provider's time for the batch was over before it was answered",
    "cancelled": "the batch was cancelled before it was answered",
    "error": "the provider refused the batch",
    "missing": "the provider's results do not have it",
}


def path_of(folder: Folder, part: Part) -> str:
    """Where the results of a part are kept until its rows are written."""
    return folder.file(f"part-{part.number:05}.results")


def is_fetched(folder: Folder, part: Part) -> bool:
    """Whether the results of a part are there, whole."""
    return os.path.exists(path_of(folder, part))


async def fetch(folder: Folder, endpoint: Endpoint, part: Part, job: BatchJob) -> str:
    """Keep the results of a job in a file; its path. What an earlier process has fetched is not fetched again."""
    path, partial = path_of(folder, part), f"{path_of(folder, part)}.partial"
    if is_fetched(folder, part):
        return path
    failures: list[OSError] = []
    try:
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            await endpoint.results(job, lambda piece: _write(handle, piece, failures))
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(partial, path)
        sync_folder(folder.path)
    except (OSError, HBError) as error:
        found = failures[0] if failures else error  # which would be the gateway's, that called what failed
        if isinstance(found, OSError) and not isinstance(found, HBError):
            raise JournalError(f"{partial}: cannot be written: {found.strerror}") from found
        raise
    return path


def nothing(folder: Folder, part: Part) -> str:
    """Results of a part that has none, as a file; its path."""
    path = path_of(folder, part)
    write_atomic(path, b"")
    return path


def forget(folder: Folder, part: Part) -> None:
    """Delete the results of a part."""
    for path in (path_of(folder, part), f"{path_of(folder, part)}.partial"):
        with suppress(FileNotFoundError):
            os.unlink(path)


def _write(handle: int, data: bytes, failures: list[OSError]) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(handle, view) :]
    except OSError as error:
        failures.append(error)
        raise


@dataclass(slots=True)
class Reading:
    """The results of one part, as they become rows: `row_at` gives the request of a line, `target` who was asked it."""

    endpoint: Endpoint
    part: Part
    marks: Marks
    row_at: Callable[[int], Row]
    options_of: Callable[[Row], dict[str, Any]]
    report: NativeReport
    unread: int = 0
    """Results that are in no row: those of nobody, those that differ, and those that cannot be read."""
    _doubled: set[int] = field(default_factory=set)
    _seen: dict[int, bytes] = field(default_factory=dict)

    async def rows(self, path: str, job: BatchJob) -> Any:
        """A row for each request of the part, those with a result first."""
        sent = set(self.part.lines)
        self._look_through(path, sent)
        told: set[int] = set()
        for line, data in self._results(path):
            if line in sent and line not in told:
                told.add(line)
                yield await self._row(line, data, job)
        left = LEFT.get(job.status, "missing")
        why = "; ".join([WHY[left], *job.problems[:3]])
        for line in self.part.lines:
            if line not in told:
                error = {"code": f"batch_{left}", "message": why, "batch": job.id}
                yield output_row(line, self.row_at(line).custom_id, left, error=error)

    def _look_through(self, path: str, sent: set[int]) -> None:
        for line, data in self._results(path):
            if line not in sent:
                self.unread += 1
                _tell(self.report.unknown, Marks.custom_id_in(data) or "(none)")
                continue
            digest = blake2b(data.strip(), digest_size=16).digest()
            if self._seen.setdefault(line, digest) != digest:
                self._doubled.add(line)
        for line in sorted(self._doubled):
            _tell(self.report.doubled, self.row_at(line).custom_id)
        self.unread += len(self._doubled)
        self._seen.clear()

    def _results(self, path: str) -> Iterator[tuple[int, bytes]]:
        with opened(path) as file:
            for line in lines_of(file, limit=None):  # what was answered is read, however long it is
                yield self.marks.line_of(Marks.custom_id_in(line.data)) or 0, line.data

    async def _row(self, line: int, data: bytes, job: BatchJob) -> dict[str, Any]:
        row = self.row_at(line)
        if line in self._doubled:
            error = {
                "code": "doubled_result",
                "message": "the provider's results have two different answers to it",
                "maybe_billed": True,
                "batch": job.id,
            }
            return output_row(line, row.custom_id, "error", error=error, attempts=1)
        try:
            call = self.endpoint.call(row.verb, row.content, self.options_of(row))
            answer = await self.endpoint.answer(call, data)
            return self._row_of(row, answer, job)
        except StructuredOutputError as failure:
            # The answer is there and paid for; it is kept beside what is wrong with it.
            found = self._row_of(row, failure.partial, job)
            return {**found, "status": "error", "error": error_of(failure)}
        except Exception as failure:  # whatever is wrong with one result is told in its row
            is_told = isinstance(failure, GenerationFailed | StatusError)
            self.unread += not is_told
            ends = isinstance(failure, GenerationFailed) and ENDS.get(failure.code or "")
            return error_row(line, row.custom_id, failure, status=ends or "error")

    def _row_of(self, row: Row, answer: Any, job: BatchJob) -> dict[str, Any]:
        services = self.endpoint.kernel.services
        answer.created_at = job.ended or answer.created_at
        for attempt in answer.attempts:
            attempt.request_id = getattr(answer, "request_id", None)
            if attempt.usage is not None:
                attempt.usage.tier = "batch"  # which has a price of its own, whatever tier the answer names
                attempt.cost = services.cost(attempt.provider, attempt.model, attempt.usage, answer.created_at)
        return {**success_row(row, answer), "elapsed": None}


def _tell(names: list[str], name: str) -> None:
    if len(names) < SHOWN:
        names.append(name)
