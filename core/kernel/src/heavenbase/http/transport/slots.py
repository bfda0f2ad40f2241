"""A bound on requests in flight that knows who holds it, in both colours."""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import TYPE_CHECKING

from heavenbase.errors import HBError, PoolTimeout

if TYPE_CHECKING:
    import asyncio

    from heavenbase.http.transport.exchange import Exchange


class Slots:
    """At most `limit` exchanges at a time; waiters are served in order. For threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._holders: dict[int, Exchange] = {}
        self._waiting: deque[tuple[threading.Lock, Exchange]] = deque()

    def acquire(self, exchange: Exchange) -> None:
        """Take a slot; PoolTimeout when none is free within the exchange's pool limit."""
        with self._lock:
            if len(self._holders) < self.limit and not self._waiting:
                self._holders[id(exchange)] = exchange
                return
            gate = threading.Lock()
            gate.acquire()
            entry = (gate, exchange)
            self._waiting.append(entry)
        limit = -1.0
        try:
            limit = _wait_limit(exchange.pool_limit())
            if gate.acquire(timeout=limit):
                return
        except BaseException:
            self._leave(entry)
            raise
        self._give_up(entry)

    def release(self, exchange: Exchange) -> None:
        """Give the slot to the next waiter."""
        with self._lock:
            if self._holders.pop(id(exchange), None) is None:
                return
            if self._waiting:
                gate, waiter = self._waiting.popleft()
                self._holders[id(waiter)] = waiter
                gate.release()

    def _leave(self, entry: tuple[threading.Lock, Exchange]) -> None:
        with self._lock:
            if entry in self._waiting:
                self._waiting.remove(entry)
                return
        self.release(entry[1])

    def _give_up(self, entry: tuple[threading.Lock, Exchange]) -> None:
        with self._lock:
            if entry not in self._waiting:
                return  # served at the last moment
            self._waiting.remove(entry)
            error = pool_timeout(entry[1], self.limit, list(self._holders.values()))
        raise error


class AsyncSlots:
    """`Slots` for the tasks of one event loop."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._holders: dict[int, Exchange] = {}
        self._waiting: deque[tuple[asyncio.Future[None], Exchange]] = deque()

    async def acquire(self, exchange: Exchange) -> None:
        """Take a slot; PoolTimeout when none is free within the exchange's pool limit."""
        if len(self._holders) < self.limit and not self._waiting:
            self._holders[id(exchange)] = exchange
            return
        import asyncio

        served = asyncio.get_running_loop().create_future()
        entry = (served, exchange)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(exchange.pool_limit()):
                await served
        except TimeoutError:
            self._leave(entry)
            raise pool_timeout(exchange, self.limit, list(self._holders.values())) from None
        except BaseException:
            self._leave(entry)
            raise

    def release(self, exchange: Exchange) -> None:
        """Give the slot to the next waiter."""
        if self._holders.pop(id(exchange), None) is None:
            return
        while self._waiting:
            served, waiter = self._waiting.popleft()
            if not served.done():
                self._holders[id(waiter)] = waiter
                served.set_result(None)
                return

    def _leave(self, entry: tuple[asyncio.Future[None], Exchange]) -> None:
        if entry in self._waiting:
            self._waiting.remove(entry)
        self.release(entry[1])


def _wait_limit(limit: float | None) -> float:
    return -1.0 if limit is None else min(limit, threading.TIMEOUT_MAX)


def pool_timeout(exchange: Exchange, limit: int, holders: list[Exchange]) -> HBError:
    """The error that names the limit and who holds the slots; DeadlineExceeded when that came first."""
    if exchange.is_out_of_time:
        return exchange.timed_out()
    counts = Counter(holder.target for holder in holders)
    listed = ", ".join(f"{target} ({count})" for target, count in counts.most_common(5))
    longest = max((holder.elapsed() for holder in holders), default=0.0)
    return PoolTimeout(
        f"{exchange.target}: none of the {limit} connections became free within {exchange.timeouts.pool} s; "
        f"held by {listed}, the longest for {longest:.1f} s; raise max_connections of the gateway or wait",
        **exchange.fields,
    )
