"""Checks of time: every clock of a call is kept, and a cancelled call is over at once."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from hb_testing.conformance.colours import Async
from hb_testing.conformance.gateway import GatewayBase
from hb_testing.conformance.needs import needs, only_if
from hb_testing.server import FAULT_TOKENS, Action, black_hole
from heavenbase import errors

if TYPE_CHECKING:
    from hb_testing.conformance.rig import Rig
    from heavenbase.errors import HBError

LIMIT = 0.1
SLACK = 5.0
"""Seconds that a loaded machine may take beyond a limit."""
CLOCKS: tuple[tuple[str, str, str, type[HBError]], ...] = (
    ("chat", "E9.a", "first_token", errors.ResponseTimeout),
    ("stream", "E9.a", "first_token", errors.ResponseTimeout),
    ("stream", "E9.b", "first_token", errors.FirstTokenTimeout),
    ("stream", "E9.c", "idle", errors.IdleTimeout),
    ("stream", "E6", "stall", errors.StallTimeout),
    ("chat", "E9.a", "total", errors.DeadlineExceeded),
    ("stream", "E9.c", "total", errors.DeadlineExceeded),
    ("embed", "E9.a", "total", errors.DeadlineExceeded),
)
CALLERS = 20


class TimeChecks(GatewayBase):
    """No call waits for ever."""

    @pytest.mark.parametrize(
        ("verb", "fault", "clock", "kind"), CLOCKS, ids=[f"{clock}-{verb}-{fault}" for verb, fault, clock, _ in CLOCKS]
    )
    @needs("verb")
    @only_if(
        lambda contract, given: (
            "its wire has no keep-alives" if given["fault"] == "E6" and not contract.speaks().keepalive else ""
        )
    )
    def test_a_silent_provider_is_given_up(
        self, wired: Rig, verb: str, fault: str, clock: str, kind: type[HBError]
    ) -> None:
        wired.call(verb)  # what is loaded on the first call takes its own time
        started = time.monotonic()
        error = wired.error(verb, fault, timeout={clock: LIMIT})
        waited = time.monotonic() - started
        if kind is errors.FirstTokenTimeout and type(error) is errors.ResponseTimeout:
            # A loaded machine may take the limit for the headers, behind which the silence is to be.
            error = wired.error(verb, fault, timeout={clock: 20 * LIMIT})
        assert type(error) is kind, f"the clock {clock!r} ran out and raised {type(error).__name__}: {error}"
        assert isinstance(error, TimeoutError)
        assert error.maybe_billed, "the request was sent, so it may have been billed"
        assert waited < LIMIT + SLACK, f"{clock} of {LIMIT} s took {waited:.2f} s"
        if fault == "E9.c":
            assert error.partial is not None
            assert error.partial.text == FAULT_TOKENS[0]

    @needs("chat")
    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux drops connections to a full backlog")
    def test_connecting_is_given_up(self, wired: Rig) -> None:
        with black_hole() as port:
            llm = wired.llm(**self.options(f"http://127.0.0.1:{port}/v1"))
            error = wired.error("chat", llm=llm, timeout={"connect": LIMIT})
        assert type(error) is errors.ConnectTimeout, f"the connect limit raised {type(error).__name__}"
        assert not error.maybe_billed

    # Cancelling: only async calls can be

    @pytest.mark.parametrize(("verb", "fault"), [("chat", "E9.a"), ("chat", "E9.b"), ("stream", "E9.c")])
    @needs("server", "verb")
    def test_cancelling_passes_through_and_closes_the_connection(self, verb: str, fault: str) -> None:
        with self.cancelling() as rig:
            llm = rig.llm(fault)

            async def main() -> None:
                task = asyncio.ensure_future(_endless(llm, verb))
                await rig.server.await_for(lambda server: server.requests and server.requests[0].complete)
                await asyncio.sleep(0.01)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await rig.server.await_for(lambda server: server.requests[0].closed_at is not None, SLACK)

            rig.colour.run(lambda: None, main)

    @needs("server", "chat")
    def test_cancelled_calls_leave_the_connections_usable(self) -> None:
        """Twenty calls cancelled at different moments, then twenty that succeed."""
        with self.cancelling() as rig:
            hang = True
            rig.server.script(lambda request: [Action.STALL] if hang else None)
            llm = rig.llm()

            async def main() -> list[Any]:
                nonlocal hang
                tasks = [asyncio.ensure_future(llm.acomplete("hi")) for _ in range(CALLERS)]
                for place, task in enumerate(tasks):
                    await asyncio.sleep(0.001 * (place % 4))
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended
                hang = False
                async with asyncio.timeout(20):
                    return await asyncio.gather(*(llm.acomplete("hi") for _ in range(CALLERS)))

            answers = rig.colour.run(list, main)
            assert all(answer.text for answer in answers)

    def cancelling(self) -> Any:
        """A rig in async colour."""
        from contextlib import contextmanager

        @contextmanager
        def opened() -> Any:
            colour = Async()
            try:
                with self.open_rig(colour) as rig:
                    yield rig
            finally:
                colour.close()

        return opened()


async def _endless(llm: Any, verb: str) -> None:
    if verb == "chat":
        await llm.acomplete("hi")
    else:
        async for _ in llm.astream("hi"):
            pass
