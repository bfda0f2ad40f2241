"""What calls cost, what models can do, and how many tokens a text has: a dated table that hb asks, offline.

hb.LLM(model="gpt-5.5", provider="openai").complete("hi").cost    # Cost(amount=Decimal("0.0003"), currency="USD", …)

from hb_prices import estimate
estimate("How many tokens is this?", "openai", "gpt-5.5")         # TokenEstimate(tokens=6, low=6, high=6, …)
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hb_prices.prices import Prices
    from hb_prices.table import Table
    from hb_prices.tokens import TokenEstimate, estimate

__all__ = ["Prices", "Table", "TokenEstimate", "estimate"]

_HOMES = {"Prices": "prices", "Table": "table", "TokenEstimate": "tokens", "estimate": "tokens"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    setattr(sys.modules[__name__], name, found)
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
