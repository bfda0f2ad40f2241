"""Accounts: what was spent of one budget for one subject in one window. What a request asks of them are its wants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from hb_limits.budgets.windows import FOR_EVER, Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from hb_limits.budgets.rules import Rule

LATE: Final = 86400
"""Seconds for which what a request came to is still taken behind the end of its lease, and of its window."""
SESSION: Final = 30 * 86400
"""Seconds after which a session is forgotten that nobody went on with."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account. `key` names it among all of a store, `label` for people: it tells of no credential."""

    key: str
    rule: Rule
    label: str = ""
    window: Window = FOR_EVER

    def kept_until(self, now: float) -> float | None:
        """When it may be forgotten, in epoch seconds; None for never."""
        if self.rule.per == "session":
            return now + SESSION
        return None if self.window.end is None else self.window.end + LATE


class Spent(NamedTuple):
    """Money in parts, and tokens."""

    money: int = 0
    tokens: int = 0


class Want(NamedTuple):
    """What a request may come to, of one account."""

    account: Account
    most: Spent


class Refusal(NamedTuple):
    """An account that has no room, with what was spent or reserved of it."""

    account: Account
    most: Spent
    used: Spent


class Row(NamedTuple):
    """What a store knows of an account, for people. What is reserved is not in `spent`."""

    key: str
    rule: str
    label: str
    window: Window
    spent: Spent
    reserved: Spent


class StoreError(Exception):
    """A store cannot be asked. It stays inside this package."""


class NotAsked(StoreError):
    """It was not even tried: nothing of the request is in the store."""


class Store(Protocol):
    """Where accounts are kept. All methods may be called from any thread; those of a blocking one may take a while."""

    is_blocking: bool

    def reserve(
        self, name: str, wants: Callable[[float], Sequence[Want]], now: float, *, is_spent: bool = False
    ) -> Reserved:
        """Set aside what a request wants of all accounts, or of none. `wants` are made for the store's own time.

        What `is_spent` already is set aside whatever room there is, once under one name.
        """

    def settle(self, name: str, wants: Sequence[Want], came_to: Sequence[Spent], now: float) -> None:
        """Note what the request of this name came to, once: each account's part in the place of what was set aside."""

    def rows(self, now: float) -> list[Row]:
        """All accounts."""

    def reset(self, keys: Sequence[str], now: float) -> None:
        """Take back what was spent of these accounts; what is reserved stays."""

    def close(self) -> None:
        """Let go of files and connections."""


class Reserved(NamedTuple):
    """The wants of a request for the time of its store, and who refused them; where none did, they are set aside."""

    wants: Sequence[Want]
    refused: Sequence[Refusal] = ()


def is_over(want: Want, used: Spent) -> bool:
    """Whether what is wanted is more than what is left."""
    rule, most = want.account.rule, want.most
    over_money = rule.money is not None and used.money + most.money > rule.money
    return over_money or (rule.tokens is not None and used.tokens + most.tokens > rule.tokens)
