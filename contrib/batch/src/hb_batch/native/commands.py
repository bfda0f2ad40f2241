"""What `hb batch` does with a native batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hb_batch.native.files import Ended, NativeFileRun, ended_by_signals
from hb_batch.native.settings import NativeProgress, NativeReport
from hb_cli import output
from hb_cli.state import State


def finish(
    state: State, target_file: str, quiet: bool, as_json: bool, work: Callable[[NativeFileRun], NativeReport]
) -> int:
    """Do it, and say what came of it; the exit code."""
    try:
        with ended_by_signals():
            report = work(NativeFileRun(state.kernel, None if quiet else _Lines()))
    except Ended as ended:
        output.note("the provider goes on with what it was sent")
        output.note(f"go on with: hb batch resume {target_file}; stop it with: hb batch cancel {target_file}")
        return 128 + ended.number
    for names, why in ((report.unknown, "has no request"), (report.doubled, "has two different answers")):
        for name in names:
            output.warn(f"a result was left out: {name!r} {why}")
    for path in report.files:
        output.warn(f"not every result became a row; they are kept in {path}")
    for told in report.left:
        output.warn(f"left at the provider, as it could not be deleted: {told}")
    if not report.is_complete:
        for part, status in report.jobs.items():
            output.note(f"part {part}: {status}")
        output.note(f"go on with: hb batch resume {target_file}")
    elif any(report.counts.get(status) for status in ("error", "expired", "missing")):
        output.note(f"to ask those again that failed: hb batch retry-failed {target_file}")
    _say(report.counts, report, as_json)
    return int(not report.is_complete or set(report.counts) != {"success"})


def _say(counts: Mapping[str, int], report: NativeReport, as_json: bool) -> None:
    if as_json:
        jobs = {str(part): status for part, status in report.jobs.items()}
        strays = {"unknown": report.unknown, "doubled": report.doubled, "left": report.left, "files": report.files}
        output.say_json({"counts": counts, "complete": report.is_complete, "jobs": jobs, **strays})
        return
    output.say(", ".join(f"{count} {status}" for status, count in counts.items()) or "no rows yet")


class _Lines:
    """Says how far the provider is, where that has changed."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, progress: NativeProgress) -> None:
        jobs = ", ".join(f"{count} {status}" for status, count in sorted(progress.jobs.items()))
        line = f"{progress.done}/{progress.requests} done; jobs: {jobs}"
        if line != self._last:
            self._last = line
            output.note(line)
