"""The store of one process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from hb_limits.budgets.accounts import LATE, Account, Refusal, Reserved, Row, Spent, Want, is_over
from hb_limits.forks import Lock

SWEEP: Final = 60.0
"""Seconds after which what may be forgotten is looked for again."""
NOTHING: Final = Spent()


@dataclass(slots=True)
class _Entry:
    account: Account
    used: Spent = NOTHING
    open: dict[str, tuple[Spent, float]] = field(default_factory=dict)
    """What is set aside, by the name of its request, and when that is held to be over."""
    kept_until: float | None = None

    def is_over(self, now: float) -> bool:
        """Whether it is to be forgotten."""
        return self.kept_until is not None and self.kept_until <= now


class MemoryStore:
    """Accounts in memory, for threads and tasks of one process."""

    is_blocking = False

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._entries: dict[str, _Entry] = {}
        self._lock = Lock()
        self._sweep_at = float("-inf")

    def reserve(
        self, name: str, wants: Callable[[float], Sequence[Want]], now: float, *, is_spent: bool = False
    ) -> Reserved:
        """Set aside what a request wants of all accounts, or of none."""
        wanted = wants(now)
        with self._lock:
            if now >= self._sweep_at:
                self._sweep(now)
            entries = [self._entry(want.account, now) for want in wanted]
            refused = [
                Refusal(want.account, want.most, entry.used)
                for want, entry in zip(wanted, entries, strict=True)
                if not is_spent and is_over(want, entry.used)
            ]
            if refused:
                return Reserved(wanted, refused)
            for want, entry in zip(wanted, entries, strict=True):
                entry.used = _changed(entry.used, want.most)
                entry.open[name] = want.most, now + self._lease
        return Reserved(wanted)

    def settle(self, name: str, wants: Sequence[Want], came_to: Sequence[Spent], now: float) -> None:
        """Note what a request came to."""
        with self._lock:
            for want, spent in zip(wants, came_to, strict=True):
                entry = self._entries.get(want.account.key)
                held = entry.open.pop(name, None) if entry is not None else None
                if entry is not None and held is not None:
                    entry.used = _changed(entry.used, spent, held[0])

    def begin(self, account: Account, used: Spent, now: float) -> None:
        """Open an account of which something was spent already."""
        with self._lock:
            self._entry(account, now).used = used

    def forget(self, key: str) -> bool:
        """Forget an account; False where something is set aside of it."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry.open:
                return False
            self._entries.pop(key, None)
            return True

    def rows(self, now: float) -> list[Row]:
        """All accounts."""
        with self._lock:
            return [_row(entry, now) for entry in self._entries.values() if not entry.is_over(now)]

    def reset(self, keys: Sequence[str], now: float) -> None:
        """Take back what was spent of these accounts."""
        with self._lock:
            for key in keys:
                if (entry := self._entries.get(key)) is not None:
                    entry.open = {name: held for name, held in entry.open.items() if held[1] > now}
                    entry.used = _total(held for held, _ in entry.open.values())

    def close(self) -> None:
        """There is nothing to let go of."""

    def _entry(self, account: Account, now: float) -> _Entry:
        found = self._entries.get(account.key)
        if found is None or found.is_over(now):
            found = self._entries[account.key] = _Entry(account)
        found.kept_until = account.kept_until(now)
        return found

    def _sweep(self, now: float) -> None:
        self._sweep_at = now + SWEEP
        for key, entry in list(self._entries.items()):
            if entry.is_over(now):
                del self._entries[key]
                continue
            for name in [name for name, (_, ends) in entry.open.items() if ends + LATE <= now]:
                del entry.open[name]


def _changed(used: Spent, more: Spent = NOTHING, less: Spent = NOTHING) -> Spent:
    return Spent(used.money + more.money - less.money, used.tokens + more.tokens - less.tokens)


def _total(parts: Iterable[Spent]) -> Spent:
    total = NOTHING
    for part in parts:
        total = _changed(total, part)
    return total


def _row(entry: _Entry, now: float) -> Row:
    reserved = _total(most for most, ends in entry.open.values() if ends > now)
    account = entry.account
    return Row(
        account.key, account.rule.name, account.label, account.window, _changed(entry.used, less=reserved), reserved
    )
