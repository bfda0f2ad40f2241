"""One call on its way through its route: what it knows of its targets, and what is told of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from hb_routing.candidates import Unfit, specs_of
from hb_routing.foreign import foreign_things
from heavenbase.call import Call, CallContext, Services
from heavenbase.colour import check_loop, is_callers
from heavenbase.errors import (
    AuthError,
    BudgetExceeded,
    ContentFiltered,
    ContextOverflow,
    DeadlineExceeded,
    FallbackExhausted,
    HBError,
    InputError,
    MissingCredential,
    PluginContractError,
    PluginError,
    QuotaExhausted,
    RateLimitError,
    RequestRejected,
    UnsupportedError,
    is_among,
)
from heavenbase.middleware import Next
from heavenbase.options import MOCKS
from heavenbase.routes import Route, Routing, Target
from heavenbase.secrets import told
from heavenbase.spec import LLMSpec
from heavenbase.types import Completion, Hop, Usage

if TYPE_CHECKING:
    from hb_routing.recovery import Recovery
    from hb_routing.router import Router

# fmt: off
# "status" are 408, 409 and 425: no answer now, and nothing wrong with the request.
WELL_KNOWN: Final = ("rate_limit", "overloaded", "server", "timeout", "connect", "transport", "response", "protocol",
                     "quota", "budget", "context_overflow", "stream_truncated", "status")
# fmt: on
HOPS: Final[dict[str, tuple[str, ...]]] = {
    "fallback": (*WELL_KNOWN, "auth", "not_found"),
    "cascade": WELL_KNOWN,
    "balance": WELL_KNOWN,
}
"""Kinds of errors after which the next target is asked, where a route does not say so itself."""
NOT_THERE: Final = (404, 410)
"""By these an address says that it is none, which is no kind of its own, and as good as a model that is not known."""
ROTATES: Final = (RateLimitError, QuotaExhausted, AuthError, BudgetExceeded)
"""After these the next key of the same target is taken: a budget may be of one key alone."""
REMAKES: Final = MOCKS | {"by_provider"}
"""Controls that make even the call of the first target another one than it was made for."""


FILTERED: Final = "it ended with content_filter"
"""Why an answer is rejected by a route that goes on after a content filter."""


def refuses_filtered(route: Route) -> bool:
    """Whether a route goes on after a content filter: providers tell of one by an error, or as the end of an answer."""
    return route.on is not None and any(word in ("content_filter", "content_filtered") or word is ContentFiltered
                                        for word in route.on)  # fmt: skip


class Rejected(Exception):
    """The answer of a target that its judge refused."""


class Run:
    """The state of one routed call. `owner` is the call as it was made for the first target."""

    def __init__(self, router: Router, call: Call, next: Next) -> None:
        routing: Routing = call.spec.route
        self.router, self.health, self.call, self.next, self.routing = router, router.health, call, next, routing
        self.context: CallContext = call.context
        self.context.siblings = routing.secrets
        self.clock = call.context.clock
        self.owner = call.replace(spec=routing.first)
        self.asked = self.owner
        """The call of the target that is asked, or was asked last."""
        self.errors: list[tuple[str, HBError]] = []
        self.missed: dict[Target, Call] = {}
        """Calls that the cache has nothing for."""
        self.spent: Usage | None = None
        """What rejected answers cost."""
        self.reason, self.waited = "", 0.0
        """Why the next target is asked, and the seconds waited for it."""
        self.once = False
        """Whether the next target is asked for one attempt alone, with each of its keys."""
        self.wanted: str | None = None
        """The first target that was passed over; `why` says why."""
        self.why = ""
        self.is_served = False
        self.has_judge = self._load_judges()
        """Whether any answer may be rejected."""
        self.outgrown = 0
        """Tokens of the longest context that was too short for this call, as far as it is known."""
        self.refused: Completion | None = None
        """The answer that was rejected last."""
        self.first_by: float | None = None
        """When the first content is to be here, where a route inside this one has a limit for it."""
        self.recovery: Recovery | None = None
        """The stream that the next target goes on with."""

    # Targets

    def first_spec(self, target: Target) -> LLMSpec | None:
        """The spec of a target, of several keys that of the first; None where it cannot be resolved."""
        specs = self.specs(target)
        return specs[0] if specs else None

    def specs(self, target: Target) -> list[LLMSpec]:
        """The specs of a target, of a route those of all its targets; none where it cannot be resolved."""
        if target.route is not None:
            return [spec for leaf in target.route.leaves() for spec in self.specs(leaf)]
        try:
            return specs_of(self.routing, target)
        except HBError:
            return []

    def rotated(self, target: Target, *, turn: bool = True) -> list[LLMSpec]:
        """The specs of a target, beginning with the key whose turn it is; an HBError where it cannot be resolved.

        Where the call names what one account keeps, that one's key comes before the others.
        """
        specs = specs_of(self.routing, target)
        if len(specs) == 1:
            return specs
        count = self.routing.known.get((target, "turn"), 0)
        if turn:
            self.routing.known[target, "turn"] = count + 1
        start, now, home = count % len(specs), self.clock(), self._home()

        def last(spec: LLMSpec) -> tuple[bool, bool]:
            return self.health.opens(spec, now) > 0, bool(foreign_things(self.owner, spec, home))

        return sorted(specs[start:] + specs[:start], key=last)

    def is_free(self, target: Target) -> bool:
        """Whether a target may be asked now, with one of its keys at least; one that cannot be resolved tells why."""
        if not self.health.is_known:
            return True
        specs, now = self.specs(target), self.clock()
        return not specs or any(self.health.opens(spec, now) <= 0 for spec in specs)

    # The call of one target

    def fitted(self, route: Route, spec: LLMSpec) -> Call:
        """The same request to this target. Raises Unfit."""
        owner, window = self.owner, spec.capability("context_window") if self.outgrown else None
        if window is not None and window <= self.outgrown:
            raise Unfit(f"its context holds {window} tokens, and {self.outgrown} were too few")
        if spec is self.routing.first and REMAKES.isdisjoint(owner.controls):
            self.router.fitting.check(owner, spec)
            return owner.replace(context=self.context.fork())
        return self.router.fitting.fitted(owner, spec, route, self._home())

    def _home(self) -> LLMSpec:
        """The target that ids of files and the like are taken to belong to."""
        return self.first_spec(self.routing.route.first()) or self.routing.first

    def prepared(self, route: Route, target: Target, spec: LLMSpec, *, is_last: bool, is_spare: bool = False) -> Call:
        """The call for one target: its own arguments and limits, with deadline and ledger of the whole.

        `is_spare`: another key of the target takes over where this one is refused or used up.
        """
        call = self.fitted(route, spec)
        context = call.context
        context.served, context.reason, context.waited = spec, self.reason, self.waited
        self.reason, self.waited = "", 0.0
        context.patience = None if is_last else route.hop_after
        context.is_spare = is_spare
        _limit(context, target, self.clock(), self.first_by, has_others=not is_last)
        missed = self.missed.get(target) if self.missed else None
        if missed is not None and missed.spec is spec and missed.stream == call.stream:
            call = call.replace(missed=missed.missed)
        elif self.call.missed is not None and spec is self.routing.first:
            call = call.replace(missed=self.call.missed)
        if self.once:
            controls = {**call.controls, "max_retries": 0, "retry": None}
            call = call.replace(controls=controls, explicit=call.explicit | {"max_retries"})
        if self.recovery is not None:
            call = self.recovery.continued(call)
        self.asked = call
        return call

    @contextmanager
    def within(self, target: Target) -> Iterator[None]:
        """The limits of a target that is a route, while its own targets are asked."""
        context, first_by = self.context, self.first_by
        deadline, now = context.deadline, self.clock()
        if target.share is not None and deadline is not None:
            context.deadline = now + target.share * max(deadline - now, 0.0)
        if target.first_token is not None:
            ends = now + target.first_token
            self.first_by = ends if first_by is None else min(ends, first_by)
        try:
            yield
        finally:
            context.deadline, self.first_by = deadline, first_by

    def judge_of(self, route: Route) -> Any:
        """Who judges the answers of a route; None for nobody."""
        if self.call.verb != "complete":
            return None
        if not route.judge_name:
            return route.judge
        found = self.routing.known.get((id(route), "judge"))
        if found is None:
            found = self.routing.known[id(route), "judge"] = load_judge(route, self.call.services)
        return found

    def _load_judges(self) -> bool:
        """Whether any answer is judged. All judges are loaded, so that what is wrong with one costs no request."""
        name = ("judged", self.call.verb)
        if (known := self.routing.known.get(name)) is None:
            routes = list(self.routing.route.routes())
            judges = [self.judge_of(route) for route in routes]
            known = any(judge is not None for judge in judges) or any(map(refuses_filtered, routes))
            self.routing.known[name] = known
        return known

    async def verdict(self, route: Route, call: Call, answer: Completion) -> str | None:
        """Why a route rejects an answer; None where it will do."""
        if answer.finish_reason == "content_filter" and refuses_filtered(route):
            return FILTERED
        if (judge := self.judge_of(route)) is None:
            return None
        try:
            found = judge(call, answer)
            reason = (await found) if hasattr(found, "__await__") else found
            if reason is None or (isinstance(reason, str) and reason.strip()):
                return reason
            raise TypeError(f"it gave {type(reason).__name__}, and no reason; a judge gives a text, or None")
        except InputError:  # a mistake of who wrote the route, such as an async judge of sync calls
            raise
        except BaseException as error:
            if is_callers(error):
                raise
            if isinstance(error, RuntimeError) and not call.is_async:
                check_loop(error)  # an async judge of sync calls is a mistake too
            self._tell_failed("a judge", error)  # the answer is paid for, and there is nothing against it
            return None

    # What follows an error

    def is_unfit(self, error: HBError) -> bool:
        """Whether a target refused the call before anything was sent, so that it is passed over.

        What the first one refuses of the caller's wishes is told; behind a failure it would hide that.
        """
        if isinstance(error, UnsupportedError) or is_unusable(error):
            return True
        return isinstance(error, InputError) and any(not is_unusable(it) for _, it in self.errors)

    def pass_over(self, target: Target, error: HBError) -> None:
        """Note that a target is passed over, as it refused the call before anything was sent, or cannot be used."""
        self.skip(target, error.message)
        if is_unusable(error):
            self.errors.append((self.label(target), error))

    def goes_on(self, route: Route, error: HBError) -> bool:
        """Whether the next target is asked after this error."""
        # A route inside this one that had to skip all its targets keeps nobody from asking the one that is meant.
        if route.on_foreign == "pin" and self.errors and self._is_pinned():
            return False
        return self._hops(HOPS[route.kind] if route.on is None else route.on, error)

    def _hops(self, words: Sequence[Any], error: HBError) -> bool:
        if isinstance(error, DeadlineExceeded):  # of the target's share; of the whole, nothing is left
            return self.has_time() and is_among(error, (*words, "deadline_exceeded"))
        if is_unusable(error):  # of all targets of a route inside this one
            return True
        if isinstance(error, MissingCredential):
            return "auth" in words or is_among(error, words)
        if error.status in NOT_THERE and isinstance(error, RequestRejected) and "not_found" in words:
            return True
        if isinstance(error, FallbackExhausted):
            return all(self._hops(words, each) for _, each in error.errors)
        try:
            return is_among(error, words)
        except KeyboardInterrupt:
            raise
        except BaseException as failure:  # a function among them; the provider's error is what counts
            self._tell_failed("a function in `on`", failure)
            return False

    def _tell_failed(self, what: str, error: BaseException) -> None:
        self.call.services.logger.error("%s of a route failed: %s", what, told(error, self.asked.secrets()))

    def has_time(self) -> bool:
        """Whether the deadline of the whole call is still to come."""
        return self.context.deadline is None or self.clock() < self.context.deadline

    def _is_pinned(self) -> bool:
        others = (spec for target in self.routing.route.leaves() for spec in self.specs(target))
        home = self._home()
        return any(foreign_things(self.owner, spec, home) for spec in others)

    def learn(self, call: Call, error: HBError) -> None:
        """Remember what an error says of a target."""
        if isinstance(error, ContextOverflow):
            self.router.fitting.overflowed(call)
            self.outgrown = max(self.outgrown, call.spec.capability("context_window") or 0)

    # What is told

    def label(self, target: Target) -> str:
        """The name of a target in what is told."""
        spec = self.first_spec(target) if target.route is None else None
        return f"{spec.provider}/{spec.model_id}" if spec is not None else target.label

    def tell(self, label: str, outcome: Any, reason: str) -> None:
        """Note what became of a target that does not answer."""
        self.context.hops.append(Hop(label, outcome, reason))
        if self.wanted is None:
            self.wanted, self.why = label, reason

    def skip(self, target: Target, reason: str) -> None:
        """Note that a target is passed over before anything was sent."""
        label = self.label(target)
        self.tell(label, "skipped", reason)
        self.reason = self.reason or f"{label} was skipped: {reason}"

    def note(self, target: Target, error: HBError) -> None:
        """Note that a target failed; of a route inside this one its own targets are told of."""
        if target.route is not None:
            return
        self._unserved()  # a stream that began, and broke
        label = self.label(target)
        self.tell(label, "failed", error.kind)
        self.errors.append((label, error))
        self.reason = f"{label} failed: {error.kind}"

    def turned(self, spec: LLMSpec, error: HBError) -> None:
        """Note that the next key of a target is taken."""
        label = f"{spec.provider}/{spec.model_id}"
        self.context.hops.append(Hop(label, "failed", f"{error.kind}; its next key is taken"))
        self.errors.append((label, error))
        self.reason = f"next key after {error.kind}"

    def reject(self, answer: Completion, reason: str) -> None:
        """Note that an answer was refused; it is paid for all the same."""
        if not self.context.cached:
            self.spent = Usage.total(self.spent, answer.usage)
            if self.context.attempts:
                last = self.context.attempts[-1]
                last.rejected, last.usage = reason, last.usage or answer.usage
        self.refused = answer
        self._unserved()  # by a route inside this one
        self.tell(self.asked.target, "rejected", reason)
        self.why = f"its answer was rejected: {reason}" if self.why == reason else self.why
        self.reason = f"the answer of {self.asked.target} was rejected: {reason}"

    def adopt(self, call: Call) -> None:
        """Make report, headers and name of the target that answered those of the whole call."""
        context, inner = self.context, call.context
        context.report.entries.clear()
        context.report.entries.update(inner.report.entries)
        context.report.strange = inner.report.strange
        context.report.stack = inner.report.stack or context.report.stack
        context.served, context.headers, context.began = call.spec, inner.headers, inner.began
        context.cached = inner.cached
        self.asked = call

    def served(self) -> None:
        """Note who answers; tell it where that is another than was wanted."""
        if not self.is_served:
            self.is_served = True
            self.context.hops.append(Hop(self.asked.target, "served"))
        if self.wanted is not None and self.wanted != self.asked.target and self.routing.route.kind != "cascade":
            self.router.warn(self.wanted, self.asked.target, self.why)

    def _unserved(self) -> None:
        if self.is_served:
            self.is_served = False
            self.context.hops.pop()

    def exhausted(self, route: Route, last: HBError | None) -> HBError:
        """The error of a route none of whose targets answered; a cascade raises that of its last tier."""
        if route.kind == "cascade" and last is not None:
            return last
        told = [f"{label}: {error.message}" for label, error in self.errors]
        told += [f"{hop.target}: {hop.reason}" for hop in self.context.hops if hop.outcome not in ("failed", "served")]
        # A target whose plugin cannot be used stands in both.
        told = list(dict.fromkeys(told))
        failure = exhausted(f"no target of {route.label} answered: {'; '.join(told)}", self.errors)
        # What was paid for is not lost; of a stream that others were to go on with, what was delivered comes first.
        if failure.partial is None and self.recovery is None:
            failure.partial = self.refused
        return failure


def is_unusable(error: HBError) -> bool:
    """Whether a plugin cannot be used, so that nobody was asked; one that breaks its contract was."""
    return isinstance(error, PluginError) and not isinstance(error, PluginContractError)


def exhausted(message: str, errors: Iterable[tuple[str, HBError]]) -> FallbackExhausted:
    """The error of a route, with what the errors of its targets have in common."""
    found = list(errors)
    each = [error for _, error in found]
    failure = FallbackExhausted(
        message,
        found,
        retryable=any(error.retryable for error in each),
        maybe_billed=any(error.maybe_billed for error in each),
        retry_after=min(filter(None, map(_asked_wait, each)), default=None),
        partial=next((error.partial for error in reversed(each) if error.partial is not None), None),
    )
    if len({error.kind for error in each}) == 1:
        failure.kind = each[0].kind  # type: ignore[misc]
        failure.status = each[0].status if len({error.status for error in each}) == 1 else None
    return failure


def _asked_wait(error: HBError) -> float | None:
    """The seconds that a server asked to wait, also where a deadline came first."""
    return error.retry_after or getattr(error.__cause__, "retry_after", None)


def _limit(context: CallContext, target: Target, now: float, first_by: float | None, *, has_others: bool) -> None:
    """Cut the clocks of one target: its own first-token limit, its share of the time left; leave some to the others."""
    timeouts, deadline = context.timeouts, context.deadline
    left = None if deadline is None else max(deadline - now, 0.0)
    first = target.first_token if target.first_token is not None else timeouts.first_token
    if left is not None and has_others:
        first = left / 2 if first is None else min(first, left / 2)
    if first_by is not None:
        rest = max(first_by - now, 0.001)
        first = rest if first is None else min(first, rest)
    if first != timeouts.first_token:
        context.timeouts = replace(timeouts, first_token=first)
    if target.share is not None and left is not None:
        mine = target.share * left
        context.deadline, context.timeouts = now + mine, replace(context.timeouts, total=mine)


def load_judge(route: Route, services: Services) -> Any:
    """The judge that a route names, with the settings that it has there; an HBError where there is none."""
    given = route.judge if isinstance(route.judge, Mapping) else {}
    own = {name: value for name, value in given.items() if name not in ("name", "type")}
    return services.load("judges", route.judge_name, own)
