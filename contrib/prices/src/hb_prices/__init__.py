"""What calls cost, what models can do, and how many tokens a text has: a dated table that hb asks, offline.

hb.LLM(model="gpt-5.5", provider="openai").complete("hi").cost    # Cost(amount=Decimal("0.0003"), currency="USD", …)

from hb_prices import estimate
estimate("How many tokens is this?", "openai", "gpt-5.5")         # TokenEstimate(tokens=6, low=6, high=6, …)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase.utils import front

if TYPE_CHECKING:
    from hb_prices.prices import Prices
    from hb_prices.table import Table
    from hb_prices.tokens import TokenEstimate, estimate

__all__ = ["Prices", "Table", "TokenEstimate", "estimate"]

__getattr__, __dir__ = front(__name__, {"prices": "Prices", "table": "Table", "tokens": "TokenEstimate estimate"})
