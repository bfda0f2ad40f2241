"""Calls to one target, with one of its keys after the other, of which the health of the target is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from hb_routing.run import ROTATES, Run
from heavenbase.call import Call
from heavenbase.errors import HBError
from heavenbase.routes import Route, Target
from heavenbase.spec import LLMSpec


class Visit:
    """One call on its way to a target, until `leave` says that it is over; `failed` is what it ended with."""

    def __init__(self, run: Run, route: Route, spec: LLMSpec, call: Call) -> None:
        self.call = call
        self.failed: BaseException | None = None
        self._run, self._route, self._spec = run, route, spec
        self._started = run.clock()
        self._seconds: float | None = None
        self._probed = run.health.enter(spec, self._started)

    def answered(self) -> None:
        """Note that the answer is here, of a stream its first content."""
        self._seconds = self._run.clock() - self._started

    def leave(self) -> None:
        """Tell the health of the target how it ended."""
        seconds = self._seconds if self.failed is None else None
        self._run.health.leave(self._spec, self._run.clock(), seconds, self.failed, self._route.breaker, self._probed)


async def visited(
    run: Run, route: Route, target: Target, *, is_last: bool, read: Callable[[Any], Awaitable[Any]] | None = None
) -> tuple[Visit, Any]:
    """What a target answers, by the first of its keys that is taken, and the visit, which is the caller's to leave.

    `read` is how a stream is begun; what it gives is the answer then.
    """
    specs = run.rotated(target)
    for number, spec in enumerate(specs):
        is_final = number + 1 == len(specs)
        call = run.prepared(route, target, spec, is_last=is_last and is_final, is_spare=not is_final)
        visit = Visit(run, route, spec, call)
        try:
            found = await run.next(call)
            if read is not None:
                found = await read(found)
        except HBError as error:
            visit.failed = call.services.annotate(call, error)
            run.learn(call, error)
            if is_final or not isinstance(error, ROTATES):
                raise
            run.turned(spec, error)
        except BaseException as error:
            visit.failed = error
            raise
        else:
            visit.answered()
            run.adopt(call)
            return visit, found
        finally:
            if visit.failed is not None:
                visit.leave()
    raise AssertionError("a target has at least one spec")
