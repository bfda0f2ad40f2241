"""A submit that nobody answered: was it heard? The provider's list of jobs says so.

Where jobs keep what they were made with, the mark of the run and the part tells. Where they do not, a job is a
candidate that is not older than the intent, has as many requests, and is no other part's; which one it is, the
custom_ids in its results tell when it has ended. Until then nothing is sent again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from hb_batch.native.endpoint import Endpoint
from hb_batch.native.intents import Part
from hb_batch.native.marks import Marks
from heavenbase.operations import BatchJob

SKEW: Final = 300.0
"""Seconds by which the clocks of the provider and of this machine may differ."""
FIRST: Final = 100
MOST: Final = 100_000
"""Jobs of a list that are looked at first, and at most."""


@dataclass(slots=True)
class Found:
    """What was found: the job, or jobs that may be it; neither where there is none."""

    job: BatchJob | None = None
    candidates: list[str] = field(default_factory=list)


async def look_for(endpoint: Endpoint, part: Part, marks: Marks, known: Collection[str]) -> Found:
    """The job of a part whose submit was not answered; `known` are the jobs of other parts."""
    since = part.intended - SKEW
    jobs = [job for job in await _newest(endpoint, since) if job.id not in known]
    if endpoint.has_metadata:
        wanted = marks.metadata(part.number)
        return Found(next((job for job in jobs if wanted.items() <= job.metadata.items()), None))
    unsure: list[str] = []
    for job in jobs:
        if job.counts.get("total") != len(part.lines) or (job.created is not None and job.created < since):
            continue
        if not job.is_done:
            unsure.append(job.id)
        elif await _is_ours(endpoint, job, part, marks):
            return Found(job)
    return Found(None, unsure)


async def _newest(endpoint: Endpoint, since: float) -> list[BatchJob]:
    """The jobs that are not older than a time."""
    limit = FIRST
    while True:
        found = await endpoint.list(limit)
        oldest = min((job.created for job in found if job.created is not None), default=None)
        if not found.has_more or limit >= MOST or (oldest is not None and oldest < since):
            return [job for job in found if job.created is None or job.created >= since]
        limit *= 10


async def _is_ours(endpoint: Endpoint, job: BatchJob, part: Part, marks: Marks) -> bool:
    """Whether the first result of a job answers a request of the part."""
    head = bytearray()

    def keep(piece: bytes) -> None:
        if b"\n" not in head:
            head.extend(piece)

    await endpoint.results(job, keep)
    line = marks.line_of(marks.custom_id_in(bytes(head).partition(b"\n")[0]))
    return line is not None and line in part.lines
