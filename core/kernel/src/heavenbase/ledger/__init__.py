"""The ledger of a call: what became of its parameters and of the targets on its way, and the provider's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.ledger.hops import Hop
    from heavenbase.ledger.limits import rate_limits
    from heavenbase.ledger.report import ParameterEntry, ParameterReport

__all__ = ["Hop", "ParameterEntry", "ParameterReport", "rate_limits"]

__getattr__, __dir__ = front(
    __name__, {"hops": "Hop", "limits": "rate_limits", "report": "ParameterEntry ParameterReport"}
)
