"""The requests of a call, as its ledger has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from heavenbase.details import Record, Usage
from heavenbase.ledger.costs import Cost


@dataclass(slots=True)
class Attempt(Record):
    """One request on the wire. `started` is epoch seconds, `elapsed` seconds, `error` the kind of the error or None.

    `reason` says why it was made, where it is not the first of its call; `waited` are the seconds between the failure
    before it, or the beginning of the call, and its own beginning that hb spent waiting. `rejected` is why a judge
    refused its answer. `cost` is what it cost; None where that is not known.
    """

    provider: str
    model: str
    gateway: str
    started: float = 0.0
    elapsed: float | None = None
    status: int | None = None
    error: str | None = None
    request_id: str | None = None
    usage: Usage | None = None
    maybe_billed: bool = False
    reason: str | None = None
    waited: float | None = None
    rejected: str | None = None
    cost: Cost | None = None

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The attempt that `to_dict` wrote."""
        kinds: Mapping[str, type[Record]] = {"usage": Usage, "cost": Cost}
        nested = {name: kind.from_dict(data[name]) for name, kind in kinds.items() if name in data}
        return super(Attempt, cls).from_dict({**data, **nested})
