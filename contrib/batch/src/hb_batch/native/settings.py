"""How a native batch is run, how far it is, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from heavenbase.errors import InputError


@dataclass(frozen=True, slots=True)
class NativeSettings:
    """Limits of a part beside those of the provider, and waits in seconds.

    A part is kept in memory while it is sent, so that `most_bytes` bounds what a run needs. Jobs are looked at after
    `poll` seconds, then at longer intervals, up to `longest`. Where the provider cannot be reached, the run goes on for
    `patience` seconds. A submit that nobody answered is looked for in the provider's list of jobs for `settle` seconds
    before it is sent again, as a job may show there late; with `resubmit` it is sent again at once where it is not
    there, or nobody can tell. With `keep_files` nothing is deleted at the provider when its rows are written.
    """

    most_requests: int | None = None
    most_bytes: int = 100_000_000
    poll: float = 5.0
    longest: float = 120.0
    patience: float = 3600.0
    settle: float = 600.0
    resubmit: bool = False
    keep_files: bool = False

    def __post_init__(self) -> None:
        for name in ("most_requests", "most_bytes"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise InputError(f"{name} must be a whole number from 1, not {value!r}")
        for name in ("poll", "longest", "patience", "settle"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
                raise InputError(f"{name} must be seconds above 0, not {value!r}")


@dataclass(frozen=True, slots=True)
class NativeProgress:
    """How far the provider is: requests in all its jobs, those it is done with, and jobs by status."""

    requests: int
    done: int
    jobs: Mapping[str, int]


@dataclass(slots=True)
class NativeReport:
    """What came of a run: rows by status, the jobs by part, and results that no row was made of.

    `unknown` are custom_ids in results that the part does not have, `doubled` those of two results that differ; `left`
    says what could not be deleted at the provider, and `files` are those on disk with results that no row has.
    """

    counts: dict[str, int] = field(default_factory=dict)
    jobs: dict[int, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    is_complete: bool = True
