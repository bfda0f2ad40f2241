"""The keeper of budgets: sets aside what a request may come to, and notes what it came to."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from hmac import digest
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hb_limits.budgets.accounts import Account, NotAsked, Refusal, Reserved, Row, Spent, Store, StoreError, Want
from hb_limits.budgets.amounts import parts_of, shown
from hb_limits.budgets.calls import Calls
from hb_limits.budgets.memory import MemoryStore
from hb_limits.budgets.windows import window_at
from hb_limits.forks import Lock
from hb_limits.server.threads import in_colour
from heavenbase.errors import BudgetExceeded

if TYPE_CHECKING:
    from hb_limits.budgets.bounds import Bound
    from hb_limits.budgets.rules import Rule
    from heavenbase.call import Call

OWED: Final = 10_000
"""What requests came to that could not be written, and is kept for when it can."""
TELL_EVERY: Final = 60.0
LABEL: Final = 100
"""Characters of a tenant's or session's name that are kept."""


class Held(NamedTuple):
    """What is set aside for one request: its name, and its wants in each store."""

    name: str
    parts: Sequence[tuple[Any, Sequence[Want]]]


class Owed(NamedTuple):
    """What requests came to that is to be written. `is_new`: the store knows nothing of it yet."""

    name: str
    wants: Sequence[Want]
    came_to: Sequence[Spent]
    is_new: bool = False


class Keeper:
    """Budgets of these rules in one store. Without `local`, no request is sent while the store cannot be asked."""

    def __init__(self, store: Store, place: str, lease: float, local: MemoryStore | None, sharing: str = "") -> None:
        self.store = store
        self.place = place
        self.calls = Calls(lease)
        self._local = local
        self._secret = sha256(f"hb:budgets:{sharing}".encode("utf-8", "surrogatepass")).digest()
        self._process = os.urandom(8).hex()
        self._numbers = itertools.count()
        self._owed: deque[Owed] = deque(maxlen=OWED)
        self._pid = os.getpid()
        self._meanwhile: dict[str, Want] = {}
        """What was spent of each account while the store could not be asked."""
        self._told_at = float("-inf")
        self._lock = Lock()
        self.counts = {"granted": 0, "refused": 0, "unpriced": 0}

    # Before a request

    async def reserve(self, call: Call, rules: Sequence[Rule], bound: Bound) -> Held:
        """Set aside what a request may come to, of all budgets or of none; BudgetExceeded where one has no room."""
        name = self._name()
        now = call.services.wall()
        parts: list[tuple[Any, Sequence[Want]]] = []
        try:
            asked = [(rule, rule.subject(call), most_of(rule, bound)) for rule in rules]
            own = [Want(self.calls.account(rule, call, most), most) for rule, subject, most in asked if subject is None]
            if own:
                self._take(call, self.calls.store.reserve(name, lambda _: own, now), now)
                parts.append((self.calls.store, own))
            if subjects := [(rule, subject, most) for rule, subject, most in asked if subject is not None]:
                store, reserved = await self._ask(call, name, partial(self._wants, call, subjects), now)
                self._take(call, reserved, now)
                parts.append((store, reserved.wants))
        except BaseException:
            for store, wants in parts:  # those of the call alone, which is in memory
                store.settle(name, wants, [Spent()] * len(wants), now)
            raise
        self.counts["granted"] += 1
        return Held(name, parts)

    def _name(self) -> str:
        return f"{self._process}.{os.getpid()}.{next(self._numbers)}"  # a child that was forked counts on

    async def _ask(
        self, call: Call, name: str, wants: Callable[[float], Sequence[Want]], now: float
    ) -> tuple[Store, Reserved]:
        work = partial(self._reserve, name, wants, now)
        try:
            if not self.store.is_blocking:
                return self.store, work()
            return self.store, await in_colour(call, work, undo=partial(self._undo, name, now))
        except StoreError as error:
            self._failed(call, error)
            if not isinstance(error, NotAsked):
                # What was perhaps set aside is given back as soon as the store can be asked.
                made = wants(now)
                self._owed.append(Owed(name, made, [Spent()] * len(made)))
            if self._local is not None:
                return self._local, self._local.reserve(name, wants, now)
            raise BudgetExceeded(
                f"the budgets in {self.place} cannot be looked up, and without them no request is sent",
                code="budgets_unknown",
                provider=call.spec.provider,
                model=call.spec.model_id,
            ) from None

    def _reserve(self, name: str, wants: Callable[[float], Sequence[Want]], now: float) -> Reserved:
        try:
            self._pay(now)
        except StoreError as error:
            raise NotAsked(str(error)) from error
        return self.store.reserve(name, wants, now)

    def _undo(self, name: str, now: float, reserved: Reserved) -> None:
        if not reserved.refused:
            self._settle(name, reserved.wants, [Spent()] * len(reserved.wants), now)

    def _take(self, call: Call, reserved: Reserved, now: float) -> None:
        if reserved.refused:
            self.counts["refused"] += 1
            raise refusal(call, reserved.refused, now)

    def _wants(self, call: Call, subjects: Sequence[tuple[Rule, str, Spent]], now: float) -> list[Want]:
        return [Want(self.account(rule, subject, now), most) for rule, subject, most in subjects]

    def account(self, rule: Rule, subject: str, now: float) -> Account:
        """The account of a rule for a subject at a time; says of a credential only a keyed hash."""
        window = window_at(rule.every, now)
        told = f"{rule.identity}\0{subject}".encode("utf-8", "surrogatepass")
        name = digest(self._secret, told, "sha256").hex()[:32]
        label = _shown(subject) if rule.per in ("tenant", "session") else name[:12] if rule.per == "key" else ""
        return Account(f"{name}:{window.start}", rule, label, window)

    # Behind a request

    async def settle(self, call: Call, held: Held, came_to: Callable[[Want], Spent]) -> None:
        """Note what a request came to, of each account."""
        now = call.services.wall()
        for store, wants in held.parts:
            spent = [came_to(want) for want in wants]
            if not store.is_blocking:
                store.settle(held.name, wants, spent, now)
                if store is self._local:
                    self._note(wants, spent)
                continue
            try:
                await in_colour(call, partial(self._settle, held.name, wants, spent, now))
            except StoreError as error:
                self._failed(call, error)

    def _settle(self, name: str, wants: Sequence[Want], spent: Sequence[Spent], now: float) -> None:
        self._owed.append(Owed(name, wants, spent))
        self._pay(now)

    def _note(self, wants: Sequence[Want], spent: Sequence[Spent]) -> None:
        """Add up what was spent meanwhile, for the store."""
        with self._lock:
            self._leave_to_parent()
            for want, more in zip(wants, spent, strict=True):
                before = self._meanwhile.get(want.account.key, Want(want.account, Spent())).most
                total = Spent(before.money + more.money, before.tokens + more.tokens)
                self._meanwhile[want.account.key] = Want(want.account, total)

    def _next(self) -> Owed | None:
        """What is to be written next; what was spent meanwhile comes last, as one."""
        with self._lock:
            self._leave_to_parent()
            if self._owed:
                return self._owed.popleft()
            wants, self._meanwhile = list(self._meanwhile.values()), {}
        return Owed(self._name(), wants, [want.most for want in wants], is_new=True) if wants else None

    def _leave_to_parent(self) -> None:
        """In a child that was forked: what its parent spent meanwhile is for the parent to write."""
        if self._pid != os.getpid():
            self._pid, self._meanwhile = os.getpid(), {}
            self._owed = deque((owed for owed in self._owed if not owed.is_new), OWED)

    def _pay(self, now: float) -> None:
        """Write what requests came to. What cannot be written is kept; it counts as it was set aside until then."""
        while (owed := self._next()) is not None:
            try:
                if owed.is_new:
                    self.store.reserve(owed.name, partial(_these, owed.wants), now, is_spent=True)
                    owed = owed._replace(is_new=False)
                self.store.settle(owed.name, owed.wants, owed.came_to, now)
            except StoreError:
                self._owed.appendleft(owed)
                raise

    # What is told

    def _failed(self, call: Call, error: StoreError) -> None:
        now = call.services.clock()
        with self._lock:
            if now - self._told_at < TELL_EVERY:
                return
            self._told_at = now
        meanwhile = "no request is sent" if self._local is None else "this process goes by budgets of its own"
        call.services.logger.warning("budgets: %s; meanwhile %s", error, meanwhile)

    def rows(self, now: float) -> list[Row]:
        """The accounts of the store."""
        self._pay(now)
        return self.store.rows(now)

    def status(self) -> Mapping[str, Any]:
        """What came through in this process."""
        unwritten = len(self._owed) + len(self._meanwhile)
        return {**self.counts, **({"unwritten": unwritten} if unwritten else {})}


def _these(wants: Sequence[Want], _: float) -> Sequence[Want]:
    return wants


def _shown(subject: str) -> str:
    """The name of a tenant or session as every store and terminal takes it; which one it is the key says."""
    plain = subject if subject.isprintable() else subject.encode("unicode_escape").decode()
    return plain if len(plain) <= LABEL else f"{plain[:LABEL]}…"


def most_of(rule: Rule, bound: Bound) -> Spent:
    """What a request may come to of a budget, as far as it is known."""
    cost = bound.cost if rule.money is not None else None
    money = parts_of(cost.amount) if cost is not None and cost.currency == rule.currency else 0
    return Spent(money, bound.tokens if rule.tokens is not None else 0)


def refusal(call: Call, refused: Sequence[Refusal], now: float) -> BudgetExceeded:
    """The error for a request that is not sent: which budget has how much left, and until when."""

    def back(each: Refusal) -> float:
        # What is more than the whole budget never fits.
        fits = not _is_more(each)
        return each.account.window.end if fits and each.account.window.end is not None else float("inf")

    last = max(refused, key=back)
    rule, most, used, window = last.account.rule, last.most, last.used, last.account.window
    left, needed = [], []
    if rule.money is not None:
        left.append(f"{shown(max(rule.money - used.money, 0))} {rule.currency}")
        needed.append(f"{shown(most.money, up=True)} {rule.currency}")
    if rule.tokens is not None:
        left.append(f"{max(rule.tokens - used.tokens, 0):,} tokens")
        needed.append(f"{most.tokens:,} tokens")
    text = (
        f"the budget {rule.name!r} ({rule}) has {' and '.join(left)} left, and a request to {call.target} may come to "
        f"{' and '.join(needed)}"
    )
    if _is_more(last):
        text += "; that is more than the whole budget: give max_tokens, a shorter prompt, or a cheaper model"
    elif window.end is not None:
        text += f"; it is whole again at {window.ends}"
    wait = back(last)
    return BudgetExceeded(
        text,
        code=rule.name,
        retry_after=max(wait - now, 0.0) if wait != float("inf") else None,
        provider=call.spec.provider,
        model=call.spec.model_id,
    )


def _is_more(each: Refusal) -> bool:
    rule, most = each.account.rule, each.most
    return (rule.money is not None and most.money > rule.money) or (
        rule.tokens is not None and most.tokens > rule.tokens
    )
