"""A native batch from file to file: submitted in parts, looked at until it is done, its results made rows.

Each step is noted before it is taken, so that any process can go on where another one ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Final

from hb_batch.errors import BatchFileError
from hb_batch.folder import Folder
from hb_batch.native import results
from hb_batch.native.doubt import is_unheard
from hb_batch.native.endpoint import Endpoint
from hb_batch.native.inputs import Inputs, Target
from hb_batch.native.intents import Intents, Part
from hb_batch.native.lookup import look_for
from hb_batch.native.marks import Marks
from hb_batch.native.parts import Pile
from hb_batch.native.settings import NativeProgress, NativeReport, NativeSettings
from heavenbase.errors import HBError, ModelNotFound, ProviderError, RateLimitError, RequestRejected, StatusError
from heavenbase.operations import BatchJob
from heavenbase.secrets import text_of

LOOKS: Final = 3
"""How often a job is looked for at least before it is taken not to be there."""
GROWTH: Final = 1.5
GONE: Final = 404
"""The status of what a provider does not have."""


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
        self._folder = folder
        self._settings = settings or NativeSettings()
        self._on_progress = on_progress
        self._intents = Intents(folder)
        self._inputs = Inputs(folder, path, target, self._intents, again, is_async=is_async)
        self._stopped: set[int] = set()
        self._cancelled: set[str] = set()
        self._forced: set[int] = set()
        self.report = NativeReport()

    @property
    def has_replaced(self) -> bool:
        """Whether a line has two rows now."""
        return self._inputs.states.has_replaced

    # What callers ask

    async def run(self) -> NativeReport:
        """Submit what was not, wait until the provider is done, write the rows, and delete what the provider keeps."""
        with self._opened():
            if self._inputs.again:
                self._intents.go()
            with self._inputs.journal() as journal:
                if self._intents.is_stopped:
                    self._inputs.read(journal)
                else:
                    async for pile in self._inputs.piles(journal, self._settings):
                        await self._submit(pile)
            await self._wait()
            if self._intents.is_stopped:
                self._inputs.write_unsent()
            if not self._settings.keep_files:
                await self._delete()
        return self._told()

    async def cancel(self) -> NativeReport:
        """Have the provider stop, and send nothing more; what was answered comes with the next `run`."""
        failure: HBError | None = None
        with self._opened():
            self._intents.stop()
            for part in self._open_parts():
                try:
                    endpoint = self._inputs.endpoint_of(part)
                    if part.job is None:
                        await self._settle(part, endpoint)
                    if part.job is not None and part.status == "submitted":
                        job = await self._stop(part.job, endpoint)
                        part.counts = job.counts
                        self.report.jobs[part.number] = job.status
                except HBError as error:  # of the others none is left to go on for that
                    failure = failure or error
        if failure is not None:
            raise failure
        return self._told()

    @contextmanager
    def _opened(self) -> Iterator[None]:
        with self._intents, self._inputs.opened():
            yield

    @property
    def _marks(self) -> Marks:
        return Marks(self._intents.run)

    # Submitting

    async def _submit(self, pile: Pile) -> None:
        endpoint = pile.endpoint
        now = endpoint.kernel.wall()
        part = self._intents.intend(pile.numbers, pile.place, pile.size, now, uploads=endpoint.has_uploads)
        waited, delay = 0.0, self._settings.poll
        while True:
            try:
                await self._send(part, pile)
            except HBError as error:
                is_passing = isinstance(error, RateLimitError) or (error.retryable and not _is_asked(part))
                delay = max(error.retry_after or 0.0, delay)
                if not is_passing or waited + delay > self._settings.patience:
                    if _is_asked(part) and not is_unheard(error):
                        return  # it may have been heard: its job is looked for before anything is sent again
                    self._intents.refused(part)
                    raise
                await endpoint.sleep(delay)
                waited, delay = waited + delay, min(delay * GROWTH, self._settings.longest)
            else:
                return

    async def _send(self, part: Part, pile: Pile) -> None:
        """Have a pile answered; it is uploaded once."""
        endpoint, metadata = pile.endpoint, self._marks.metadata(part.number)
        if not _is_asked(part):
            self._intents.uploaded(part, await endpoint.upload(pile.lines, pile.sample, metadata))
        job = await endpoint.submit(pile.lines, pile.sample, metadata, part.file)
        self._intents.submitted(part, job.id)
        part.counts = job.counts

    async def _send_again(self, part: Part, endpoint: Endpoint) -> None:
        """Send a part once more that was not heard."""
        self._forced.add(part.number)
        if endpoint.place["account"] != part.place.get("account"):
            part.place, part.file = {**part.place, "account": endpoint.place["account"]}, None  # as it sees no other's
        pile = await self._inputs.pile_of(part)
        self._intents.again(part, endpoint.kernel.wall())
        try:
            await self._send(part, pile)
        except HBError as error:
            if isinstance(error, RateLimitError) or (error.retryable and not _is_asked(part)):
                part.looks, part.sought = LOOKS, endpoint.kernel.clock() - self._settings.settle
                raise
            if not _is_asked(part) or is_unheard(error):
                self._intents.refused(part)
                raise

    # Waiting

    def _open_parts(self) -> list[Part]:
        return [part for part in self._intents.parts.values() if part.is_open]

    async def _wait(self) -> None:
        delay, failing = self._settings.poll, 0.0
        while parts := self._open_parts():
            pause = delay
            failure = await self._look_round(parts)
            if failure is None:
                failing = 0.0
            else:
                pause = max(delay, failure.retry_after or 0.0)
                failing += pause
                if failing > self._settings.patience:
                    raise failure
            self._tell()
            if not (parts := self._open_parts()):
                return
            await self._inputs.endpoint_of(parts[0]).sleep(pause)
            delay = min(delay * GROWTH, self._settings.longest)

    async def _look_round(self, parts: list[Part]) -> ProviderError | None:
        """Look after all parts; a failure that may pass, such as of a provider out of reach."""
        failure: ProviderError | None = None
        lasting: ProviderError | None = None
        for part in parts:
            try:
                await self._look(part)
            except ProviderError as error:
                if not error.retryable:
                    lasting = lasting or error  # what others have answered is not left behind for that
                    continue
                failure = failure or error
                if not isinstance(error, StatusError):
                    break
        if lasting is not None:
            raise lasting
        return failure

    async def _look(self, part: Part) -> None:
        """One step further with a part."""
        endpoint = self._inputs.endpoint_of(part)
        if part.job is None:
            await self._settle(part, endpoint)
            if part.job is None:
                return
        try:
            job = await self._job(part, part.job, endpoint)
            part.counts = job.counts
            self.report.jobs[part.number] = job.status
            if not job.is_done:
                part.looks, part.sought = 0, None
                return
            self._intents.ended(part, job.status)
            path = await results.fetch(self._folder, endpoint, part, job)
        except (ModelNotFound, RequestRejected) as error:
            if error.status != GONE:
                raise
            self.report.jobs[part.number] = "not found"
            if not self._is_gone(part, endpoint):
                return
            job = BatchJob(part.job, "gone", problems=["the provider has the batch, or its results, no more"])
            self._intents.ended(part, job.status)
            path = results.nothing(self._folder, part)
        strays = len(self.report.unknown), len(self.report.doubled)
        reading = results.Reading(
            endpoint, part, self._marks, self._inputs.row_at, self._inputs.options_of, self.report
        )
        with self._inputs.journal() as journal:
            async for row in reading.rows(path, job):
                if self._inputs.states[row["line"]] != "success":  # a row of this part that an earlier process wrote
                    journal.append(row)
        self._intents.merged(part, len(self.report.unknown) - strays[0], len(self.report.doubled) - strays[1])
        if reading.unread:
            self.report.files.append(path)
        else:
            results.forget(self._folder, part)

    def _is_gone(self, part: Part, endpoint: Endpoint) -> bool:
        """Whether a job that is not found has been looked for long enough."""
        now = endpoint.kernel.clock()
        part.sought = now if part.sought is None else part.sought
        part.looks += 1
        return self._settings.resubmit or (part.looks > LOOKS and now - part.sought >= self._settings.settle)

    async def _job(self, part: Part, name: str, endpoint: Endpoint) -> BatchJob:
        """The job of a part as it is now; stopped, where the user wants no more of it."""
        try:
            job = await endpoint.get(name)
        except (ModelNotFound, RequestRejected) as error:
            if error.status == GONE and endpoint.place["account"] != part.place.get("account"):
                raise BatchFileError(
                    f"part {part.number} is batch {name} of another credential than the one that is used now; go "
                    "on with that one"
                ) from error
            raise
        if self._intents.is_stopped and not (job.is_done or job.status == "cancelling" or name in self._cancelled):
            job = await self._stop(name, endpoint)
        return job

    async def _stop(self, name: str, endpoint: Endpoint) -> BatchJob:
        self._cancelled.add(name)
        try:
            job = await endpoint.cancel(name)
        except StatusError as error:
            job = await endpoint.get(name)
            if not job.is_done:  # one that has ended cannot be cancelled
                raise error
        return job

    async def _settle(self, part: Part, endpoint: Endpoint) -> None:
        """Find the job of a part whose submit was not answered; submit it again where it certainly was not heard."""
        settings, now = self._settings, endpoint.kernel.clock()
        is_forced = settings.resubmit and part.number not in self._forced
        if _is_asked(part):
            part.sought = now if part.sought is None else part.sought
            is_over = part.looks >= LOOKS and now - part.sought >= settings.settle
            known = {it.job for it in self._intents.parts.values() if it.job is not None}
            found = await look_for(endpoint, part, self._marks, known)
            if found.job is not None:
                self._intents.submitted(part, found.job.id)
                part.counts = found.job.counts
                return
            part.looks += 1
            if not is_forced and (found.candidates or not is_over):
                self.report.jobs[part.number] = f"unsure: {', '.join(found.candidates) or 'not listed'}"
                return
        if self._intents.is_stopped:
            self._intents.refused(part)
            return
        is_asked_here = endpoint.place["account"] == part.place.get("account") or not _is_asked(part)
        if not is_asked_here and not is_forced:
            raise BatchFileError(
                f"part {part.number} may have been submitted with another credential than the one that is used now, "
                "which does not see it; go on with that one, or have it submitted again (resubmit)"
            )
        await self._send_again(part, endpoint)

    # Afterwards

    async def _delete(self) -> None:
        """Delete at the provider what it keeps of parts whose rows are on disk; what cannot be is told of."""
        for part in self._intents.parts.values():
            if part.is_open or part.is_deleted or not (part.job or part.file):
                continue
            try:
                endpoint = self._inputs.endpoint_of(part)
                if endpoint.can_delete:
                    await endpoint.delete(part.job, part.file)
                    self._intents.deleted(part)
            except HBError as error:
                self.report.left.append(f"{part.job or part.file}: {text_of(error)}")

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
        self.report.counts = self._inputs.states.counts()
        self.report.is_complete = not self._open_parts()
        return self.report


def _is_asked(part: Part) -> bool:
    """Whether the provider may have been asked to answer a part: not before its requests are uploaded."""
    return part.file is not None or not part.uploads
