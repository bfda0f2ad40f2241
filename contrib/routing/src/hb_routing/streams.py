"""Streams through a route: before the first content a hop is free; behind it, recovery is announced."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from hb_routing.answers import as_stream, ask, kept, targets_of
from hb_routing.candidates import Unfit
from hb_routing.health import Probed
from hb_routing.recovery import Recovery
from hb_routing.run import ROTATES, Rejected, Run
from hb_routing.waiting import Left
from heavenbase.call import Call
from heavenbase.colour import aclose
from heavenbase.errors import HBError
from heavenbase.gather import Ending
from heavenbase.routes import Route, Target
from heavenbase.spec import LLMSpec
from heavenbase.types import Chunk, Usage


async def stream(run: Run) -> AsyncIterator[Chunk]:
    """The chunks of the answer."""
    route = run.routing.route
    found: AsyncIterator[Chunk] | None = await kept(run, route)
    return found if found is not None else _all_told(run, stream_route(run, route, is_last=True))


def _all_told(run: Run, source: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    """The same stream, its usage with that of rejected tiers where there may be any."""
    routes = [run.routing.route]
    for route in routes:
        if run.judge_of(route) is not None:
            return _with_spent(run, source)
        routes += [target.route for target in route.targets if target.route is not None]
    return source


async def _with_spent(run: Run, source: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    try:
        async for chunk in source:
            if run.spent is not None and chunk.usage is not None:
                if run.context.attempts:  # the ledger has what each request cost by itself
                    run.context.attempts[-1].usage = chunk.usage
                chunk = replace(chunk, usage=Usage.total(run.spent, chunk.usage))
            elif run.spent is not None and chunk.kind == "end" and chunk.completion is not None:
                chunk.completion.usage = Usage.total(run.spent, chunk.completion.usage)
            yield chunk
    finally:
        await aclose(source)


async def stream_route(run: Run, route: Route, *, is_last: bool) -> AsyncIterator[Chunk]:
    """The chunks of the first target of a route that answers; the error of the route otherwise."""
    targets = targets_of(run, route)
    recovery, judge = Recovery(run.owner, route, run.recovery), run.judge_of(route)
    left, queue = Left(run, route), list(targets)
    last: HBError | None = None
    is_forced = False
    while queue or not is_forced:
        if not queue:
            if (found_left := await left.soonest(is_last=is_last)) is None:
                break
            queue, is_forced = [found_left], True
        target = queue.pop(0)
        has_next = bool(queue)
        is_closing = is_last and not has_next
        if not is_forced and left.passed_over(target):
            continue
        source: Any = None
        opening: _Opening | None = None
        try:
            if judge is not None and (has_next or route.kind != "cascade"):
                source = as_stream(await _whole(run, route, target, is_last=is_closing, is_gated=has_next))
            elif target.route is not None:
                source = stream_route(run, target.route, is_last=is_closing)
            else:
                opening = await _open(run, route, target, recovery, is_last=is_closing)
                source = opening.source
                if opening.first is not None:
                    if not recovery.has_content:
                        recovery.seen(opening.first)
                    yield opening.first
            seen = recovery.seen
            async for chunk in source:
                if chunk.kind == "end":
                    if opening is not None:
                        run.adopt(opening.call)
                    if recovery.went_on:
                        chunk = Ending(recovery.gathering, run.owner)
                elif recovery.is_heeded:
                    seen(chunk)
                elif not recovery.has_content and chunk.has_content:
                    recovery.has_content = True
                yield chunk
            if target.route is None and opening is None:
                run.served()
            return
        except Unfit as unfit:
            run.skip(target, str(unfit))
        except Rejected:
            left.asked, last = True, None
        except HBError as error:
            if opening is None and run.is_unfit(error):
                run.skip(target, error.message)
                continue
            last = error
            left.failed(target, error)
            if opening is not None:
                opening.failed = opening.call.services.annotate(opening.call, error)
            run.note(target, error)
            if recovery.has_content:
                left.is_over = True
                if not queue or not recovery.may_go_on(error, has_time=run.has_time()):
                    raise
                announcement = recovery.announce()
                run.recovery = recovery if recovery.went_on else None
                run.reason = f"the stream of {run.label(target)} broke: {recovery.told}"
                yield announcement
            elif not run.goes_on(route, error):
                raise
        except BaseException as error:
            if opening is not None:
                opening.failed = error
            raise
        finally:
            run.once = False
            await aclose(source)
            if opening is not None:
                opening.leave(run, route)
    raise run.exhausted(route, last)


async def _whole(run: Run, route: Route, target: Target, *, is_last: bool, is_gated: bool) -> Any:
    """The whole answer of a target whose judge may refuse it: what is refused is not shown before."""
    owner, run.owner = run.owner, run.owner.replace(stream=False)
    try:
        found = await ask(run, route, target, is_last=is_last, is_gated=is_gated)
        run.served()
        return found
    finally:
        run.owner = owner


class _Opening:
    """A stream whose first content has come, or that is over."""

    def __init__(
        self, spec: LLMSpec, call: Call, source: Any, first: Chunk | None, seconds: float, probed: Probed
    ) -> None:
        self.spec, self.call, self.source, self.first, self.seconds = spec, call, source, first, seconds
        self.probed = probed
        self.failed: BaseException | None = None

    def leave(self, run: Run, route: Route) -> None:
        """Tell the health of the target how it ended."""
        seconds = self.seconds if self.failed is None else None
        run.health.leave(self.spec, run.clock(), seconds, self.failed, route.breaker, self.probed)


async def _open(run: Run, route: Route, target: Target, recovery: Recovery, *, is_last: bool) -> _Opening:
    """The stream of a target up to its first content, with one of its keys after the other."""
    specs = run.rotated(target)
    for number, spec in enumerate(specs):
        is_final = number + 1 == len(specs)
        call = run.prepared(route, target, spec, is_last=is_last and is_final)
        started = run.clock()
        probed = run.health.enter(spec, started)
        source: Any = None
        failed: BaseException | None = None
        try:
            source = await run.next(call)
            first = await anext(source, None)
            run.adopt(call)
            run.served()
            return _Opening(spec, call, source, first, run.clock() - started, probed)
        except HBError as error:
            failed = call.services.annotate(call, error)
            run.learn(call, error)
            if is_final or not isinstance(error, ROTATES):
                raise
            run.turned(spec, error)
        except BaseException as error:
            failed = error
            raise
        finally:
            if failed is not None:
                await aclose(source)
                run.health.leave(spec, run.clock(), None, failed, route.breaker, probed)
    raise AssertionError("a target has at least one spec")
