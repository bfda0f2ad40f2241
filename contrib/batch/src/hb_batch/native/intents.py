"""What is about to be sent, and what was: a file of events, each on disk before the next thing happens.

    {"event": "run", "run": "0f3a…"}                                    how its requests are marked
    {"event": "intent", "part": 1, "try": 1, "lines": [[1, 500]], …}    about to be submitted
    {"event": "file", "part": 1, "file": "file-…"}                      its requests are uploaded, where they are
    {"event": "job", "part": 1, "job": "batch_…"}                       submitted: the provider's id
    {"event": "refused", "part": 1}                                     certainly not submitted
    {"event": "ended", "part": 1, "status": "completed"}                nothing more will come of it
    {"event": "merged", "part": 1, "unknown": 0, "doubled": 0}          its rows are written
    {"event": "deleted", "part": 1}                                     the provider keeps nothing of it
    {"event": "stop"}, {"event": "go"}                                  the user cancelled the batch; retries it

An intent without what follows it is a submit that may or may not have been heard; one that `uploads` and has no file
yet was certainly not. Nothing secret is in it.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hb_batch.errors import BatchFileError, JournalError
from hb_batch.folder import Folder
from hb_batch.journal import mend
from heavenbase.utils import sync_folder

FILE: Final = "native.jsonl"
FORMAT: Final = 1
MOST_LINES: Final = 10_000_000
"""Lines of one part; no provider takes nearly as many."""


@dataclass(slots=True)
class Part:
    """One job, or what is to be one: the lines of the input that are in it, and how far it came.

    `place` tells where it belongs: provider, gateway, address, account, model, endpoint. `status` is intended,
    submitted, refused, merged, or that in which the job ended.
    """

    number: int
    lines: list[int]
    place: Mapping[str, Any]
    size: int
    intended: float
    tries: int = 1
    job: str | None = None
    status: str = "intended"
    uploads: bool = False
    """Whether its requests are uploaded before it is submitted; `file` is their id then."""
    file: str | None = None
    is_deleted: bool = False
    looks: int = 0
    """How often it was looked for in vain in this process; the first time `sought`, by its clock."""
    sought: float | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done about it."""
        return self.status not in ("refused", "merged")


