"""A bound on requests in flight that knows who holds it, in both colours."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

from heavenbase.errors import PoolTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.http.transport.exchange import Exchange


class Slots:
    """At most `limit` exchanges at a time, of threads or of tasks of one event loop; waiters are served in order."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._holders: dict[int, Exchange] = {}
        self._waiting: OrderedDict[int, tuple[Exchange, Callable[[], object]]] = OrderedDict()

    def take(self, exchange: Exchange) -> bool:
        """Take a slot that is free and that nobody waits for; whether there was one."""
        with self._lock:
            if len(self._holders) >= self.limit or self._waiting:
                return False
            self._holders[id(exchange)] = exchange
            return True

    def acquire(self, exchange: Exchange) -> None:
        """Take a slot; PoolTimeout when none is free within the exchange's pool limit."""
        if self.take(exchange):
            return
        limit = exchange.pool_limit()
        gate = threading.Lock()
        gate.acquire()
        self._wait(exchange, gate.release)
        try:
            is_served = gate.acquire(timeout=-1.0 if limit is None else min(limit, threading.TIMEOUT_MAX))
        except BaseException:
            self.release(exchange)
            raise
        if not is_served:
            self._give_up(exchange)

    async def aacquire(self, exchange: Exchange) -> None:
        """Async form of `acquire`."""
        if self.take(exchange):
            return
        limit = exchange.pool_limit()
        served = asyncio.get_running_loop().create_future()
        self._wait(exchange, lambda: None if served.done() else served.set_result(None))
        try:
            async with asyncio.timeout(limit):
                await served
        except TimeoutError:
            is_served = False
        except BaseException:
            self.release(exchange)
            raise
        else:
            is_served = True
        if not is_served:
            self._give_up(exchange)

    def release(self, exchange: Exchange) -> None:
        """Give the slot to the next waiter; or leave the queue."""
        with self._lock:
            if self._waiting.pop(id(exchange), None) is None:
                self._holders.pop(id(exchange), None)
                self._serve()

    def _wait(self, exchange: Exchange, wake: Callable[[], object]) -> None:
        with self._lock:
            self._waiting[id(exchange)] = (exchange, wake)
            self._serve()

    def _serve(self) -> None:
        while self._waiting and len(self._holders) < self.limit:
            place, (exchange, wake) = self._waiting.popitem(last=False)
            self._holders[place] = exchange
            wake()

    def _give_up(self, exchange: Exchange) -> None:
        with self._lock:
            if self._waiting.pop(id(exchange), None) is None:
                return  # served at the last moment
            holders = list(self._holders.values())
        if exchange.is_out_of_time:
            raise exchange.timed_out()
        counts = Counter(holder.target for holder in holders)
        listed = ", ".join(f"{target} ({count})" for target, count in counts.most_common(5))
        longest = max((holder.elapsed() for holder in holders), default=0.0)
        raise PoolTimeout(
            f"{exchange.target}: none of the {self.limit} connections became free within {exchange.timeouts.pool} s; "
            f"held by {listed}, the longest for {longest:.1f} s; raise max_connections of the gateway or wait",
            **exchange.fields,
        )
