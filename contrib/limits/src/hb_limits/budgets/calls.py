"""Budgets for each call: of all its requests together, its repetitions, targets and rounds of tools included.

A call is known by its ledger, which all that is made of it shares.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from hb_limits.budgets.accounts import Account, Spent
from hb_limits.budgets.amounts import parts_of
from hb_limits.budgets.memory import MemoryStore
from hb_limits.forks import Lock
from hb_limits.reading import covers

if TYPE_CHECKING:
    from hb_limits.budgets.rules import Rule
    from heavenbase.call import Call
    from heavenbase.types import Attempt

KEPT: Final = 4096
"""Calls that are remembered; of those that came last, what they spent is known to the last part."""


class Calls:
    """The accounts of calls, in the memory of this process. Safe for threads."""

    def __init__(self, lease: float) -> None:
        self.store = MemoryStore(lease)
        self._known: OrderedDict[tuple[str, int], tuple[list[Attempt], Account]] = OrderedDict()
        self._numbers = itertools.count()
        self._lock = Lock()

    def account(self, rule: Rule, call: Call, most: Spent) -> Account:
        """The account of a call. `most` is taken for each request whose cost nobody told, where it was forgotten."""
        attempts = call.context.attempts
        key = (rule.name, id(attempts))  # held with the account, so that its id stays its own
        with self._lock:
            found = self._known.get(key)
            if found is not None:
                self._known.move_to_end(key)
                return found[1]
            made = Account(f"{rule.name}\0{next(self._numbers)}", rule)
            self._known[key] = attempts, made
            if len(self._known) > KEPT:
                self._forget()
        if attempts:
            self.store.begin(made, _spent(rule, call, most), call.services.wall())
        return made

    def _forget(self) -> None:
        for key, (_, account) in list(self._known.items())[: len(self._known) - KEPT]:
            if self.store.forget(account.key):
                del self._known[key]


def _spent(rule: Rule, call: Call, most: Spent) -> Spent:
    """What the ledger of a call tells of its requests so far."""
    money = tokens = 0
    for attempt in call.context.attempts:
        if not covers(rule.match, f"{attempt.provider}/{attempt.model}"):
            continue
        if attempt.usage is None and attempt.error is not None and not attempt.maybe_billed:
            continue
        cost = call.services.cost(attempt.provider, attempt.model, attempt.usage, attempt.started)
        is_known = cost is not None and cost.currency == rule.currency
        money += parts_of(cost.amount) if cost is not None and is_known else most.money
        total = attempt.usage.total_tokens if attempt.usage is not None else None
        tokens += most.tokens if total is None else total
    return Spent(money, tokens)
