"""A cap on what a run may cost: each request reserves what it costs at most, before it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hb_batch.rows import Row
from hb_batch.runs.pricing import expected, price
from heavenbase.errors import BudgetExceeded
from heavenbase.ledger import Cost
from heavenbase.spec import LLMSpec


class CapReached(BudgetExceeded, kind="budget"):
    """The next request could pass the cap: the run stops, and can be gone on with under a higher one."""


class Budget:
    """Keeps what was spent and what is reserved below the cap. `spent` begins with what earlier runs came to."""

    def __init__(self, kernel: Any, cap: Decimal, *, allows_unknown: bool, spent: Decimal) -> None:
        self.spent = spent
        self._kernel, self._cap, self._allows_unknown = kernel, cap, allows_unknown
        self.reserved = Decimal(0)
        self._changed = asyncio.Condition()

    async def reserve(self, spec: LLMSpec, row: Row, options: Mapping[str, Any]) -> Decimal:
        """Set aside what a request costs at most, when what others have set aside leaves room for it.

        CapReached where it does not fit though nothing is in flight, and where its price is not known; InputError for
        a request that cannot be sent.
        """
        most = price(self._kernel.services, spec, expected(self._kernel, spec, row, options).most)
        if most is not None and most.currency != "USD":
            most = None
        if most is None:
            if self._allows_unknown:
                return Decimal(0)
            raise CapReached(
                f"line {row.line}: what {spec.provider}/{spec.model_id} costs at most is not known; give max_tokens "
                "and install a table of prices (pip install hb-prices), or allow unknown costs"
            )
        async with self._changed:
            while self.spent + self.reserved + most.amount > self._cap:
                if not self.reserved:
                    raise CapReached(
                        f"{self.spent:f} USD are spent, and the next request may cost {most.amount:f}: "
                        f"that would pass {self._cap:f}"
                    )
                await self._changed.wait()
            self.reserved += most.amount
        return most.amount

    async def settle(self, reserved: Decimal, cost: Cost | None, *, may_be_billed: bool) -> None:
        """Turn what was set aside into what it cost; where nobody knows, and it may have been billed, all of it."""
        known = cost.amount if cost is not None and cost.currency == "USD" else None
        async with self._changed:
            self.reserved -= reserved
            if known is not None and not (may_be_billed and cost is not None and cost.at_least):
                self.spent += known
            elif may_be_billed:
                self.spent += max(reserved, known or Decimal(0))
            self._changed.notify_all()
