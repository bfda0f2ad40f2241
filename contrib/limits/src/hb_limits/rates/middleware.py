"""The middleware `limits`: each request goes through the limits before it is on the wire, and is settled behind it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final
from weakref import WeakKeyDictionary

from hb_limits.forks import Lock
from hb_limits.rates.learning import lesson
from hb_limits.rates.memory import MemoryStore
from hb_limits.rates.pool import Pool
from hb_limits.rates.rules import Rule, read_rules
from hb_limits.rates.tokens import unused, used
from hb_limits.server.settings import SETTINGS, ServerSettings
from hb_limits.server.threads import counted
from hb_limits.streams import Heard, Watched
from heavenbase.errors import RateLimitError
from heavenbase.middleware import Middleware, Next, Place, Setting

if TYPE_CHECKING:
    from hb_limits.rates.buckets import Demand
    from heavenbase.call import Call

STORES: Final = ("memory", "redis")
ON_STORE_FAILURE: Final = ("local", "closed")
WHERE: Final = "heavenbase.middleware.limits"


class Limits(Middleware):
    """Keeps requests within limits: they wait their turn, or are refused before they are sent.

    Args:
        rules: Tables of `match`, `per`, rates such as `requests_per_minute`, `concurrency`, `max_queued`, `on_limit`.
        store: "memory", or "redis" for limits that processes share.
        url: The Redis server. `namespace` is the name of those who share the limits.
        on_store_failure: "local" for limits of this process while the server is away, "closed" for none through.
        learn: Whether what providers say of their limits counts.
        timeout_ms: How long the server may take for an answer.

    Raises:
        UnknownNameError: A key or word that there is not, with the nearest; InputError for a wrong value.
    """

    name = "limits"
    around: ClassVar[Place] = "attempt"
    settings: ClassVar[Mapping[str, Setting]] = {
        "rules": Setting("list[table]", [], "what is limited: match, per, rates, concurrency, max_queued, on_limit"),
        "store": Setting("str", "memory", "where it is counted", STORES),
        "namespace": Setting("str | null", None, "name shared by those who share the limits; Redis needs one"),
        "on_store_failure": Setting(
            "str", "local", "while the server is away: limits of this process, or none through", ON_STORE_FAILURE
        ),
        "learn": Setting("bool", True, "go by what providers say of their limits"),
        **SETTINGS,
    }

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._read("")

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take settings that were checked."""
        super().configure(options)
        self._read(f"{WHERE}.")

    def _read(self, prefix: str) -> None:
        self._rules: tuple[Rule, ...] = read_rules(self.options["rules"], f"{prefix}rules")
        self._server = ServerSettings.of_store(self.options, prefix)
        self._pools: WeakKeyDictionary[Any, Pool] = WeakKeyDictionary()
        self._lock = Lock()

    async def __call__(self, call: Call, next: Next) -> Any:
        """The answer, once the request was let through."""
        if "." in call.verb and is_local(call.verb):
            return await next(call)
        pool = self._pool(call)
        demand = await counted(call, partial(pool.demand, call))
        if not demand.buckets:
            return await next(call)
        grant = await pool.enter(call, demand)
        held = _Held(pool, call, grant, demand, learns=self.options["learn"])
        try:
            answer = await next(call)
        except BaseException as error:
            await held.end(error=error)
            raise
        if call.stream:
            return Watched(answer, held.ended, held.began if self.options["learn"] else None)
        await held.end(answer.usage if hasattr(answer, "usage") else None)
        return answer

    def _pool(self, call: Call) -> Pool:
        kernel = call.services.kernel
        found = self._pools.get(kernel)
        # A child that was forked begins anew: what its parent's threads hold nobody here gives back.
        if found is None or found.process != os.getpid():
            with self._lock:
                found = self._pools.get(kernel)
                if found is None or found.process != os.getpid():
                    found = self._pools[kernel] = self._made(call)
        return found

    def _made(self, call: Call) -> Pool:
        lock = Lock()
        store: Any = MemoryStore(lock)
        if self._server is not None:
            from hb_limits.rates.shared import SharedStore

            is_closed = self.options["on_store_failure"] == "closed"
            services = call.services  # of which nothing is kept that keeps its kernel
            store = SharedStore(self._server, None if is_closed else store, services.clock, services.logger)
        return Pool(self._rules, store, lock, learns=self.options["learn"])

    def status(self) -> Mapping[str, Any]:
        """The rules and the store, and what came through."""
        if self._server is not None:
            from hb_limits.server.connections import MISSING, is_installed

            if not is_installed():
                return {"problem": MISSING}
        found: dict[str, Any] = {"rules": ", ".join(rule.name for rule in self._rules) or None}
        found["store"] = "memory" if self._server is None else self._server.place
        for pool in list(self._pools.values()):
            found |= pool.status()
        return found

    def close(self) -> None:
        """Close the connections."""
        for pool in list(self._pools.values()):
            pool.close()


def is_local(operation: str) -> bool:
    """Whether an operation sends nothing."""
    from heavenbase.operations import LOCAL  # which plain calls need not load

    return operation in LOCAL


class _Held:
    """What one request holds while it runs. It is given back once."""

    def __init__(self, pool: Pool, call: Call, grant: Any, demand: Demand, *, learns: bool) -> None:
        self._pool, self._call, self._grant, self._demand, self._learns = pool, call, grant, demand, learns

    async def began(self) -> None:
        """Learn what the headers of a stream tell, when it begins: it may take long, or be left."""
        call = self._call
        self._learns = False
        limits = call.context.limits() if call.context.headers else None
        if limits is not None and (learnt := lesson(limits)):
            await self._pool.learn(call, self._demand, learnt)

    async def ended(self, heard: Heard, error: BaseException | None) -> None:
        """Note how a stream ended."""
        self._learns = self._learns or isinstance(error, RateLimitError)
        await self.end(heard.usage, error)

    async def end(self, usage: Any = None, error: BaseException | None = None) -> None:
        """Note how the request ended: with this usage, or this error."""
        call, grant, self._grant = self._call, self._grant, None
        if grant is None:
            return
        try:
            if self._learns:
                refused = error if isinstance(error, RateLimitError) else None
                if error is not None:
                    limits = getattr(error, "rate_limits", None)
                else:
                    limits = call.context.limits() if call.context.headers else None
                if learnt := lesson(limits, refused.retry_after if refused is not None else None):
                    await self._pool.learn(call, self._demand, learnt)
        finally:
            await self._pool.leave(call, grant, used(usage) if error is None else unused(error))
