"""What all ways to the wire do alike: a slot for each exchange, a body for each answer, errors of hb for failures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.colour import drive
from heavenbase.errors import HBError
from heavenbase.http.transport.body import AsyncBody, Body
from heavenbase.http.transport.slots import Slots

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from heavenbase.http.transport.exchange import Exchange


class Sender:
    """Sends requests in one colour; sync ones without ever suspending, so that `drive.run` can run them.

    `leases` are the SDK clients that hold it. While `is_closing`, what an answer leaves unused is closed.
    """

    def __init__(self, limit: int, *, is_async: bool) -> None:
        self.leases = 0
        self.is_closing = False
        self.is_async = is_async
        self._slots = Slots(limit)

    async def send(self, exchange: Exchange, request: Any) -> Any:
        """Send a request of httpx or httpx2; its body, when the head of the answer came. Raises errors of hb."""
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

    async def aclose(self) -> None:
        """Close the connections that nothing uses; the others as soon as their answer is read."""

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
        raise NotImplementedError


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
    try:
        # Runs to the yield without suspending; that is where the loop learns of the generator.
        generator.__anext__().send(None)  # type: ignore[attr-defined]
    except StopIteration:
        pass
    return generator
