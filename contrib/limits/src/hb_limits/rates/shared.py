"""The store that processes share: logs on a Redis server, at the server's own time.

While the server is away, each process goes by limits of its own, or lets nothing through.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from hmac import digest
from typing import TYPE_CHECKING, Any, Final

from hb_limits.rates import scripts
from hb_limits.rates.buckets import HELD, Bucket, Demand, Verdict
from hb_limits.rates.learning import LONGEST_HOLD
from hb_limits.rates.leases import LEASE, Leases
from hb_limits.rates.log import GRAINS
from hb_limits.server.circuit import PROBE_AFTER, Circuit
from hb_limits.server.connections import Server, ServerError
from hb_limits.server.threads import in_colour
from heavenbase.errors import RateLimitError

if TYPE_CHECKING:
    from logging import Logger

    from hb_limits.rates.memory import MemoryStore
    from hb_limits.rates.waiting import Waiter
    from hb_limits.server.settings import ServerSettings
    from heavenbase.call import Call

MICRO: Final = 1_000_000
SLEEP: Final = 0.5
"""Longest time after which one who waits asks again: requests of other processes may have given something back."""
STAY: Final = 1.5
"""Seconds for which one who waits keeps its place; a process that died loses it."""
TELL_EVERY: Final = 60.0


class SharedGrant:
    """What one request was given on the server: an entry for each window, and the name of its lease."""

    __slots__ = ("demand", "entries", "run")

    def __init__(self, demand: Demand, entries: list[bytes], run: str) -> None:
        self.demand = demand
        self.entries = entries
        self.run = run


class SharedStore:
    """Grants within limits that processes share. Without `local` nothing is let through while the server is away."""

    def __init__(
        self, settings: ServerSettings, local: MemoryStore | None, clock: Callable[[], float], logger: Logger
    ) -> None:
        self._place = settings.place
        self._server = Server(settings)
        self._tag = f"hb:limits:{{{settings.namespace}}}:".encode("utf-8", "surrogatepass")
        self._secret = sha256(self._tag).digest()
        self._local = local
        self._clock = clock
        self._logger = logger
        self._circuit = Circuit(clock)
        self._leases = Leases(self._server)
        self._runs = itertools.count()
        self._name = os.urandom(8).hex()
        self._told_at = float("-inf")

    @property
    def poll(self) -> float | None:
        """Longest sleep of one who waits."""
        return None if self._circuit.is_open else SLEEP

    def key(self, rule: str, subject: str) -> str:
        """The name of a bucket on the server: says neither whose it is nor with which credential."""
        return digest(self._secret, f"{rule}\0{subject}".encode("utf-8", "surrogatepass"), "sha256").hex()[:32]

    async def ask(self, call: Call, demand: Demand, waiter: Waiter | None) -> Verdict:
        """A grant, or the bucket that refuses for longest."""
        run = f"{self._name}.{os.getpid()}.{next(self._runs)}"  # a child that was forked counts on
        work = partial(self._ask, demand, waiter, run)
        try:
            return await in_colour(call, work, undo=self._undo)
        except ServerError as error:
            self._failed(error)
        if self._local is None:
            raise RateLimitError(
                f"the limits at {self._place} cannot be looked up, and without them no request is sent",
                code="limits_unknown",
                retryable=False,
                retry_after=PROBE_AFTER,
                provider=call.spec.provider,
                model=call.spec.model_id,
            )
        return await self._local.ask(call, demand, waiter)

    async def end(self, call: Call, grant: Any, came_to: Mapping[str, int]) -> None:
        """Note what a request came to, and that it is over."""
        if not isinstance(grant, SharedGrant):
            grant.end(came_to)
            return
        self._leases.drop(grant.run)
        rules, weights = [bucket.rule for bucket in grant.demand.buckets], grant.demand.weights
        units = {window.unit for rule in rules for window in rule.windows}
        is_other = any(came_to.get(unit, weights[unit]) != weights[unit] for unit in units)
        if not is_other and not any(rule.concurrency for rule in rules):
            return  # there is nothing to tell
        try:
            await in_colour(call, partial(self._end, grant, came_to))
        except ServerError as error:
            self._failed(error)

    async def give_up(self, call: Call, bucket: Bucket, waiter: Waiter) -> None:
        """Take one who waits no longer out of the line, so that those behind it go on."""
        if waiter.shared_ticket:
            try:
                await in_colour(call, partial(self._run, scripts.LEAVE, [self._full(bucket)], [waiter.id]))
            except ServerError as error:  # its place ends by itself
                self._failed(error)

    async def hold(self, call: Call, bucket: Bucket, seconds: float) -> None:
        """Let nothing through for a while, in no process."""
        if self._local is not None:
            await self._local.hold(call, bucket, seconds)
        args = [max(int(seconds * 1000), 1)]
        try:
            await in_colour(call, partial(self._run, scripts.HOLD, [self._full(bucket)], args))
        except ServerError as error:
            self._failed(error)

    # In a thread, where the call is async

    def _ask(self, demand: Demand, waiter: Waiter | None, run: str) -> Verdict:
        keys = [self._full(bucket) for bucket in demand.buckets]
        found = self._run(scripts.ASK, keys, [json.dumps(_asked(demand, waiter, run))])
        if found[0]:
            leased = [key for key, bucket in zip(keys, demand.buckets, strict=True) if bucket.rule.concurrency]
            if leased:
                self._leases.add(run, leased)
            return Verdict(SharedGrant(demand, found[1], run))
        _, place, wait, why, ticket = found
        if waiter is not None:
            waiter.shared_ticket = ticket.decode()
        why = why.decode()
        seconds = None if why == "concurrency" else int(wait) / MICRO
        return Verdict(None, demand.buckets[place - 1], seconds, HELD if why == "held" else why)

    def _end(self, grant: SharedGrant, came_to: Mapping[str, int]) -> None:
        entries, weights, over = iter(grant.entries), grant.demand.weights, []
        for bucket in grant.demand.buckets:
            changed = []
            for window in bucket.rule.windows:
                entry, weight = next(entries).decode(), weights[window.unit]
                if more := came_to.get(window.unit, weight) - weight:
                    changed.append((window.word, entry, more))
            over.append({"entries": changed, "run": grant.run if bucket.rule.concurrency else ""})
        self._run(scripts.END, [self._full(bucket) for bucket in grant.demand.buckets], [json.dumps(over)])

    def _undo(self, verdict: Verdict) -> None:
        if verdict.grant is not None:
            self._leases.drop(verdict.grant.run)
            try:
                self._end(verdict.grant, dict.fromkeys(verdict.grant.demand.weights, 0))
            except ServerError as error:
                self._failed(error)

    def _run(self, script: str, keys: list[bytes], args: list[Any]) -> Any:
        found = self._server.run(script, keys, args, self._circuit)
        if self._circuit.succeeded():
            self._logger.info("limits: %s works again", self._place)
        return found

    def _full(self, bucket: Bucket) -> bytes:
        return self._tag + bucket.key.encode()

    def _failed(self, error: ServerError) -> None:
        now = self._clock()
        if now - self._told_at >= TELL_EVERY:
            self._told_at = now
            meanwhile = "no request is sent" if self._local is None else "this process goes by limits of its own"
            self._logger.warning("limits: %s; meanwhile %s", error, meanwhile)

    def status(self) -> Mapping[str, Any]:
        """Whether the server answers."""
        return {"circuit": "open" if self._circuit.is_open else "closed"}

    def close(self) -> None:
        """Close the connections, and let go of nothing that still runs: its leases end by themselves."""
        self._leases.close()
        self._server.close()


def _asked(demand: Demand, waiter: Waiter | None, run: str) -> dict[str, Any]:
    buckets = []
    for bucket in demand.buckets:
        windows = [
            {
                "name": window.word,
                "span": window.seconds * MICRO,
                "grain": window.seconds * MICRO / GRAINS,
                "most": bucket.most(window),
                "weight": demand.weights[window.unit],
            }
            for window in bucket.rule.windows
        ]
        buckets.append({"windows": windows, "running": bucket.rule.concurrency or 0})
    me, ticket = (waiter.id, waiter.shared_ticket) if waiter is not None else ("", "")
    times = {"stay": int(STAY * MICRO), "lease": int(LEASE * MICRO), "longest": int(LONGEST_HOLD * MICRO)}
    return {"me": me, "ticket": ticket, "run": run, "buckets": buckets, **times}
