"""What all ways to the wire do alike: a slot for each exchange, a body for each answer, errors of hb for failures."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, OrderedDict
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from heavenbase.colour import drive
from heavenbase.errors import HBError, PoolTimeout
from heavenbase.http.transport.body import AsyncBody, Body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from heavenbase.http.transport.exchange import Exchange

KEEPALIVE = 60.0
"""Seconds that an unused connection is kept."""


class Sender:
    """Sends requests in one colour; its flows for sync callers never suspend, so that `drive.run` can run them.

    `leases` are the SDK clients that hold it. While `is_closing`, what an answer leaves unused is closed.
    """

    def __init__(self, limit: int, *, is_async: bool) -> None:
        self.leases = 0
        self.is_closing = False
        self.is_async = is_async
        self._slots = Slots(limit)

    def send(self, exchange: Exchange, request: Any) -> Any:
        """Send a request of httpx or httpx2; the body, when the head of the answer came. Raises errors of hb.

        To be awaited in the async colour.
        """
        sending = self._send(exchange, request)
        return sending if self.is_async else drive.run(sending)

    def close(self) -> None:
        """Sync form of `aclose`."""
        drive.run(self.aclose())

    async def aclose(self) -> None:
        """Close the connections that nothing uses; the others as soon as their answer is read."""

    async def _send(self, exchange: Exchange, request: Any) -> Any:
        is_async = self.is_async
        if not self._slots.take(exchange):
            await self._slots.aacquire(exchange) if is_async else self._slots.acquire(exchange)
        used = self._take(request)
        source: Any = None
        answer: Any = None

        async def close() -> None:
            try:
                if source is not None:
                    await self._end(source, answer)
            finally:
                self._slots.release(exchange)
                await self._give_back(used)

        try:
            source, answer = await self._open(exchange, request, used)
            if is_async:
                exchange.body = AsyncBody(exchange, source, close, self.explain)
            else:
                exchange.body = Body(exchange, source, lambda: drive.run(close()), self.explain)
            return exchange.body
        except BaseException as error:
            await close()
            if isinstance(error, HBError) or not isinstance(error, Exception):
                raise
            failure = self.explain(exchange, error)
        # Raised out here, so that the library's error is not attached: it may hold the request.
        raise failure

    # What a way to the wire brings

    def _take(self, request: Any) -> Any:
        """The connections for a request, in use from now on."""

    async def _give_back(self, used: Any) -> None:
        """What `_take` gave is no longer used for a request."""

    async def _open(self, exchange: Exchange, request: Any, used: Any) -> tuple[Any, Any]:
        """Send the request and tell the exchange the head of the answer; the pieces of its body, and whose they are."""
        raise NotImplementedError

    async def _end(self, source: Any, answer: Any) -> None:
        """Close what `_open` returned, however far it was read."""
        raise NotImplementedError

    @staticmethod
    def explain(exchange: Exchange, error: Exception) -> HBError:
        """The error of hb for one of the library's."""
        if isinstance(error, TimeoutError):
            return exchange.timed_out()
        return exchange.closed(f"broke the connection ({type(error).__name__})")


def close_with_loop(close: Any) -> AsyncIterator[None]:
    """Have the running loop await `close` when it shuts its async generators down, as `asyncio.run` does at its end.

    The caller keeps what is returned: the loop holds it weakly.
    """

    async def waiting() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await close()

    generator = waiting()
    # Runs to the yield without suspending; that is where the loop learns of the generator.
    drive.run(generator.__anext__())  # type: ignore[arg-type]
    return generator


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
        limit = exchange.pool_limit()
        served: Future[None] = Future()
        self._wait(exchange, lambda: served.set_result(None))
        try:
            served.result(None if limit is None else min(limit, threading.TIMEOUT_MAX))
        except TimeoutError:
            self._give_up(exchange)
        except BaseException:
            self.release(exchange)
            raise

    async def aacquire(self, exchange: Exchange) -> None:
        """Async form of `acquire`."""
        limit = exchange.pool_limit()
        served = asyncio.get_running_loop().create_future()
        self._wait(exchange, lambda: None if served.done() else served.set_result(None))
        try:
            async with asyncio.timeout(limit):
                await served
        except TimeoutError:
            self._give_up(exchange)
        except BaseException:
            self.release(exchange)
            raise

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
            raise exchange.timed_out() from None
        counts = Counter(holder.target for holder in holders)
        listed = ", ".join(f"{target} ({count})" for target, count in counts.most_common(5))
        longest = max((holder.elapsed() for holder in holders), default=0.0)
        raise PoolTimeout(
            f"{exchange.target}: none of the {self.limit} connections became free within {exchange.timeouts.pool} s; "
            f"held by {listed}, the longest for {longest:.1f} s; raise max_connections of the gateway or wait",
            **exchange.fields,
        ) from None
