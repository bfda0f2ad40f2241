"""Why a call went to the target that answered it: what became of each target on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from heavenbase.details import Record

Fate: TypeAlias = Literal["served", "failed", "rejected", "skipped", "open"]


@dataclass(slots=True)
class Hop(Record):
    """What became of one target of a route, in the order in which they were looked at.

    `target` is `provider/model`, or the name that was given where it could not be resolved. It "served", or "failed"
    (`reason` is the kind of the error), its answer was "rejected" by a judge, it was "skipped" before anything was sent
    (`reason` says what it lacks), or left alone as its breaker is "open". `waited` are seconds spent waiting for it.
    """

    target: str
    outcome: Fate
    reason: str = ""
    waited: float = 0.0
