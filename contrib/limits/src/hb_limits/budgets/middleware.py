"""The middleware `budgets`: each request is asked what it may come to before it is sent, and noted behind it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from hb_limits.budgets.accounts import Spent, Store, Want
from hb_limits.budgets.amounts import MOST, parts_of
from hb_limits.budgets.bounds import BILLED, NATIVE, Bound, bound_of
from hb_limits.budgets.keeper import Held, Keeper
from hb_limits.budgets.memory import MemoryStore
from hb_limits.budgets.rules import Rule, read_rules
from hb_limits.forks import Lock
from hb_limits.rates.tokens import UNSENT
from hb_limits.server.settings import SETTINGS, ServerSettings
from hb_limits.server.threads import counted
from hb_limits.streams import Heard, Watched
from heavenbase.errors import BudgetExceeded, HBError, InputError, SecurityWarning, warn_caller
from heavenbase.middleware import Middleware, Next, Place, Setting

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.types import Usage

STORES: Final = ("memory", "sqlite", "redis")
ON_STORE_FAILURE: Final = ("closed", "local")
UNKNOWN_PRICE: Final = ("refuse", "allow")
WHERE: Final = "heavenbase.middleware.budgets"
LONGEST_LEASE: Final = 365 * 86_400
LEASE: Final = 900
"""Seconds after which a request is held to be over whose process did not say so."""


class Budgets(Middleware):
    """Keeps requests within budgets: one that might go beyond is refused before it is sent, with BudgetExceeded.

    Args:
        rules: Tables of `name`, `match`, `per`, `every`, `money` with `currency`, `tokens`.
        unknown_price: "refuse", or "allow" requests of which nobody can tell before what they come to.
        store: "memory" of this process; "sqlite", a file for the processes of a machine; "redis" for several machines.
        path: The file of "sqlite"; `url` the server of "redis", `namespace` the name of those who share it.
        on_store_failure: "closed" for no request while the store is away, "local" for budgets of this process.
        lease_seconds: After which a request counts as spent, with all that was set aside, that nobody told the end of.
        timeout_ms: How long the server may take for an answer.

    Raises:
        UnknownNameError: A key or word that there is not, with the nearest; InputError for a wrong value.
    """

    name = "budgets"
    around: ClassVar[Place] = "attempt"
    settings: ClassVar[Mapping[str, Setting]] = {
        "rules": Setting("list[table]", [], "the budgets: name, match, per, every, money, currency, tokens"),
        "unknown_price": Setting("str", "refuse", "requests of which nobody can tell what they come to", UNKNOWN_PRICE),
        "store": Setting("str", "memory", "where it is kept what was spent", STORES),
        "path": Setting("str | null", None, "the file of the store sqlite"),
        "namespace": Setting("str | null", None, "name shared by those who share the budgets; Redis needs one"),
        "on_store_failure": Setting(
            "str", "closed", "while the store is away: no request, or budgets of this process", ON_STORE_FAILURE
        ),
        "lease_seconds": Setting(
            "int", LEASE, "seconds after which a request counts as spent that has no end", minimum=1
        ),
        **SETTINGS,
    }

    def __init__(self, **options: Any) -> None:
        if isinstance(options.get("rules"), list | tuple):
            options["rules"] = [_plain(table) for table in options["rules"]]
        super().__init__(**options)
        self._read("")

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take settings that were checked."""
        super().configure(options)
        self._read(f"{WHERE}.")

    def _read(self, prefix: str) -> None:
        options = self.options
        self.rules: tuple[Rule, ...] = read_rules(options["rules"], f"{prefix}rules")
        self._server = ServerSettings.of_store(options, prefix)
        self._keeper: Keeper | None = None
        self._lock = Lock()
        self._is_native_told = False
        kind = options["store"]
        if kind == "sqlite" and not (options["path"] or "").strip():
            raise InputError(f'{prefix}path is not set: the store "sqlite" needs a file, such as "~/.hb/budgets.db"')
        if options["lease_seconds"] > LONGEST_LEASE:
            raise InputError(f"{prefix}lease_seconds is at most {LONGEST_LEASE:,}, a year")
        if kind != "sqlite" and options["path"] is not None:
            raise InputError(f'{prefix}path is of the store "sqlite"; set {prefix}store to it too')

    async def __call__(self, call: Call, next: Next) -> Any:
        """The answer, where all budgets have room for the request."""
        rules = [rule for rule in self.rules if rule.covers(call)] if call.verb in (*BILLED, NATIVE) else []
        if not rules:
            return await next(call)
        if call.verb == NATIVE:
            self._tell_of_native(call, rules)
            return await next(call)
        keeper = self.keeper
        is_priced = any(rule.money is not None for rule in rules)
        bound = await counted(call, partial(bound_of, call, call.services.wall(), priced=is_priced))
        self._check(call, rules, bound, keeper)
        spending = _Spending(keeper, call, await keeper.reserve(call, rules, bound), bound)
        try:
            answer = await next(call)
        except BaseException as error:
            await spending.failed(error)
            raise
        if call.stream:
            return Watched(answer, spending.ended)
        await spending.answered(getattr(answer, "usage", None))
        return answer

    def _tell_of_native(self, call: Call, rules: list[Rule]) -> None:
        """Warn, once, that what is submitted now is not asked here what it may come to."""
        with self._lock:
            is_told, self._is_native_told = self._is_native_told, True
        if not is_told:
            names = ", ".join(repr(rule.name) for rule in rules)
            told = "`hb batch estimate --mode native` says before what it may cost, its rows what it did"
            warn_caller(f"a native batch of {call.target} counts in no budget, nor in {names}; {told}", SecurityWarning)

    def _check(self, call: Call, rules: list[Rule], bound: Bound, keeper: Keeper) -> None:
        """BudgetExceeded where nobody can tell what a request may come to, unless that is allowed."""
        for rule in rules:
            problem = bound.problem if rule.money is not None or bound.output is None else ""
            cost = bound.cost
            if not problem and rule.money is not None and cost is not None and cost.currency != rule.currency:
                problem = f"{call.target} is paid for in {cost.currency}"
            if not problem:
                continue
            if self.options["unknown_price"] == "allow":
                keeper.counts["unpriced"] += 1
                continue
            keeper.counts["refused"] += 1
            raise BudgetExceeded(
                f"the budget {rule.name!r} ({rule}) cannot say whether it has room: {problem} "
                f'(unknown_price = "allow" sends such requests all the same)',
                code=rule.name,
                provider=call.spec.provider,
                model=call.spec.model_id,
            )

    @property
    def keeper(self) -> Keeper:
        """What keeps the budgets; made on first use, as kernels may share them."""
        if self._keeper is None:
            with self._lock:
                if self._keeper is None:
                    self._keeper = self._made()
        return self._keeper

    def _made(self) -> Keeper:
        options, lease = self.options, float(self.options["lease_seconds"])
        memory = MemoryStore(lease)
        store: Store = memory
        place, sharing = "memory", ""
        if options["store"] == "sqlite":
            from hb_limits.budgets.sqlite import SQLiteStore

            place = os.path.expanduser(options["path"])
            store = SQLiteStore(place, lease)
        elif self._server is not None:
            from time import monotonic

            from hb_limits.budgets.shared import SharedStore

            place, sharing = self._server.place, self._server.namespace
            store = SharedStore(self._server, lease, monotonic)
        is_local = options["on_store_failure"] == "local" and store is not memory
        return Keeper(store, place, lease, memory if is_local else None, sharing)

    def status(self) -> Mapping[str, Any]:
        """The rules and the store, and what came through."""
        if self._server is not None:
            from hb_limits.server.connections import MISSING, is_installed

            if not is_installed():
                return {"problem": MISSING}
        found: dict[str, Any] = {"rules": ", ".join(rule.name for rule in self.rules) or None}
        found["store"] = self.options["store"] if self._server is None else self._server.place
        return {**found, **self._keeper.status()} if self._keeper is not None else found

    def close(self) -> None:
        """Let go of files and connections."""
        if self._keeper is not None:
            self._keeper.store.close()


