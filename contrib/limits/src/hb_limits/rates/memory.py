"""The store of one process: logs on the kernel's own clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hb_limits.forks import Lock
from hb_limits.rates.buckets import HELD, Bucket, Demand, Verdict

if TYPE_CHECKING:
    from hb_limits.rates.log import Entry, Log
    from heavenbase.call import Call


class Grant:
    """What one request was given: its entries in the logs, and its places among those that run."""

    __slots__ = ("_entries", "_lock", "demand", "is_over")

    def __init__(self, demand: Demand, entries: list[tuple[str, int, Log, Entry]], lock: Lock) -> None:
        self.demand = demand
        self._entries = entries
        self._lock = lock
        self.is_over = False

    def end(self, came_to: Mapping[str, int]) -> None:
        """Give the places back, and note what the request came to, by unit."""
        with self._lock:
            if self.is_over:
                return
            self.is_over = True
            for unit, weight, log, entry in self._entries:
                if unit in came_to:
                    log.change(entry, came_to[unit] - weight)
            for bucket in self.demand.buckets:
                if bucket.rule.concurrency is not None:
                    bucket.running -= 1


class MemoryStore:
    """Grants within the limits of one process. All or nothing: where one bucket refuses, none is used."""

    poll: float | None = None
    """Longest sleep of one who waits; None where it is told of all that makes room."""

    def __init__(self, lock: Lock) -> None:
        self._lock = lock

    def key(self, rule: str, subject: str) -> str:
        """The name of a bucket among those who share it: nobody does."""
        return ""

    async def ask(self, call: Call, demand: Demand, waiter: object) -> Verdict:
        """A grant, or the bucket that refuses for longest."""
        now, weights = call.context.clock(), demand.weights
        with self._lock:
            refused = Verdict()
            for bucket in demand.buckets:
                wait, why = _wait(bucket, weights, now)
                if why and (refused.bucket is None or (wait or 0.0) > (refused.wait or 0.0)):
                    refused = Verdict(None, bucket, wait, why)
            if refused.bucket is not None:
                return refused
            entries = []
            for bucket in demand.buckets:
                bucket.running += bucket.rule.concurrency is not None
                for window, log in zip(bucket.rule.windows, bucket.logs, strict=True):
                    weight = weights[window.unit]
                    entries.append((window.unit, weight, log, log.add(now, weight)))
            return Verdict(Grant(demand, entries, self._lock))

    async def end(self, call: Call, grant: Grant, came_to: Mapping[str, int]) -> None:
        """Note what a request came to, and that it is over."""
        grant.end(came_to)

    async def give_up(self, call: Call, bucket: Bucket, waiter: object) -> None:
        """Take one who waits no longer out of the line: it is the pool that keeps that."""

    async def hold(self, call: Call, bucket: Bucket, seconds: float) -> None:
        """Let nothing through for a while."""
        with self._lock:
            bucket.held_until = max(bucket.held_until, call.context.clock() + seconds)

    def status(self) -> Mapping[str, Any]:
        """What is to be told of the store."""
        return {}

    def close(self) -> None:
        """There is nothing to close."""


def _wait(bucket: Bucket, weights: Mapping[str, int], now: float) -> tuple[float | None, str]:
    """Seconds until a bucket has room, and why it has none; "" where it has."""
    longest, why = 0.0, ""
    if bucket.held_until > now:
        longest, why = bucket.held_until - now, HELD
    for window, log in zip(bucket.rule.windows, bucket.logs, strict=True):
        wait = log.wait(now, weights[window.unit], bucket.most(window))
        if wait > longest:
            longest, why = wait, window.word
    if not why and bucket.rule.concurrency is not None and bucket.running >= bucket.rule.concurrency:
        return None, "concurrency"
    return longest, why
