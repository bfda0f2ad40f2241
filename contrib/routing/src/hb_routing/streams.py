"""Streams through a route: before the first content a hop is free; behind it, recovery is announced."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from hb_routing.answers import as_stream, ask, kept, targets_of
from hb_routing.candidates import Unfit
from hb_routing.recovery import Recovery
from hb_routing.run import FILTERED, Rejected, Run, refuses_filtered
from hb_routing.visits import Visit, visited
from hb_routing.waiting import Left
from heavenbase.colour import aclose
from heavenbase.errors import HBError
from heavenbase.gather import Ending, Gathering
from heavenbase.routes import Route, Target
from heavenbase.types import Chunk, Completion, Usage


async def stream(run: Run) -> AsyncIterator[Chunk]:
    """The chunks of the answer."""
    route = run.routing.route
    found: AsyncIterator[Chunk] | None = await kept(run, route)
    if found is not None:
        return found
    source = stream_route(run, route, is_last=True)
    return _with_spent(run, source) if run.has_judge else source


async def _with_spent(run: Run, source: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    """The same stream, its usage with that of rejected tiers."""
    is_told = False
    try:
        async for chunk in source:
            if run.spent is not None and chunk.usage is not None:
                if run.context.attempts:  # the ledger has what each request cost by itself
                    run.context.attempts[-1].usage = chunk.usage
                chunk, is_told = replace(chunk, usage=Usage.total(run.spent, chunk.usage)), True
            elif run.spent is not None and chunk.kind == "end" and chunk.completion is not None:
                if not is_told:  # by a target that leaves it open what its own answer cost
                    if run.context.attempts:
                        run.context.attempts[-1].usage = Usage()
                    yield Chunk(usage=run.spent)
                chunk.completion.usage = Usage.total(run.spent, chunk.completion.usage)
            elif chunk.kind == "restart":
                is_told = False
            yield chunk
    finally:
        await aclose(source)


async def stream_route(run: Run, route: Route, *, is_last: bool) -> AsyncIterator[Chunk]:
    """The chunks of the first target of a route that answers; the error of the route otherwise."""
    targets = targets_of(run, route)
    recovery, judge = Recovery(run.owner, route, run.recovery), run.judge_of(route)
    left, queue, filters = Left(run, route), list(targets), refuses_filtered(route)
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
        visit: Visit | None = None
        try:
            held: list[Chunk] = []
            is_gated = has_next or route.kind != "cascade"
            if judge is not None and is_gated:
                source = as_stream(await _whole(run, route, target, is_last=is_closing, is_gated=has_next))
            elif target.route is not None:
                source = _inside(run, target, target.route, is_last=is_closing)
            else:
                visit, (source, held) = await visited(run, route, target, is_last=is_closing, read=_begun)
            if filters and is_gated and (refused := await _filtered(source, held, run)) is not None:
                run.reject(refused, FILTERED)
                raise Rejected(FILTERED)
            if visit is not None:
                run.served()
            seen = recovery.seen
            for chunk in held:
                seen(chunk)
                yield chunk
            async for chunk in source:
                if chunk.kind == "end":
                    if visit is not None:
                        run.adopt(visit.call)
                    if recovery.went_on:
                        chunk = Ending(recovery.gathering, run.owner)
                elif recovery.is_heeded:
                    seen(chunk)
                elif not recovery.has_content and chunk.has_content:
                    recovery.has_content = True
                yield chunk
            if target.route is None and visit is None:
                run.served()
            return
        except Unfit as unfit:
            run.skip(target, str(unfit))
        except Rejected:
            left.asked, last = True, None
        except HBError as error:
            if visit is None and run.is_unfit(error):
                run.pass_over(target, error)
                continue
            last = error
            left.failed(target, error)
            if visit is not None:
                visit.failed = visit.call.services.annotate(visit.call, error)
            run.note(target, error)
            if recovery.has_content:
                left.is_over = True
                if not queue or not recovery.may_go_on(error, has_time=run.has_time()):
                    raise
                if run.context.attempts:  # what was told of its cost before it broke
                    run.context.attempts[-1].usage = recovery.usage
                announcement, run.first_by = recovery.announce(), None
                run.recovery = recovery if recovery.went_on else None
                run.reason = f"the stream of {run.label(target)} broke: {recovery.told}"
                yield announcement
            elif not run.goes_on(route, error):
                raise
        except BaseException as error:
            if visit is not None:
                visit.failed = error
            raise
        finally:
            run.once = False
            await aclose(source)
            if visit is not None:
                visit.leave()
    raise run.exhausted(route, last)


async def _inside(run: Run, target: Target, route: Route, *, is_last: bool) -> AsyncIterator[Chunk]:
    """The chunks of a target that is a route, within its limits."""
    source = stream_route(run, route, is_last=is_last)
    with run.within(target):
        try:
            async for chunk in source:
                yield chunk
        finally:
            await aclose(source)


async def _whole(run: Run, route: Route, target: Target, *, is_last: bool, is_gated: bool) -> Any:
    """The whole answer of a target whose judge may refuse it: what is refused is not shown before."""
    owner, run.owner = run.owner, run.owner.replace(stream=False)
    try:
        found = await ask(run, route, target, is_last=is_last, is_gated=is_gated)
        run.served()
        return found
    finally:
        run.owner = owner


async def _begun(source: Any) -> tuple[Any, list[Chunk]]:
    """A stream and its first chunk, which comes with the first content; none where there is none."""
    try:
        first = await anext(source, None)
    except BaseException:
        await aclose(source)
        raise
    return source, [] if first is None else [first]


async def _filtered(source: Any, held: list[Chunk], run: Run) -> Completion | None:
    """The answer of a stream that a content filter ended before any content; None for any other, begun in `held`."""
    while not any(chunk.has_content or chunk.finish_reason is not None for chunk in held):
        chunk = await anext(source, None)
        if chunk is None or chunk.kind == "end":
            held += () if chunk is None else (chunk,)
            return None
        held.append(chunk)
    if held[-1].has_content or held[-1].finish_reason != "content_filter":
        return None
    whole = Gathering()
    for chunk in held:
        whole.feed(chunk)
    async for chunk in source:  # what it cost comes last
        if chunk.kind != "end":
            whole.feed(chunk)
    return whole.completion(run.asked)
