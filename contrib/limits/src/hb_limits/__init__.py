"""Limits for hb: requests and tokens per minute, calls at the same time and queues, for each target, key or tenant.

And budgets of money and tokens, which are asked before each request.

    hb.Kernel(middleware=[Limits(rules=[{"match": "openai/*", "requests_per_minute": 500}])])
    hb.Kernel(middleware=[Budgets(rules=[{"per": "tenant", "every": "day", "money": "5.00"}])])
"""

from __future__ import annotations

from hb_limits.budgets.middleware import Budgets
from hb_limits.rates.middleware import Limits

__all__ = ["Budgets", "Limits"]
