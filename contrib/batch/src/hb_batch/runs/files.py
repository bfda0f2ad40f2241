"""A run from file to file: begun, gone on with after whatever ended it, and repeated for what failed."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from hb_batch.errors import BatchFileError
from hb_batch.folder import Folder, Manifest, Source
from hb_batch.index import Index
from hb_batch.journal import Journal, mend, rows_of
from hb_batch.lines import States
from hb_batch.merging import compact, join_parts, parts_in
from hb_batch.rows import DONE, line_of, status_of
from hb_batch.runs.engines import LocalEngine, ShardWork
from hb_batch.runs.interrupts import Interrupts
from hb_batch.runs.runner import INTERRUPT, RETRIED_HERE, Runner, check_target
from hb_batch.runs.settings import Settings
from hb_batch.runs.tally import Tally
from hb_batch.shards import LINES, Engine, Shard, shards_of
from heavenbase.errors import InputError
from heavenbase.functions import kernel_of
from heavenbase.kernel import Kernel

SUCCEEDED, SOME_FAILED = 0, 1
PARTS = "parts"
"""The folder of the rows of shards that are run elsewhere."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended. `stopped` is why it ended early, if it did, and `code` the exit code for it.

    `counts` are the rows of the whole file by status, and it `is_complete` where each request has one that stays.
    `written` are the rows of this run; `journal_share` is the share of its time in which writing them held up the rest.
    `failures` say why rows of this run failed.
    """

    counts: Mapping[str, int]
    is_complete: bool
    elapsed: float
    written: int
    cost: Decimal
    is_cost_known: bool
    stopped: str | None = None
    signal_code: int | None = None
    journal_share: float = 0.0
    failures: Sequence[str] = ()

    @property
    def code(self) -> int:
        """0 where all succeeded, 1 where some failed or are left, 128 and the number of a signal that ended it."""
        if self.signal_code is not None:
            return self.signal_code
        all_good = self.is_complete and self.counts.get("success", 0) == sum(self.counts.values())
        return SUCCEEDED if all_good else SOME_FAILED


@dataclass(slots=True)
class FileRun:
    """What a run needs beside its files. `meter` makes what shows a tally; `told` says a line to people.

    `engine` runs the shards; with another one than LocalEngine each shard has its own file until the end, and a cap on
    costs is not kept.
    """

    kernel: Kernel | None = None
    engine: Engine = field(default_factory=LocalEngine)
    meter: Callable[[Tally], Callable[[], None]] | None = None
    told: Callable[[str], None] = lambda text: None
    interval: float = 5.0
    shard_lines: int = LINES

    def begin(self, path: str, output: str, settings: Settings) -> Finished:
        """Answer a file of requests; BatchFileError where the output is there already."""
        folder = Folder(output)
        if os.path.realpath(path) == os.path.realpath(folder.output):
            raise InputError("the output would be written over the input; name another file")
        is_other = os.path.exists(output) and not os.path.isfile(output)
        if is_other or os.path.basename(output) == "-":
            raise InputError(f"rows are kept in a file, for a run that goes on after an interrupt; {output} is none")
        if folder.has_manifest:
            hint = f"go on with: hb batch resume {output}"
            raise BatchFileError(f"{output} belongs to a batch already; {hint}, or name another output")
        if os.path.exists(folder.output):
            raise BatchFileError(f"{output} exists; name another output, or remove it")
        if not os.path.isdir(os.path.dirname(folder.output)):
            raise BatchFileError(f"{os.path.dirname(folder.output)}: there is no such folder")
        source = Source.of(path)
        if not source.requests:
            raise BatchFileError(f"{path} has no requests")
        kernel = kernel_of(self.kernel)
        with folder.locked():
            if folder.has_manifest:
                raise BatchFileError(f"{output} belongs to a batch already")
            manifest = Manifest(source, settings.kept(), started=kernel.wall())
            return self._run(folder, manifest, settings, ())

    def resume(self, output: str, **changes: Any) -> Finished:
        """Answer what has no row that stays; `changes` of the settings count from now on."""
        return self._again(output, (), changes)

    def retry_failed(self, output: str, **changes: Any) -> Finished:
        """Answer anew what failed, expired or was invalid, and what has no row; a newer row replaces an older one."""
        return self._again(output, RETRIED_HERE, changes)

    def _again(self, output: str, again: Collection[str], changes: Mapping[str, Any]) -> Finished:
        folder = Folder(output)
        folder.read()  # before a lock makes the folder of a batch that there is not
        with folder.locked():
            manifest = folder.read()
            if manifest.mode != "sync":
                raise InputError(f"this batch runs in mode {manifest.mode}; give --mode {manifest.mode}")
            manifest.source.check()
            return self._run(folder, manifest, Settings.of(manifest.settings, changes), again)

    def _run(self, folder: Folder, manifest: Manifest, settings: Settings, again: Collection[str]) -> Finished:
        kernel = kernel_of(self.kernel)
        is_local = isinstance(self.engine, LocalEngine)
        if settings.max_cost is not None and not is_local:
            raise InputError("a cap on the cost is kept by the engine of this process alone")
        source = manifest.source
        mend(folder.output)
        if parts := parts_in(folder.file(PARTS)):  # of a run that was killed before it had joined them
            with Journal(folder.output) as journal:
                join_parts(parts, source.lines, journal, journal.append)
        states, spent = States(), Tally(kernel.clock, None, {})
        for _, row in rows_of(folder.output):
            line = line_of(row, source.lines)
            if line is not None:
                states[line] = status_of(row)
                spent.add_cost(row)
        check_target(kernel, settings)
        before = max(spent.cost, Decimal(manifest.extra.get("spent", 0)))
        extra = {**manifest.extra, "resumed": kernel.wall(), "resumed_rows": sum(states.counts().values())}
        manifest = replace(manifest, settings=settings.kept(), finished=None, counts=states.counts(), extra=extra)
        folder.write(manifest)
        with ExitStack() as stack:
            index = stack.enter_context(Index(folder.path))
            journal = stack.enter_context(Journal(folder.output, states))
            tally = Tally(kernel.clock, source.requests, states.counts())
            tally.cost, tally.is_cost_known, tally.tokens = spent.cost, spent.is_cost_known, spent.tokens
            show = self.meter(tally) if self.meter is not None else None
            runner = Runner(
                kernel,
                source.path,
                settings,
                journal,
                tally,
                again=again,
                spent=before,
                show=show,
                interval=self.interval,
            )
            stack.callback(runner.close)
            shards = shards_of(source.path, index, lines=self.shard_lines, size=source.size)
            code, is_complete = None, True
            if is_local:
                resume = f"go on with: hb batch resume {folder.output}"
                with Interrupts(runner.loop, lambda: runner.stop(self.told), resume) as interrupts:
                    for result in self.engine.run(shards, runner.run):
                        is_complete = is_complete and result.is_complete
                        if runner.stopped is not None:
                            break
                code = interrupts.code if runner.stopped == INTERRUPT else None
            else:
                is_complete = self._elsewhere(folder, source, settings, _left(shards, states, again), journal, runner)
            elapsed, written = tally.elapsed, tally.written
            extra["spent"] = f"{runner.spent if runner.spent is not None else before + tally.cost - spent.cost:f}"
            share = journal.spent / elapsed if elapsed > 0 else 0.0
        if states.has_replaced:
            compact(folder.output, source.lines, folder.path)
        counts = states.counts()
        is_complete = is_complete and sum(counts.values()) >= source.requests and DONE.issuperset(counts)
        told = (counts, is_complete, elapsed, written, tally.cost, tally.is_cost_known)
        why = tally.failures.told()
        found = Finished(*told, stopped=runner.stopped, signal_code=code, journal_share=share, failures=why)
        folder.update(finished=kernel.wall() if found.is_complete else None, counts=counts, extra=extra)
        return found

    def _elsewhere(
        self,
        folder: Folder,
        source: Source,
        settings: Settings,
        shards: Iterable[Shard],
        journal: Journal,
        runner: Runner,
    ) -> bool:
        parts = folder.file(PARTS)
        os.makedirs(parts, 0o700, exist_ok=True)
        done = list(self.engine.run(shards, ShardWork(source.path, parts, settings)))
        join_parts(parts_in(parts), source.lines, journal, runner.write)
        return all(it.is_complete for it in done)


def _left(shards: Iterable[Shard], states: States, again: Collection[str]) -> Iterator[Shard]:
    """Shards that know which of their lines are done."""
    for shard in shards:
        lines = range(shard.first_line, shard.first_line + shard.lines)
        done = frozenset(line for line in lines if (state := states[line]) in DONE and state not in again)
        yield replace(shard, done=done)
