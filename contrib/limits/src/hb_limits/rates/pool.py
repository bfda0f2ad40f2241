"""The limits of one kernel: its buckets, who waits at them, and the way through them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from hb_limits.forks import Lock
from hb_limits.rates.buckets import HELD, Bucket, Demand, Verdict
from hb_limits.rates.learning import Lesson
from hb_limits.rates.rules import OF_PROVIDERS, Rule
from hb_limits.rates.tokens import reserved
from hb_limits.rates.waiting import LISTEN, SHORTEST, Waiter, clear, wake
from heavenbase.errors import RateLimitError

if TYPE_CHECKING:
    from hb_limits.rates.memory import MemoryStore
    from hb_limits.rates.shared import SharedStore
    from heavenbase.call import Call

KEPT: Final = 4096
"""Buckets that are remembered; those that are idle go first."""
POLL: Final = 0.1
"""Seconds after which a store is asked again that cannot tell when there is room."""
TOLD: Final = 1.0
"""Seconds of a wait that is told in the log."""
PROVIDER: Final = Rule(OF_PROVIDERS, ("*",), "target", (), None, None, raises=False)
"""Of what a provider says there is a bucket for each target, which has no limits of its own."""


class Pool:
    """The way through the limits of one kernel, for any number of threads and event loops."""

    def __init__(self, rules: tuple[Rule, ...], store: MemoryStore | SharedStore, lock: Lock, *, learns: bool):
        self._rules = rules
        self._store = store
        self._lock = lock
        self._learns = learns
        self._matched: dict[tuple[str, ...], tuple[Rule, ...]] = {}
        self._buckets: dict[tuple[str, str], Bucket] = {}
        self._tickets = itertools.count()
        self._name = os.urandom(6).hex()
        self.process = os.getpid()
        self._most = KEPT
        self.counts = {"granted": 0, "waited": 0, "refused": 0}

    # What a request wants

    def demand(self, call: Call) -> Demand:
        """The buckets of a request, and what it wants of them."""
        spec = call.spec
        key = (spec.provider, spec.model_id, spec.model)
        rules = self._matched.get(key)
        if rules is None:
            if len(self._matched) >= KEPT:
                self._matched.clear()
            rules = self._matched[key] = tuple(rule for rule in self._rules if rule.covers(call))
        if self._learns:
            rules = (*rules, PROVIDER)
        counts_tokens = any(window.unit != "requests" for rule in rules for window in rule.windows)
        weights = reserved(call) if counts_tokens else ONE
        return Demand(tuple(self._bucket(rule, rule.subject(call), call) for rule in rules), weights)

    def _bucket(self, rule: Rule, subject: str, call: Call) -> Bucket:
        found = self._buckets.get((rule.name, subject))
        if found is None:
            with self._lock:
                if len(self._buckets) >= self._most:
                    self._trim(call.context.clock())
                made = Bucket(rule, self._store.key(rule.name, subject))
                found = self._buckets.setdefault((rule.name, subject), made)
        return found

    def _trim(self, now: float) -> None:
        for key in [key for key, bucket in self._buckets.items() if bucket.is_idle(now)]:
            del self._buckets[key]
        self._most = max(KEPT, 2 * len(self._buckets))

    # Through the limits

    async def enter(self, call: Call, demand: Demand) -> Any:
        """A grant for a request, once there is room; RateLimitError where it is not to wait for that."""
        line = next((bucket for bucket in demand.buckets if bucket.waiting), None)
        if line is None:
            verdict = await self._store.ask(call, demand, None)
            if verdict.bucket is None:
                self.counts["granted"] += 1
                return verdict.grant
            self._check(call, demand, verdict)
            line = verdict.bucket
        else:
            self._check(
                call, demand, Verdict(None, line, line.behind(demand.weights, call.context.clock()), "its queue")
            )
        return await self._wait(call, demand, line)

    async def _wait(self, call: Call, demand: Demand, line: Bucket) -> Any:
        context, began, before = call.context, call.context.clock(), call.context.waited
        number = next(self._tickets)
        waiter = Waiter(call, number, demand.weights, f"{self._name}.{os.getpid()}.{number}")
        with self._lock:
            clear(line)
            if line.rule.max_queued is not None and len(line.waiting) >= line.rule.max_queued:
                raise self._refusal(call, line, "queue_full", line.behind(demand.weights, began),
                                    f"{len(line.waiting)} requests wait for it already")  # fmt: skip
            waiter.enter(line)
        self.counts["waited"] += 1
        why, told = "", False
        try:
            while True:
                waiter.forget()
                if not waiter.is_first:
                    self._check(call, demand, Verdict(None, line, None, "its queue"), context.clock() - began)
                    await waiter.listen(min(LISTEN, self._left(call, began)))
                    with self._lock:
                        clear(line)
                    continue
                verdict = await self._store.ask(call, demand, waiter)
                if verdict.bucket is None:
                    self.counts["granted"] += 1
                    return verdict.grant
                why = why or verdict.why
                self._check(call, demand, verdict, context.clock() - began)
                if verdict.bucket is not line:
                    line = verdict.bucket
                    with self._lock:
                        waiter.enter(line)
                    continue
                line.ready_at = context.clock() + (verdict.wait or 0.0)
                if verdict.wait is not None and verdict.wait >= TOLD and not told:
                    told = True
                    call.services.logger.info(
                        "%s waits %.1f s for the limit %r (%s)", call.target, verdict.wait, line.rule.name, verdict.why
                    )
                await self._sleep(call, waiter, verdict.wait, self._left(call, began))
        except GeneratorExit:  # nobody waits for this coroutine any more, nor can it wait
            raise
        except BaseException:
            await self._store.give_up(call, line, waiter)
            raise
        finally:
            with self._lock:
                waiter.leave()
            context.waited = before + context.clock() - began
            reason = f"waited for the limit {line.rule.name!r}" + (f" ({why})" if why else "")
            context.reason = f"{context.reason}; {reason}" if context.reason else reason

    async def _sleep(self, call: Call, waiter: Waiter, wait: float | None, left: float) -> None:
        poll = self._store.poll
        if wait is None and poll is None:
            await waiter.listen(min(LISTEN, left))
        else:
            await waiter.sleep(call, min(POLL if wait is None else wait, poll or left, left))

    def _left(self, call: Call, began: float) -> float:
        """Seconds for which a request may still wait, less a little: what is to be said then is said by `_check`."""
        context, now = call.context, call.context.clock()
        ends = [] if context.deadline is None else [context.deadline]
        ends += [] if context.patience is None else [began + context.patience]
        left = min(ends, default=float("inf")) - now
        return max(left - SHORTEST, left / 2)

    async def leave(self, call: Call, grant: Any, came_to: Mapping[str, int]) -> None:
        """Note what a request came to, and that it is over; who waits for its places is told."""
        await self._store.end(call, grant, came_to)
        self._wake(grant.demand)

    def _wake(self, demand: Demand) -> None:
        if any(bucket.waiting for bucket in demand.buckets):
            with self._lock:
                for bucket in demand.buckets:
                    wake(bucket)

    async def learn(self, call: Call, demand: Demand, lesson: Lesson) -> None:
        """Go by what a provider said."""
        for bucket in demand.buckets:
            if bucket.rule.per in ("target", "key"):
                for window in bucket.rule.windows:
                    if (most := lesson.limits.get((window.unit, window.seconds))) is not None:
                        bucket.lowered[window.word] = most
        if lesson.hold > 0 and demand.buckets and demand.buckets[-1].rule is PROVIDER:
            call.services.logger.info("%s wants no request for %.1f s", call.target, lesson.hold)
            await self._store.hold(call, demand.buckets[-1], lesson.hold)

    # Refusals

    def _check(self, call: Call, demand: Demand, verdict: Verdict, waited: float = 0.0) -> None:
        """RateLimitError where a request that has `waited` is not to wait for a bucket, or not for so long."""
        context, bucket, wait = call.context, verdict.bucket, verdict.wait
        assert bucket is not None
        rules = [each.rule for each in demand.buckets]
        raises = any(rule.raises for rule in rules) if bucket.rule is PROVIDER else bucket.rule.raises
        seconds = wait or 0.0
        room = f"has room in {seconds:.1f} s" if seconds else "has room when others are done"
        if raises:
            said = "is used up"
        elif context.is_spare:
            said = "is used up, and another credential is there to take over"
        elif context.patience is not None and waited + max(seconds, SHORTEST) > context.patience:
            said = f"{room}, which is longer than the route of this call waits"
        elif context.deadline is not None and context.clock() + max(seconds, SHORTEST) >= context.deadline:
            said = f"{room}, which is past the deadline of this call"
        else:
            return
        raise self._refusal(call, bucket, "local_limit", wait, f"it {said}", verdict.why)

    def _refusal(
        self, call: Call, bucket: Bucket, code: str, wait: float | None, said: str, why: str = ""
    ) -> RateLimitError:
        self.counts["refused"] += 1
        what = f" ({why})" if why and why != HELD else ""
        return RateLimitError(
            f"the limit {bucket.rule.name!r}{what} lets no request to {call.target} through: {said}",
            code=code,
            retryable=False,
            retry_after=wait if wait else None,
            provider=call.spec.provider,
            model=call.spec.model_id,
        )

    def status(self) -> Mapping[str, Any]:
        """What there is to see, without whom it is about."""
        waiting = sum(len(bucket.waiting) for bucket in list(self._buckets.values()))
        return {**self.counts, "waiting": waiting, **self._store.status()}

    def close(self) -> None:
        """Close the store."""
        self._store.close()


ONE: Final[Mapping[str, int]] = {"requests": 1, "tokens": 0, "input_tokens": 0, "output_tokens": 0}
