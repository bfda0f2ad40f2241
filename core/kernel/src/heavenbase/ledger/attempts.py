"""The requests of a call, as its ledger has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, TypeAlias

from heavenbase.details import Record, Usage
from heavenbase.errors import StructuredOutputError
from heavenbase.ledger.costs import Cost

Reckoner: TypeAlias = "Callable[[str, str, Usage | None, float], Cost | None]"
"""What a usage cost: asked with a provider, the id of a model there, the usage, and a time in epoch seconds."""
_WHOLE = (None, StructuredOutputError.kind)
"""What stands as the error of a request whose answer came as a whole."""


@dataclass(slots=True)
class Attempt(Record):
    """One request on the wire. `started` is epoch seconds, `elapsed` seconds, `error` the kind of the error or None.

    `reason` says why it was made, where it is not the first of its call; `waited` are the seconds between the failure
    before it, or the beginning of the call, and its own beginning that hb spent waiting. `rejected` is why a judge
    refused its answer. `cost` is what it cost; None where that is not known. In the ledger of a call it is reckoned
    each time that it is read, since most are never read.
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
    def of_ledger(cls, provider: str, model: str, gateway: str, started: float, cost: Reckoner) -> Self:
        """A request that a kernel makes now, and what reckons its cost when somebody reads it."""
        attempt = cls(provider, model, gateway, started)
        attempt.cost = cost  # type: ignore[assignment]  # what is read is a Cost, by the property below
        return attempt

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The attempt that `to_dict` wrote."""
        kinds: Mapping[str, type[Record]] = {"usage": Usage, "cost": Cost}
        nested = {name: kind.from_dict(data[name]) for name, kind in kinds.items() if name in data}
        return super(Attempt, cls).from_dict({**data, **nested})


_HELD: Any = Attempt.__dict__["cost"]
"""The slot of `cost`: an amount that is known, None, or what reckons it."""


def _cost(attempt: Attempt) -> Cost | None:
    held = _HELD.__get__(attempt)
    if held is None or isinstance(held, Cost):
        return held
    found: Cost | None = held(attempt.provider, attempt.model, attempt.usage, attempt.started)
    if found is not None and attempt.error not in _WHOLE:
        return replace(found, at_least=True)  # it was told before the answer broke off
    return found


Attempt.cost = property(_cost, _HELD.__set__)  # type: ignore[assignment, misc]  # behind the class: dataclasses make the slot
