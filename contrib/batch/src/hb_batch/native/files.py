"""A native batch as a run from file to file: begun, gone on with, cancelled, repeated for what failed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from types import FrameType
from typing import Any, Final

from hb_batch.errors import BatchFileError
from hb_batch.folder import Folder, Manifest, Source
from hb_batch.merging import compact
from hb_batch.native.intents import Intents
from hb_batch.native.run import NativeRun
from hb_batch.native.settings import NativeProgress, NativeReport, NativeSettings
from hb_batch.requests import Request, Targets
from hb_batch.rows import Row
from hb_batch.runs.runner import RETRIED, check_target
from hb_batch.runs.settings import Settings
from heavenbase.errors import InputError
from heavenbase.functions import kernel_of
from heavenbase.kernel import Kernel, drive
from heavenbase.llm import LLM

MODE: Final = "native"
AGAIN: Final = RETRIED | {"missing"}
"""Statuses that are asked again when failures are retried."""


class Ended(KeyboardInterrupt):
    """A signal ended the process's part in it; the provider goes on. `number` is that of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM raise Ended; only in the main thread. Each step is on disk before the next one is taken."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Ended(number)

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(slots=True)
class NativeFileRun:
    """What a native run needs beside its files; `on_progress` is told how far the provider is."""

    kernel: Kernel | None = None
    on_progress: Callable[[NativeProgress], object] | None = None

    def begin(self, path: str, output: str, settings: Settings, native: NativeSettings | None = None) -> NativeReport:
        """Have a file of requests answered; BatchFileError where the output is there already."""
        folder = Folder(output)
        if os.path.realpath(path) == os.path.realpath(folder.output):
            raise InputError("the output would be written over the input; name another file")
        if folder.has_manifest or os.path.exists(folder.output):
            hint = f"go on with: hb batch resume {output}" if folder.has_manifest else "remove it"
            raise BatchFileError(f"{output} exists; {hint}, or name another output")
        if not os.path.isdir(os.path.dirname(folder.output)):
            raise BatchFileError(f"{os.path.dirname(folder.output)}: there is no such folder")
        if settings.max_cost is not None:
            raise InputError("a native batch is billed by the provider as a whole; mode sync keeps a cap on the cost")
        source, kernel = Source.of(path), kernel_of(self.kernel)
        check_target(kernel, settings)
        with folder.locked():
            if folder.has_manifest:
                raise BatchFileError(f"{output} belongs to a batch already")
            native = native or NativeSettings()
            extra = {MODE: asdict(replace(native, resubmit=False))}
            folder.write(Manifest(source, settings.kept(), MODE, started=kernel.wall(), extra=extra))
            return self._run(folder, settings, native, (), "run")

    def resume(self, output: str, *, again: bool = False, **changes: Any) -> NativeReport:
        """Go on, in any process; with `again` also ask anew what failed. `changes` of settings count from now on."""
        return self._go_on(output, AGAIN if again else (), changes, "run")

    def cancel(self, output: str, **changes: Any) -> NativeReport:
        """Have the provider stop, and send nothing more; `resume` writes the rows of what was answered."""
        return self._go_on(output, (), changes, "cancel")

    def _go_on(self, output: str, again: Collection[str], changes: Mapping[str, Any], what: str) -> NativeReport:
        folder = Folder(output)
        folder.read()  # before a lock makes the folder of a batch that there is not
        with folder.locked():
            manifest = folder.read()
            if manifest.mode != MODE:
                raise InputError(f"this batch runs in mode {manifest.mode}, not {MODE}")
            manifest.source.check()
            own = {name: changes[name] for name in NativeSettings.__dataclass_fields__ if name in changes}
            rest = {name: value for name, value in changes.items() if name not in own}
            settings = Settings.of(manifest.settings, rest)
            native = _native_of(folder, manifest, own)
            return self._run(folder, settings, native, again, what)

    def _run(
        self, folder: Folder, settings: Settings, native: NativeSettings, again: Collection[str], what: str
    ) -> NativeReport:
        kernel, source = kernel_of(self.kernel), folder.read().source
        targets = Targets(kernel, None, settings.target)

        def target(row: Row) -> tuple[LLM, dict[str, Any]]:
            is_ours = settings.model is not None or row.model is None
            named = {} if is_ours else {"model": row.model}
            return targets.of(Request(row.verb, row.content, named, dict(row.options)))

        run = NativeRun(folder, source.path, target, settings=native, again=again, on_progress=self.on_progress)
        report: NativeReport = drive.run(run.run() if what == "run" else run.cancel())
        if sum(report.counts.values()) < source.requests and what == "run":
            report.is_complete = False
        if run.has_replaced:
            compact(folder.output, source.lines, folder.path)
        finished = kernel.wall() if what == "run" and report.is_complete else None
        folder.update(settings=settings.kept(), finished=finished, counts=report.counts)
        return report


def _native_of(folder: Folder, manifest: Manifest, changes: Mapping[str, Any]) -> NativeSettings:
    kept = manifest.extra.get(MODE, {})
    try:
        return NativeSettings(**dict(kept, **changes))
    except (TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise BatchFileError(f"{folder.path}: the manifest is damaged, or of another release: {error}") from error


def jobs_of(output: str) -> list[tuple[str, str]]:
    """The parts of a native batch, each with the provider's id of its job and how far it is; sends nothing."""
    parts = Intents(Folder(output)).parts.values()
    return [(f"part {part.number}", f"{part.job or 'no job known'}, {part.status}") for part in parts]
