"""Limits for hb: requests and tokens per minute, calls at the same time and queues, for each target, key or tenant.

hb.Kernel(middleware=[Limits(rules=[{"match": "openai/*", "requests_per_minute": 500}])])
"""

from __future__ import annotations

from hb_limits.rates.middleware import Limits

__all__ = ["Limits"]
