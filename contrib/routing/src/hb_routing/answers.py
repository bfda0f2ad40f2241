"""Whole answers through a route: one target after the other, until one answers and a judge has nothing against it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from hb_routing.balancing import ordered
from hb_routing.candidates import Unfit
from hb_routing.judges import Structured
from hb_routing.run import FILTERED, Rejected, Run, refuses_filtered
from hb_routing.visits import visited
from hb_routing.waiting import Left
from heavenbase.errors import HBError, StructuredOutputError
from heavenbase.gather import whole_chunk
from heavenbase.routes import Route, Target
from heavenbase.types import Chunk, Completion, Usage


async def answer(run: Run) -> Any:
    """The answer of a call that is not streamed."""
    route = run.routing.route
    found = await kept(run, route)
    if found is None:
        found = await ask_route(run, route, is_last=True)
        if run.spent is not None:
            found.usage = Usage.total(run.spent, found.usage)
    return found


def targets_of(run: Run, route: Route) -> Sequence[Target]:
    """The targets of a route in the order in which this call asks them."""
    if route.kind != "balance":
        return route.targets
    return ordered(route, route.targets, run.call, run.health, run.first_spec)


async def ask_route(run: Run, route: Route, *, is_last: bool) -> Any:
    """The answer of the first target of a route that gives one; the error of the route otherwise.

    With `is_last` nobody is asked behind this route, so that its last target may wait.
    """
    targets, left = targets_of(run, route), Left(run, route)
    last: HBError | None = None
    for place, target in enumerate(targets):
        has_next = place + 1 < len(targets)
        if left.passed_over(target):
            continue
        try:
            found = await ask(run, route, target, is_last=is_last and not has_next, is_gated=has_next)
        except Unfit as unfit:
            run.skip(target, str(unfit))
        except Rejected:
            left.asked, last = True, None
        except HBError as error:
            if run.is_unfit(error):
                run.pass_over(target, error)
                continue
            last = error
            left.failed(target, error)
            run.note(target, error)
            if not run.goes_on(route, error):
                raise
        else:
            run.served()
            return found
    if (found_left := await left.soonest(is_last=is_last)) is not None:
        return await _ask_left(run, route, found_left, is_last=is_last)
    raise run.exhausted(route, last)


async def _ask_left(run: Run, route: Route, target: Target, *, is_last: bool) -> Any:
    """The answer of the target whose breaker closes first, where those of all are open."""
    last: HBError | None = None
    try:
        found = await ask(run, route, target, is_last=is_last, is_gated=False)
    except Unfit as unfit:
        run.skip(target, str(unfit))
    except Rejected:
        pass
    except HBError as error:
        run.note(target, error)
        if not run.goes_on(route, error):
            raise
        last = error
    else:
        run.served()
        return found
    finally:
        run.once = False
    raise run.exhausted(route, last) from last


async def ask(run: Run, route: Route, target: Target, *, is_last: bool, is_gated: bool) -> Any:
    """What a target answers, judged where the route has a judge: Rejected; the last tier of a cascade is not gated."""
    try:
        if target.route is not None:
            with run.within(target):
                found = await ask_route(run, target.route, is_last=is_last)
        else:
            visit, found = await visited(run, route, target, is_last=is_last)
            visit.leave()
    except StructuredOutputError as error:
        # hb itself found that the answer has not the form that was asked for: for this judge that is a refusal.
        if error.partial is None or not is_gated:
            raise
        if error.partial.finish_reason == "content_filter" and refuses_filtered(route):
            told = FILTERED
        elif isinstance(run.judge_of(route), Structured):
            told = f"it does not fit response_format: {error.message}"
        else:
            raise
        run.reject(error.partial, told)
        raise Rejected(told) from error
    if not isinstance(found, Completion) or (route.kind == "cascade" and not is_gated):
        return found
    reason = await run.verdict(route, run.asked, found)
    if reason is None:
        return found
    run.reject(found, reason)
    raise Rejected(reason)


# The cache, before anybody is asked


async def kept(run: Run, route: Route) -> Any:
    """What the cache has for any target that may be asked, in order; None for nothing."""
    owner, services = run.owner, run.call.services
    if owner.verb not in ("complete", "imagen") or not services.is_cached(owner):
        return None
    for target, gates in _gates(run, route):
        try:
            call = run.fitted(route, run.rotated(target, turn=False)[0])
        except (Unfit, HBError):
            continue  # told when it is its turn
        if call.spec.args.get("middleware"):
            continue  # what stands around this target alone may stand around its cache: it is looked up in its turn
        if run.call.missed is not None and target is route.first() and not gates:
            continue  # it was looked up before the call was made
        found, looked_up = await services.recall(call.replace(stream=False) if gates else call)
        if found is None:
            run.missed[target] = looked_up
            continue
        for gate in gates:
            if await run.verdict(gate, call, found) is not None:
                break
        else:
            run.adopt(looked_up)
            run.served()
            return as_stream(found) if gates and owner.stream else found
    return None


def _gates(run: Run, route: Route, above: Sequence[Route] = ()) -> Iterator[tuple[Target, list[Route]]]:
    """The targets of a route that are no routes, in order, each with all routes that judge its answer."""
    judge = run.judge_of(route)
    targets = targets_of(run, route)
    for place, target in enumerate(targets):
        is_gated = judge is not None and (route.kind != "cascade" or place + 1 < len(targets))
        gates = [route, *above] if is_gated else [*above]
        if target.route is not None:
            yield from _gates(run, target.route, gates)
        else:
            yield target, gates


async def as_stream(found: Completion) -> AsyncIterator[Chunk]:
    """A whole answer as a stream."""
    yield whole_chunk(found)
    yield Chunk(kind="end", completion=found)
