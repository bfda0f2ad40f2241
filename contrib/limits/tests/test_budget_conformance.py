"""The middleware keeps the contract of middlewares, with and without rules."""

from __future__ import annotations

from typing import Any

from hb_testing import MiddlewareContract


class TestBudgets(MiddlewareContract):
    middleware = "budgets"


class TestBudgetsWithRules(MiddlewareContract):
    middleware = "budgets"

    def settings(self) -> dict[str, Any]:
        rules = [{"money": "1000"}, {"per": "call", "tokens": 10**9}, {"per": "key", "every": "day", "money": "9"}]
        return {"heavenbase.middleware.budgets": {"rules": rules, "unknown_price": "allow"}}