def _plain(table: Any) -> Any:
    """A rule as settings have it, with its money as a text, where it was given in code as a Decimal."""
    if not isinstance(table, Mapping) or not isinstance(table.get("money"), Decimal):
        return table
    return {**table, "money": str(table["money"])}


class _Spending:
    """One request on its way, of which something is set aside. It is settled once."""

    def __init__(self, keeper: Keeper, call: Call, held: Held, bound: Bound) -> None:
        self._keeper, self._call, self._bound = keeper, call, bound
        self._held: Held | None = held
        self._made = len(call.context.attempts)

    async def answered(self, usage: Usage | None) -> None:
        """Note what an answer came to; as much as was set aside where nobody says it."""
        await self._settle(usage, is_least=False)

    async def broke(self, usage: Usage | None) -> None:
        """Note that nobody told what a request came to in the end: it counts as it was set aside, at least."""
        await self._settle(usage, is_least=True)

    async def ended(self, heard: Heard, error: BaseException | None) -> None:
        """Note how a stream ended."""
        if heard.is_whole:
            await self.answered(heard.usage)
        elif error is None or heard.has_content:  # what was delivered is billed, whatever the error says
            await self.broke(heard.usage)
        else:
            await self.failed(error)

    async def failed(self, error: BaseException) -> None:
        """Note how a request failed: what may have been billed counts as it was set aside, all else is given back."""
        if self._is_unbilled(error):
            held, self._held = self._held, None
            if held is not None:
                await self._keeper.settle(self._call, held, lambda _: Spent())
        else:
            await self.broke(getattr(getattr(error, "partial", None), "usage", None))

    def _is_unbilled(self, error: BaseException) -> bool:
        if isinstance(error, UNSENT):
            return True
        if isinstance(error, HBError):
            return not error.maybe_billed
        # Of what was cancelled before it was sent, the ledger has nothing; batches side by side share one.
        return len(self._call.context.attempts) == self._made

    async def _settle(self, usage: Usage | None, *, is_least: bool) -> None:
        held, self._held = self._held, None
        if held is None:
            return
        call, bound = self._call, self._bound
        ledger = call.context.attempts
        mine = next((attempt for attempt in reversed(ledger) if attempt.usage is usage), None) if usage else None
        mine = mine or (ledger[-1] if ledger else None)
        at = mine.started if mine is not None else call.services.wall()
        cost = call.services.cost(call.spec.provider, call.spec.model_id, usage, at)

        def came_to(want: Want) -> Spent:
            rule, most = want.account.rule, want.most
            money = tokens = 0
            if rule.money is not None:
                is_known = cost is not None and cost.currency == rule.currency
                money = parts_of(cost.amount) if cost is not None and is_known else most.money
                if is_least or (cost is not None and cost.at_least):
                    money = max(money, most.money)
            if rule.tokens is not None:
                tokens = _tokens(usage, bound)
                tokens = max(tokens, most.tokens) if is_least else tokens
            return Spent(money, tokens)

        await self._keeper.settle(call, held, came_to)


def _tokens(usage: Usage | None, bound: Bound) -> int:
    """The tokens of a usage; a side of it that is not told counts as it was set aside."""
    if usage is None:
        return bound.tokens
    prompt, answer = usage.prompt_tokens, usage.completion_tokens
    told = (bound.input if prompt is None else prompt) + ((bound.output or 0) if answer is None else answer)
    return min(max(told, 0), MOST)  # what no request can come to is still written
