"""The kit for middlewares: in both colours, with limits that are there and let all through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hb_testing import MiddlewareContract


class TestLimits(MiddlewareContract):
    middleware = "limits"

    def settings(self) -> Mapping[str, Any]:
        """Limits of every kind, none of which is reached."""
        rule = {"requests_per_minute": 10_000, "tokens_per_minute": 10_000_000, "concurrency": 100, "per": "key"}
        return {"heavenbase.middleware.limits.rules": [rule, {"match": "conformance/*", "tokens_per_day": 10**9}]}
