"""One who waits for a bucket: it sleeps for a known time, or until another request has made room, in its own colour."""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio

    from hb_limits.rates.buckets import Bucket
    from heavenbase.call import Call

LISTEN: Final = 1.0
"""Seconds after which one who waits for others looks at its own time again."""
SLICE: Final = 0.25
"""Longest sleep at a time of one who sleeps in a thread, and cannot be woken."""
SHORTEST: Final = 0.0005
"""Shortest sleep, so that a clock whose steps are coarser than what is left to wait for goes on."""


class Waiter:
    """One request that waits, in line by its ticket. `woken` others may set, from any thread."""

    __slots__ = ("_event", "_future", "_loop", "bucket", "id", "shared_ticket", "ticket", "weights")

    def __init__(self, call: Call, ticket: int, weights: Mapping[str, int], name: str) -> None:
        self.ticket = ticket
        self.weights = weights
        self.id = name
        """Its name among those of other processes."""
        self.shared_ticket = ""
        """Its ticket among them, once it has one."""
        self.bucket: Bucket | None = None
        self._event: threading.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._future: asyncio.Future[None] | None = None
        if call.is_async:
            import asyncio

            self._loop = asyncio.get_running_loop()
            self._future = self._loop.create_future()
        else:
            self._event = threading.Event()

    def __lt__(self, other: Waiter) -> bool:
        return self.ticket < other.ticket

    # In line; under the lock of the pool

    def enter(self, bucket: Bucket) -> None:
        """Stand in line at a bucket, before those that came later."""
        self.leave()
        self.bucket = bucket
        insort(bucket.waiting, self)

    def leave(self) -> None:
        """Leave the line; who is first then is told."""
        bucket, self.bucket = self.bucket, None
        if bucket is not None:
            bucket.waiting.remove(self)
            wake(bucket)

    @property
    def is_first(self) -> bool:
        """Whether nobody is before it."""
        return self.bucket is not None and self.bucket.waiting[0] is self

    @property
    def is_gone(self) -> bool:
        """Whether its loop was closed under it: it will neither go on nor leave."""
        return self._loop is not None and self._loop.is_closed()

    # Asleep

    def wake(self) -> None:
        """Let it look again."""
        if self._event is not None:
            self._event.set()
        elif self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._tell)
            except RuntimeError:  # its loop is closed, and the one who waited is gone
                pass

    def _tell(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def forget(self) -> None:
        """Wait for what comes from now on."""
        if self._event is not None:
            self._event.clear()
        elif self._loop is not None and self._future is not None and self._future.done():
            self._future = self._loop.create_future()

    async def listen(self, seconds: float = LISTEN) -> None:
        """Wait for others; at most so many seconds, whatever the kernel's clock says."""
        if self._event is not None:
            self._event.wait(seconds)
            return
        import asyncio

        await asyncio.wait([self._woken], timeout=seconds)

    async def sleep(self, call: Call, seconds: float) -> None:
        """Wait for a time to come, on the kernel's clock, or for others. DeadlineExceeded where it comes too late."""
        seconds = max(seconds, SHORTEST)
        if self._event is not None:
            until = call.context.clock() + seconds
            while not self._event.is_set() and (left := until - call.context.clock()) > 0:
                await call.services.sleep(call, max(min(left, SLICE), SHORTEST))
            return
        import asyncio

        asleep = asyncio.ensure_future(call.services.sleep(call, seconds))
        try:
            await asyncio.wait([asleep, self._woken], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not asleep.done():
                asleep.cancel()
                await asyncio.wait([asleep])
        if not asleep.cancelled():
            asleep.result()

    @property
    def _woken(self) -> Any:
        return self._future


def wake(bucket: Bucket) -> None:
    """Let the first in line at a bucket look again. Under the lock of the pool."""
    clear(bucket)
    if bucket.waiting:
        bucket.waiting[0].wake()


def clear(bucket: Bucket) -> None:
    """Take those who are gone from the head of the line at a bucket. Under the lock of the pool."""
    while bucket.waiting and bucket.waiting[0].is_gone:
        bucket.waiting.pop(0).bucket = None
