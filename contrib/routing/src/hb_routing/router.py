"""The router: which target a call goes to, when it goes to the next one, and what is told of that."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

from hb_routing.balancing import ordered
from hb_routing.candidates import Fitting, Unfit, check_verb, leaves, specs_of
from hb_routing.health import Health
from hb_routing.plan import Plan, plan_of
from hb_routing.recovery import Recovery
from heavenbase.call import Call
from heavenbase.colour import aclose
from heavenbase.errors import (
    AuthError,
    ContextOverflow,
    DeadlineExceeded,
    FallbackExhausted,
    FallbackWarning,
    HBError,
    MissingCredential,
    QuotaExhausted,
    RateLimitError,
    is_among,
)
from heavenbase.gather import Ending, whole_chunk
from heavenbase.middleware import Middleware, Next, Place
from heavenbase.options import MOCKS
from heavenbase.routes import Route, Routing, Target
from heavenbase.spec import LLMSpec
from heavenbase.types import Chunk, Completion, Hop, ParameterReport, Usage

WELL_KNOWN: Final = ("rate_limit", "overloaded", "server", "timeout", "connect", "transport", "response", "quota",
                     "context_overflow")  # fmt: skip
HOPS: Final[dict[str, tuple[str, ...]]] = {
    "fallback": (*WELL_KNOWN, "stream_truncated", "auth", "not_found"),
    "cascade": (*WELL_KNOWN, "stream_truncated"),
    "balance": (*WELL_KNOWN, "stream_truncated"),
}
"""Kinds of errors after which the next target is asked, where a route does not say so itself."""
ROTATES: Final = (RateLimitError, QuotaExhausted, AuthError)
"""After these the next key of the same target is taken."""
REMAKES: Final = MOCKS | {"by_provider"}
"""Controls that make even the call of the first target another one than it was made for."""
POLL: Final = 0.05
"""Shortest wait in seconds for a breaker, so that a probe that is on its way is not asked about without end."""


class Router(Middleware):
    """Chooses among the targets of a route: fallback, cascade or balance."""

    name = "routing"
    around: ClassVar[Place] = "route"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.health = Health()
        self.fitting = Fitting()
        self._warned: set[tuple[str, str]] = set()

    async def __call__(self, call: Call, next: Next) -> Any:
        """The answer of the target that is chosen."""
        routing: Routing = call.spec.route
        check_verb(call)
        if call.stream:
            return _Run(self, call, next, routing).stream()
        return await _Run(self, call, next, routing).answer()

    def plan(self, call: Call) -> Plan:
        """What a call may come to at worst, and what is wrong with targets that it may never ask. Sends nothing."""
        return plan_of(call, self.fitting)

    def warn(self, wanted: str, served: str, reason: str) -> None:
        """Tell once that a target answers in the place of another."""
        if (wanted, served) not in self._warned:
            self._warned.add((wanted, served))
            warnings.warn(f"{served} answers in the place of {wanted}: {reason}", FallbackWarning, stacklevel=3)


class _Run:
    """One call on its way through its route."""

    def __init__(self, router: Router, call: Call, next: Next, routing: Routing) -> None:
        self.router = router
        self.call = call
        self.next = next
        self.routing = routing
        self.health = router.health
        self.context = call.context
        self.clock = call.context.clock
        self.errors: list[tuple[str, HBError]] = []
        self.reason = ""
        self.wanted: str | None = None
        """The first target that was passed over, and why."""
        self.why = ""
        self.spent: Usage | None = None
        self.owner = call.replace(spec=routing.first)
        self.missed: dict[Target, Call] = {}
        """Calls that the cache has nothing for."""

    # Whole answers

    async def answer(self) -> Any:
        """The answer of a call that is not streamed."""
        route = self.routing.route
        kept = await self._kept(route, self.owner)
        if kept is not None:
            return kept
        answer = await self._route(route, is_last=True)
        if self.spent is not None:
            answer.usage = Usage.total(self.spent, answer.usage)
        return answer

    async def _route(self, route: Route, *, is_last: bool) -> Any:
        """The answer of the first target of a route that gives one; the error of the route otherwise."""
        asked = 0
        last: HBError | _Rejected | None = None
        opened: list[Target] = []
        targets = self._ordered(route)
        for place, target in enumerate(targets):
            has_next = place + 1 < len(targets)
            if target.route is None and not self._is_free(target):
                opened.append(target)
                self._hop(target, "open", "its breaker is open")
                continue
            try:
                asked += 1
                return await self._target(route, target, is_last=is_last and not has_next, has_next=has_next)
            except Unfit as unfit:
                asked -= 1
                self._skip(target, str(unfit))
            except _Rejected as rejected:
                last = rejected
            except HBError as error:
                self._note(target, error)
                last = error
                if not self._hops(route, error) or (route.on_foreign == "pin" and self._is_pinned()):
                    raise
        if opened and not asked:
            return await self._waited(route, opened, is_last=is_last)
        raise self._exhausted(route, last)

    async def _target(self, route: Route, target: Target, *, is_last: bool, has_next: bool) -> Any:
        if target.route is not None:
            answer = await self._route(target.route, is_last=is_last)
        else:
            answer = await self._ask(route, target, is_last=is_last)
        judge = self._judge(route)
        is_ungated = route.kind == "cascade" and not has_next
        if judge is None or is_ungated or not isinstance(answer, Completion):
            return self._served(answer)
        reason = await _verdict(judge, self.asked, answer)
        if reason is None:
            return self._served(answer)
        self._reject(answer, reason, judge)
        raise _Rejected(reason, answer)

    async def _ask(self, route: Route, target: Target, *, is_last: bool) -> Any:
        """What a target answers, with one of its keys after the other."""
        specs = self._rotated(target)
        for number, spec in enumerate(specs):
            call = self._prepared(route, target, spec, is_last=is_last and number + 1 == len(specs))
            self.health.enter(spec, self.clock())
            started = self.clock()
            failed: BaseException | None = None
            try:
                answer = await self.next(call)
                self._adopt(call)
                return answer
            except HBError as error:
                failed = call.services.annotate(call, error)
                self._learn(call, error)
                if not (isinstance(error, ROTATES) and number + 1 < len(specs)):
                    raise
                self._hop_spec(spec, "failed", f"{error.kind}; its next key is taken")
                self.reason = f"next key after {error.kind}"
            except BaseException as error:
                failed = error
                raise
            finally:
                seconds = self.clock() - started if failed is None else None
                self.health.leave(spec, self.clock(), seconds, failed, route.breaker)
        raise AssertionError("a target has at least one spec")

    # Streams

    async def stream(self) -> AsyncIterator[Chunk]:
        """The chunks of the target that is chosen; recovery behind the first content is announced."""
        route = self.routing.route
        kept = await self._kept(route, self.owner)
        source = kept if kept is not None else self._route_stream(route, is_last=True)
        try:
            async for chunk in source:
                if self.spent is not None and chunk.usage is not None:
                    # The ledger has what each request cost by itself.
                    if self.context.attempts and not self.context.cached:
                        self.context.attempts[-1].usage = chunk.usage
                    chunk = replace(chunk, usage=Usage.total(self.spent, chunk.usage))
                yield chunk
        finally:
            await aclose(source)

    async def _route_stream(self, route: Route, *, is_last: bool) -> AsyncIterator[Chunk]:
        asked = 0
        last: HBError | _Rejected | None = None
        opened: list[Target] = []
        targets = self._ordered(route)
        recovery = Recovery(self.owner, route)
        judge = self._judge(route)
        for place, target in enumerate(targets):
            has_next = place + 1 < len(targets)
            if target.route is None and not self._is_free(target):
                opened.append(target)
                self._hop(target, "open", "its breaker is open")
                continue
            source: Any = None
            try:
                asked += 1
                if judge is not None and (has_next or route.kind != "cascade") and target.route is None:
                    # What a judge may refuse is not shown before: it is asked for whole.
                    answer = await self._whole(route, target, is_last=is_last and not has_next, has_next=has_next)
                    yield whole_chunk(answer)
                    yield Chunk(kind="end", completion=answer)
                    return
                if target.route is not None:
                    source = self._route_stream(target.route, is_last=is_last and not has_next)
                else:
                    source = self._target_stream(route, target, recovery, is_last=is_last and not has_next)
                async for chunk in source:
                    if chunk.kind == "end" and recovery.went_on:
                        chunk = Ending(recovery.gathering, self.owner)
                    else:
                        recovery.seen(chunk)
                    yield chunk
                return
            except Unfit as unfit:
                asked -= 1
                self._skip(target, str(unfit))
            except _Rejected as rejected:
                last = rejected
            except HBError as error:
                self._note(target, error)
                last = error
                if not recovery.has_content:
                    if not self._hops(route, error) or (route.on_foreign == "pin" and self._is_pinned()):
                        raise
                    continue
                if not has_next or not recovery.may_go_on(error):
                    raise
                announcement = recovery.announce(targets[place + 1])
                self.reason = f"the stream of {self._label(target)} broke: {recovery.told}"
                yield announcement
            finally:
                await aclose(source)
        if opened and not asked:
            async for chunk in self._waited_stream(route, opened, recovery, is_last=is_last):
                yield chunk
            return
        raise self._exhausted(route, last)

    async def _whole(self, route: Route, target: Target, *, is_last: bool, has_next: bool) -> Completion:
        owner, self.owner = self.owner, self.owner.replace(stream=False)
        try:
            return await self._target(route, target, is_last=is_last, has_next=has_next)  # type: ignore[no-any-return]
        finally:
            self.owner = owner

    async def _target_stream(
        self, route: Route, target: Target, recovery: Recovery, *, is_last: bool
    ) -> AsyncIterator[Chunk]:
        specs = self._rotated(target)
        for number, spec in enumerate(specs):
            call = self._prepared(route, target, spec, is_last=is_last and number + 1 == len(specs), recovery=recovery)
            self.health.enter(spec, self.clock())
            started = self.clock()
            first: float | None = None
            failed: BaseException | None = None
            source: Any = None
            try:
                source = await self.next(call)
                async for chunk in source:
                    if first is None and (chunk.has_content or chunk.finish_reason is not None):
                        first = self.clock() - started
                        self._adopt(call)
                        self._tell_served()
                    yield chunk
                self._adopt(call)
                return
            except HBError as error:
                failed = call.services.annotate(call, error)
                self._learn(call, error)
                if not (isinstance(error, ROTATES) and number + 1 < len(specs)) or first is not None:
                    raise
                self._hop_spec(spec, "failed", f"{error.kind}; its next key is taken")
                self.reason = f"next key after {error.kind}"
            except BaseException as error:
                failed = error
                raise
            finally:
                await aclose(source)
                self.health.leave(spec, self.clock(), first if failed is None else None, failed, route.breaker)

    # All breakers open

    async def _waited(self, route: Route, opened: Sequence[Target], *, is_last: bool) -> Any:
        target = await self._soonest(route, opened)
        try:
            return await self._target(route, target, is_last=is_last, has_next=False)
        except Unfit as unfit:
            self._skip(target, str(unfit))
            raise self._exhausted(route, None) from unfit
        except _Rejected as rejected:
            raise self._exhausted(route, rejected) from rejected
        except HBError as error:
            self._note(target, error)
            if not self._hops(route, error):
                raise
            raise self._exhausted(route, error) from error

    async def _waited_stream(
        self, route: Route, opened: Sequence[Target], recovery: Recovery, *, is_last: bool
    ) -> AsyncIterator[Chunk]:
        target = await self._soonest(route, opened)
        try:
            async for chunk in self._target_stream(route, target, recovery, is_last=is_last):
                recovery.seen(chunk)
                yield chunk
        except Unfit as unfit:
            self._skip(target, str(unfit))
            raise self._exhausted(route, None) from unfit
        except HBError as error:
            self._note(target, error)
            if recovery.has_content or not self._hops(route, error):
                raise
            raise self._exhausted(route, error) from error

    async def _soonest(self, route: Route, opened: Sequence[Target]) -> Target:
        """The target whose breaker closes first; waited for where that is soon enough, else it is asked once."""
        left = route.max_wait
        while True:
            now = self.clock()
            waits = [(max((self.health.opens(spec, now) for spec in self._specs(t)), default=0.0), t) for t in opened]
            seconds, target = min(waits, key=lambda pair: pair[0])
            if seconds <= 0:
                break
            remaining = self.context.remaining()
            if seconds > left or (remaining is not None and seconds >= remaining):
                self.once = True
                break
            seconds = max(seconds, POLL)
            left -= seconds
            await self.call.services.sleep(self.call, seconds)
            self.waited += seconds
        self.reason = "the breakers of all targets are open" if self.once else "its breaker closed first"
        return target

    once = False
    """Whether the next target is asked for one attempt alone, as its breaker is open."""
    waited = 0.0

    # The cache, before anybody is asked

    async def _kept(self, route: Route, call: Call) -> Any:
        """What the cache has for any target that may be asked, in order; None for nothing."""
        if call.verb not in ("complete", "imagen"):
            return None
        is_judged = self._judge(route) is not None
        targets = list(leaves(route)) if route.kind != "balance" else self._ordered(route)
        for place, target in enumerate(targets):
            if target.route is not None:
                continue
            try:
                spec = self._rotated(target, turn=False)[0]
                fitted = self._fitted(route, spec)
            except (Unfit, HBError):
                continue  # told when it is its turn
            asked = fitted.replace(stream=False) if is_judged and place + 1 < len(targets) else fitted
            found, looked_up = await call.services.recall(asked)
            if found is None:
                if looked_up.missed is None:
                    return None  # this call is not cached
                self.missed[target] = looked_up
                continue
            if is_judged and place + 1 < len(targets):
                judge = self._judge(route)
                if judge is not None and await _verdict(judge, asked, found) is not None:
                    continue
                if call.stream:
                    found = _as_stream(found)
            self._adopt(looked_up)
            return found
        return None

    # One target

    def _ordered(self, route: Route) -> list[Target]:
        if route.kind != "balance":
            return list(route.targets)
        return ordered(route, route.targets, self.call, self.health, self._first_spec)

    def _first_spec(self, target: Target) -> LLMSpec | None:
        specs = self._specs(target)
        return specs[0] if specs else None

    def _specs(self, target: Target) -> list[LLMSpec]:
        if target.route is not None:
            return [spec for leaf in leaves(target.route) for spec in self._specs(leaf)]
        try:
            return specs_of(self.routing, target)
        except HBError:
            return []

    def _rotated(self, target: Target, *, turn: bool = True) -> list[LLMSpec]:
        """The specs of a target, whose key it is first; Unfit never, an HBError where it cannot be resolved."""
        specs = specs_of(self.routing, target)
        if len(specs) == 1:
            return specs
        count = self.routing.known.get((target, "turn"), 0)
        if turn:
            self.routing.known[target, "turn"] = count + 1
        start = count % len(specs)
        found = specs[start:] + specs[:start]
        now = self.clock()
        return sorted(found, key=lambda spec: self.health.opens(spec, now) > 0)

    def _is_free(self, target: Target) -> bool:
        """Whether a target may be asked now, with one of its keys at least; one that cannot be resolved tells why."""
        specs = self._specs(target)
        now = self.clock()
        return not specs or any(self.health.opens(spec, now) <= 0 for spec in specs)

    def _fitted(self, route: Route, spec: LLMSpec) -> Call:
        if spec is self.routing.first and REMAKES.isdisjoint(self.owner.controls):
            self.router.fitting.check(self.owner, spec)
            return self.owner.replace(context=replace(self.context, report=_copied(self.context.report)))
        return self.router.fitting.fitted(self.owner, spec, route)

    def _prepared(
        self, route: Route, target: Target, spec: LLMSpec, *, is_last: bool, recovery: Recovery | None = None
    ) -> Call:
        """The call for one target: its own arguments and limits, with deadline and ledger of the whole."""
        call = self._fitted(route, spec)
        context = call.context
        context.served, context.headers, context.cached = spec, (), False
        context.reason, context.waited = self.reason, self.waited
        self.reason, self.waited = "", 0.0
        context.patience = None if is_last else route.hop_after
        _limit(context, target, self.clock(), others=0 if is_last else 1)
        missed = self.missed.get(target)
        if missed is not None and missed.spec is spec and missed.stream == call.stream:
            call = call.replace(missed=missed.missed)
        elif self.call.missed is not None and spec is self.routing.first:
            call = call.replace(missed=self.call.missed)
        if self.once:
            controls = {**call.controls, "max_retries": 0}
            call = call.replace(controls=controls, explicit=call.explicit | {"max_retries"})
        if recovery is not None and recovery.went_on:
            call = recovery.continued(call)
        self.asked = call
        return call

    def _judge(self, route: Route) -> Any:
        judge = route.judge
        if judge is None:
            judge = "heuristic" if route.kind == "cascade" else None
        if judge is None or not isinstance(judge, str | dict) or self.call.verb != "complete":
            return judge if self.call.verb == "complete" else None
        found = self.routing.known.get((id(route), "judge"))
        if found is None:
            table = {"name": judge} if isinstance(judge, str) else dict(judge)
            # "type" is what some files call the name.
            name = table.pop("name", None) or table.pop("type", "heuristic")
            found = self.call.services.load("judges", str(name), table)
            self.routing.known[id(route), "judge"] = found
        return found

    def _is_pinned(self) -> bool:
        from hb_routing.foreign import foreign_things

        others = (spec for target in leaves(self.routing.route) for spec in self._specs(target))
        return any(foreign_things(self.owner, spec) for spec in others)

    # What is told

    def _hops(self, route: Route, error: HBError) -> bool:
        words = HOPS[route.kind] if route.on is None else route.on
        if isinstance(error, DeadlineExceeded):  # of the target's share; of the whole, nothing is left
            return self._has_time() and is_among(error, (*words, "deadline_exceeded"))
        if isinstance(error, MissingCredential):
            return "auth" in words or is_among(error, words)
        if isinstance(error, FallbackExhausted):
            return not error.errors or all(self._hops(route, each) for _, each in error.errors)
        return is_among(error, words)

    def _has_time(self) -> bool:
        deadline = self.context.deadline
        return deadline is None or self.clock() < deadline

    def _learn(self, call: Call, error: HBError) -> None:
        if isinstance(error, ContextOverflow):
            self.router.fitting.overflowed(call)

    def _label(self, target: Target) -> str:
        spec = self._first_spec(target) if target.route is None else None
        return f"{spec.provider}/{spec.model_id}" if spec is not None else target.label

    def _hop(self, target: Target, outcome: Any, reason: str) -> None:
        self.context.hops.append(Hop(self._label(target), outcome, reason))
        self._pass(self._label(target), reason)

    def _hop_spec(self, spec: LLMSpec, outcome: Any, reason: str) -> None:
        self.context.hops.append(Hop(f"{spec.provider}/{spec.model_id}", outcome, reason))

    def _pass(self, label: str, reason: str) -> None:
        if self.wanted is None:
            self.wanted, self.why = label, reason

    def _skip(self, target: Target, reason: str) -> None:
        self._hop(target, "skipped", reason)
        self.reason = self.reason or f"{self._label(target)} was skipped: {reason}"

    def _note(self, target: Target, error: HBError) -> None:
        if target.route is not None:
            return  # its own targets are told of
        hops = self.context.hops
        if hops and hops[-1].outcome == "served":
            hops.pop()  # a stream that began, and broke
        self._hop(target, "failed", error.kind)
        self.errors.append((self._label(target), error))
        self.reason = f"{self._label(target)} failed: {error.kind}"

    def _reject(self, answer: Completion, reason: str, judge: Any) -> None:
        self.spent = Usage.total(self.spent, answer.usage)
        if self.context.attempts and not self.asked.context.cached:
            self.context.attempts[-1].rejected = reason
        if self.context.hops and self.context.hops[-1].outcome == "served":
            self.context.hops.pop()  # of a route inside this one
        self._hop_spec(self.asked.spec, "rejected", reason)
        self._pass(self.asked.target, f"its answer was rejected: {reason}")
        self.reason = f"the answer of {self.asked.target} was rejected: {reason}"

    def _adopt(self, call: Call) -> None:
        """Make the report, the headers and the name of the target that answered those of the whole call."""
        context, inner = self.context, call.context
        context.report.entries.clear()
        context.report.entries.update(inner.report.entries)
        context.report.strange = inner.report.strange
        context.served, context.headers, context.began = call.spec, inner.headers, inner.began
        context.cached = inner.cached
        self.asked = call

    def _served(self, answer: Any) -> Any:
        self._tell_served()
        return answer

    def _tell_served(self) -> None:
        target = self.asked.target
        if not self.context.hops or self.context.hops[-1].outcome != "served":
            self.context.hops.append(Hop(target, "served"))
        if self.wanted is not None and self.wanted != target and self.routing.route.kind != "cascade":
            self.router.warn(self.wanted, target, self.why)

    def _exhausted(self, route: Route, last: Any) -> HBError:
        errors = self.errors
        if isinstance(last, _Rejected) and route.kind != "cascade":
            last = None
        if route.kind == "cascade" and isinstance(last, HBError):
            return last
        told = "; ".join(f"{label}: {error.message}" for label, error in errors)
        skipped = "; ".join(f"{hop.target}: {hop.reason}" for hop in self.context.hops if hop.outcome not in
                            ("failed", "served"))  # fmt: skip
        return exhausted(f"no target of {route.label} answered: {'; '.join(filter(None, (told, skipped)))}", errors)


def exhausted(message: str, errors: Iterable[tuple[str, HBError]]) -> FallbackExhausted:
    """The error of a route, with what the errors of its targets have in common."""
    found = list(errors)
    each = [error for _, error in found]
    failure = FallbackExhausted(
        message,
        found,
        retryable=any(error.retryable for error in each),
        maybe_billed=any(error.maybe_billed for error in each),
        retry_after=min((error.retry_after for error in each if error.retry_after is not None), default=None),
        partial=next((error.partial for error in reversed(each) if error.partial is not None), None),
    )
    if len({error.kind for error in each}) == 1:
        failure.kind = each[0].kind  # type: ignore[misc]
        failure.status = each[0].status if len({error.status for error in each}) == 1 else None
    return failure


class _Rejected(Exception):
    """The answer of a target that its judge refused."""

    def __init__(self, reason: str, answer: Completion) -> None:
        super().__init__(reason)
        self.answer = answer


async def _verdict(judge: Any, call: Call, answer: Completion) -> str | None:
    found = judge(call, answer)
    reason: str | None = (await found) if hasattr(found, "__await__") else found
    return reason


async def _as_stream(answer: Completion) -> AsyncIterator[Chunk]:
    yield whole_chunk(answer)
    yield Chunk(kind="end", completion=answer)


def _copied(report: ParameterReport) -> ParameterReport:
    return ParameterReport(dict(report.entries), report.strange)


def _limit(context: Any, target: Target, now: float, others: int) -> None:
    """Cut the clocks of one target: its own first-token limit, its share of the time left; leave some to the others."""
    timeouts, deadline = context.timeouts, context.deadline
    left = None if deadline is None else max(deadline - now, 0.0)
    first = target.first_token if target.first_token is not None else timeouts.first_token
    if left is not None and others:
        first = left / 2 if first is None else min(first, left / 2)
    if first != timeouts.first_token:
        context.timeouts = replace(timeouts, first_token=first)
    if target.share is not None and left is not None:
        context.deadline = now + min(target.share, 1.0) * left