class Intents:
    """The events of one batch; `open` it to add some. `parts` are as the events left them."""

    def __init__(self, folder: Folder) -> None:
        self._path = folder.file(FILE)
        self._folder = folder
        self._handle: int | None = None
        self.run = ""
        self.is_stopped = False
        self.parts: dict[int, Part] = {}
        self._read()

    @property
    def exists(self) -> bool:
        """Whether anything was written yet."""
        return bool(self.run)

    def __enter__(self) -> Intents:
        self._folder.make()
        mend(self._path)
        self._handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if not self.run:
            self.run = uuid.uuid4().hex[:12]
            self._add(event="run", run=self.run, format=FORMAT)
            sync_folder(self._folder.path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def intend(self, lines: list[int], place: Mapping[str, Any], size: int, at: float, *, uploads: bool) -> Part:
        """Note a part that is about to be submitted."""
        part = Part(len(self.parts) + 1, lines, place, size, at, uploads=uploads)
        self._intend(part)
        self.parts[part.number] = part
        return part

    def again(self, part: Part, at: float) -> None:
        """Note that a part is about to be submitted once more, as it was not."""
        part.tries, part.intended, part.looks, part.sought, part.status = part.tries + 1, at, 0, None, "intended"
        self._intend(part)

    def _intend(self, part: Part) -> None:
        told: dict[str, Any] = {"part": part.number, "try": part.tries, "at": part.intended, "count": len(part.lines)}
        told |= {"bytes": part.size, "uploads": part.uploads, "file": part.file}
        self._add(event="intent", **told, place=dict(part.place), lines=list(spans(part.lines)))

    def uploaded(self, part: Part, file: str) -> None:
        """Note the provider's id of the file of a part."""
        self._add(event="file", part=part.number, file=file)
        part.file = file

    def submitted(self, part: Part, job: str) -> None:
        """Note the provider's id of a part."""
        self._add(event="job", part=part.number, job=job)
        part.job, part.status = job, "submitted"

    def refused(self, part: Part) -> None:
        """Note that a part was certainly not submitted."""
        self._add(event="refused", part=part.number)
        part.status = "refused"

    def ended(self, part: Part, status: str) -> None:
        """Note in which status a job ended."""
        if part.status != status:
            self._add(event="ended", part=part.number, status=status)
            part.status = status

    def merged(self, part: Part, unknown: int, doubled: int) -> None:
        """Note that the rows of a part are on disk, and how many results made none."""
        self._add(event="merged", part=part.number, unknown=unknown, doubled=doubled)
        part.status = "merged"

    def deleted(self, part: Part) -> None:
        """Note that the provider keeps nothing of a part."""
        self._add(event="deleted", part=part.number)
        part.is_deleted = True

    def stop(self) -> None:
        """Note that the user wants no more of it."""
        if not self.is_stopped:
            self._add(event="stop")
            self.is_stopped = True

    def go(self) -> None:
        """Note that the user wants it after all."""
        if self.is_stopped:
            self._add(event="go")
            self.is_stopped = False

    def _add(self, **event: Any) -> None:
        assert self._handle is not None, "not opened"
        data = json.dumps(event, separators=(",", ":")).encode() + b"\n"
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._handle, view) :]
            os.fsync(self._handle)
        except OSError as error:
            raise JournalError(f"{self._path}: cannot be written: {error.strerror}; nothing is sent") from error

    def _read(self) -> None:
        try:
            with open(self._path, "rb") as file:
                lines = file.read().split(b"\n")[:-1]  # what has no end was not waited for
        except FileNotFoundError:
            return
        try:
            for line in lines:
                self._apply(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BatchFileError(f"{self._path} is damaged: {error}; the provider's jobs cannot be told") from error

    def _apply(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "run":
            if event["format"] != FORMAT:
                raise BatchFileError(f"{self._path} was written by another release of hb-batch")
            self.run = event["run"]
        elif kind in ("stop", "go"):
            self.is_stopped = kind == "stop"
        elif kind == "intent":
            part = _part_of(event)
            self.parts[part.number] = part
        else:
            part = self.parts[event["part"]]
            if kind == "job":
                part.job, part.status = _text(event["job"]), "submitted"
            elif kind == "file":
                part.file = _text(event["file"])
            elif kind == "deleted":
                part.is_deleted = True
            elif kind == "ended":
                part.status = _text(event["status"])
            elif kind in ("refused", "merged"):
                part.status = kind
            else:
                raise ValueError(f"nothing is known of the event {kind!r}")


def _part_of(event: Mapping[str, Any]) -> Part:
    """The part of an intent; ValueError for one that hb never wrote."""
    stretches = [(int(first), int(last)) for first, last in event["lines"]]
    count = sum(max(0, last - first + 1) for first, last in stretches)
    if count != event["count"] or not 0 < count <= MOST_LINES or min(first for first, _ in stretches) < 1:
        raise ValueError(f"an intent has the lines {event['lines']!r:.80}")
    return Part(
        int(event["part"]),
        [line for first, last in stretches for line in range(first, last + 1)],
        dict(event["place"]),
        int(event["bytes"]),
        float(event["at"]),
        int(event["try"]),
        uploads=bool(event.get("uploads")),
        file=_text(event["file"]) if event.get("file") is not None else None,
    )


def _text(found: Any) -> str:
    if not isinstance(found, str) or not found:
        raise TypeError(f"{found!r:.80} is no name")
    return found


def spans(lines: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as stretches: first and last of each."""
    first = last = 0
    for line in lines:
        if first and line == last + 1:
            last = line
            continue
        if first:
            yield first, last
        first = last = line
    if first:
        yield first, last
