"""The one owner of retries: attempts, backoff with full jitter, Retry-After, budget, one deadline over all of it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from heavenbase.call import Call
from heavenbase.colour import drive as drive
from heavenbase.errors import (
    AuthError,
    CallTimeout,
    DeadlineExceeded,
    ProviderError,
    QuotaExhausted,
    RateLimitError,
    StreamError,
    StreamInterrupted,
    StreamTruncated,
    is_among,
)
from heavenbase.flow.refusals import Refusals
from heavenbase.middleware import Next, call_sleep
from heavenbase.resolution.retrying import RetryPolicy as RetryPolicy
from heavenbase.secrets import told
from heavenbase.types import Chunk

RETRY_AFTER_JITTER = 0.25
"""Fraction of Retry-After added at random, so that waiting callers do not return together."""
TARGETS = 1024
"""Targets whose budgets are kept."""


class Budget:
    """Retries that one target may cost: a share of the calls made, of which the floor is advanced."""

    __slots__ = ("_advance", "_limit", "_lock", "_policy", "_tokens", "paused_until")

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._tokens = float(policy.budget_floor)
        self._advance = float(policy.budget_floor)
        self._limit = float(max(1, policy.budget_floor) * 10)
        self._lock = threading.Lock()
        self.paused_until = 0.0

    def earn(self) -> None:
        """Note a call; unspent tokens do not pile up beyond ten times the floor."""
        if self._tokens >= self._limit:
            return
        with self._lock:
            if self._advance > 0:
                self._advance -= self._policy.budget_ratio
            else:
                self._tokens = min(self._tokens + self._policy.budget_ratio, self._limit)

    def spend(self) -> bool:
        """Take one retry; False when none is left."""
        with self._lock:
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


class Retry:
    """Repeats an attempt that failed before anything was delivered, where that can help and may be done.

    At most `max_attempts` in all (`max_retries` + 1 when the caller gave it); a failure that may have been billed is
    repeated once at most. A target that asked to wait is left alone by the other calls of the kernel too.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        sleep: Callable[[float], Any],
        asleep: Callable[[float], Any],
        random: Callable[[], float],
        refusals: Refusals,
    ) -> None:
        self.policy = policy
        self._refusals = refusals
        self._sleep = sleep
        self._asleep = asleep
        self._random = random
        self._budgets: dict[Any, Budget] = {}
        self._lock = threading.Lock()

    async def __call__(self, call: Call, next: Next) -> Any:
        """Answer the call, or raise the last attempt's error with the ledger on it."""
        budget = self._budget(call)
        budget.earn()
        refusals = self._refusals
        if refusals.known:
            call = refusals.relieved(call)
        if call.stream:
            return self._stream(call, next, budget)
        number = billed = 0
        gone: dict[str, str] = {}
        while True:
            number += 1
            if budget.paused_until:
                await self._respect_pause(call, budget)
            try:
                answer = await next(call)
                if gone:
                    refusals.remember(call, gone)
                return answer
            except ProviderError as error:
                if again := refusals.again(call, error):
                    # Another request and no repetition: it costs no retry, and each default goes once.
                    call, number = again[0], number - 1
                    gone.update(again[1])
                    continue
                billed += error.maybe_billed
                delay = self._delay(call, error, number, billed, budget)
            await call_sleep(call, delay, self._sleep, self._asleep)

    async def wait(self, seconds: float, *, is_async: bool) -> None:
        """Sleep in a colour."""
        if is_async:
            await self._asleep(seconds)
        else:
            self._sleep(seconds)

    async def _stream(self, call: Call, next: Next, budget: Budget) -> AsyncIterator[Chunk]:
        number = billed = 0
        gone: dict[str, str] = {}
        while True:
            number += 1
            if budget.paused_until:
                await self._respect_pause(call, budget)
            held: list[Chunk] = []
            committed = False
            source: Any = None
            try:
                source = await next(call)
                async for chunk in source:
                    if committed:
                        yield chunk
                    elif chunk.has_content or chunk.finish_reason is not None:
                        committed = True
                        if gone:
                            self._refusals.remember(call, gone)
                        for early in held:
                            yield early
                        yield chunk
                    else:
                        held.append(chunk)
                if not committed:
                    raise StreamTruncated("the stream ended before any content", retryable=True, maybe_billed=True)
                return
            except ProviderError as error:
                if committed:
                    call.context.failed(error)
                    if isinstance(error, StreamError | CallTimeout):
                        raise
                    told = f"the stream broke after content was delivered: {error}"
                    raise StreamInterrupted.of(error, told, maybe_billed=True) from error
                if again := self._refusals.again(call, error):
                    call.context.failed(error)
                    call, number = again[0], number - 1
                    gone.update(again[1])
                    continue
                billed += error.maybe_billed
                delay = self._delay(call, error, number, billed, budget)
            finally:
                await drive.aclose(source)
            await call_sleep(call, delay, self._sleep, self._asleep)

    def _budget(self, call: Call) -> Budget:
        key: Any = call.spec.target_key()
        policy = self.policy
        if call.controls.get("retry"):
            policy = self._policy(call)
            if (policy.budget_ratio, policy.budget_floor) != (self.policy.budget_ratio, self.policy.budget_floor):
                key = (key, policy.budget_ratio, policy.budget_floor)
        found = self._budgets.get(key)
        if found is None:
            with self._lock:
                found = self._budgets.setdefault(key, Budget(policy))
                if len(self._budgets) > TARGETS:
                    # Keys given per call would pile up; the oldest target loses nothing but its savings.
                    del self._budgets[next(iter(self._budgets))]
        return found

    def _limit(self, call: Call, policy: RetryPolicy) -> int:
        """Attempts in all: the policy's number, fewer where a default says so, or what the caller asked for."""
        retries: int | None = call.controls.get("max_retries")
        if retries is None or "max_attempts" in (call.controls.get("retry") or ()):
            return policy.max_attempts
        return retries + 1 if "max_retries" in call.explicit else min(policy.max_attempts, retries + 1)

    def _delay(self, call: Call, error: ProviderError, number: int, billed: int, budget: Budget) -> float:
        """Seconds until the next attempt; raises the error when there is to be none."""
        if call.stream:
            call.context.failed(error)
        error.attempts = tuple(call.context.attempts)
        policy = self._policy(call)
        asked = error.retry_after
        if asked is not None and policy.cap_retry_after:
            asked = min(asked, policy.max_retry_after)
        too_long = asked is not None and asked > policy.max_retry_after
        retryable = error.retryable
        if policy.on is not None:  # but for a server that says no to this one
            retryable = self._is_among(call, error, policy.on) and (retryable or not type(error).retryable)
        if asked is not None and not too_long and not getattr(error, "is_local", False):
            budget.paused_until = max(budget.paused_until, call.context.clock() + asked)
        # What makes a job is sent once: a server that failed may have made it all the same.
        once = call.controls.get("billed_repeats") == 0 and (error.maybe_billed or (error.status or 0) >= 500)
        once = once or (policy.billed_repeats is not None and billed > policy.billed_repeats)
        is_spare = call.context.is_spare and isinstance(error, RateLimitError | QuotaExhausted | AuthError)
        if not retryable or number >= self._limit(call, policy) or too_long or once or is_spare:
            raise error
        if asked is not None:
            delay = asked * (1 + RETRY_AFTER_JITTER * self._random())
            if policy.cap_retry_after:
                delay = min(delay, policy.max_retry_after)
        else:
            delay = min(policy.max_delay, policy.base_delay * 2 ** (number - 1))
            delay *= 1 - policy.jitter + policy.jitter * self._random()
        deadline = call.context.deadline
        if deadline is not None and call.context.clock() + delay >= deadline:
            raise DeadlineExceeded(
                f"the next attempt would start in {delay:.2f} s, past the total limit of "
                f"{call.context.timeouts.total} s; last error: {error}",
                provider=call.spec.provider,
                model=call.spec.model_id,
                attempts=call.context.attempts,
                maybe_billed=error.maybe_billed,
            ) from error
        patience = call.context.patience
        if patience is not None and delay > patience:
            error.retry_after = delay if asked is None else asked
            raise error
        if not budget.spend():
            error.add_note("not retried: the retry budget of this target is used up")
            raise error
        if (on_retry := call.controls.get("on_retry")) is not None:
            self._tell(call, on_retry, number, self._limit(call, policy) - 1, delay, error)
        call.context.reason, call.context.waited = f"retry after {error.kind}", call.context.waited + delay
        return delay

    def _tell(self, call: Call, on_retry: Callable[..., Any], *said: Any) -> None:
        try:
            on_retry(*said)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # who only listens must not lose an answer
            call.services.logger.error("on_retry failed: %s", told(error, call.secrets()))

    def _is_among(self, call: Call, error: ProviderError, words: Sequence[Any]) -> bool:
        try:
            return is_among(error, words)
        except KeyboardInterrupt:
            raise
        except BaseException as failure:  # a function among them; the provider's error is what counts
            call.services.logger.error("a function in `on` of retry failed: %s", told(failure, call.secrets()))
            return False

    def _policy(self, call: Call) -> RetryPolicy:
        option = call.controls.get("retry")
        return self.policy if option is None else self.policy.merged(option)

    async def _respect_pause(self, call: Call, budget: Budget) -> None:
        wait = budget.paused_until - call.context.clock()
        if wait <= 0:
            budget.paused_until = 0.0
            return
        deadline, patience = call.context.deadline, call.context.patience
        too_long = call.context.is_spare or (patience is not None and wait > patience)
        if too_long or (deadline is not None and call.context.clock() + wait >= deadline):
            limit = "longer than the route of this call waits" if too_long else "past the deadline of this call"
            raise RateLimitError(
                f"{call.target} asked to wait {wait:.1f} s more, which is {limit}",
                retry_after=wait,
                provider=call.spec.provider,
                attempts=call.context.attempts,
            )
        wait *= 1 + RETRY_AFTER_JITTER * self._random()
        call.context.waited += wait
        await call_sleep(call, wait, self._sleep, self._asleep)
