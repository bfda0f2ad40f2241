"""The ledger of a call: what became of its parameters and of its targets, what it cost, the provider's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.ledger.attempts import Attempt
    from heavenbase.ledger.costs import Cost, cost_of
    from heavenbase.ledger.hops import Hop
    from heavenbase.ledger.limits import rate_limits
    from heavenbase.ledger.report import ParameterEntry, ParameterReport

__all__ = ["Attempt", "Cost", "Hop", "ParameterEntry", "ParameterReport", "cost_of", "rate_limits"]

__getattr__, __dir__ = front(
    __name__,
    {
        "attempts": "Attempt",
        "costs": "Cost cost_of",
        "hops": "Hop",
        "limits": "rate_limits",
        "report": "ParameterEntry ParameterReport",
    },
)
