"""Many requests at once: threads for sync callers, tasks for async ones; each request has a time limit of its own."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any

from hb_llmgate.exceptions import BatchTimeoutError, InvalidRequestError
from hb_llmgate.types import BatchError, BatchResult, CompletionResponse
from heavenbase.errors import DeadlineExceeded
from heavenbase.options import may_hold_secret
from heavenbase.secrets import text_of

Planner = Callable[[Any, Mapping[str, Any]], Any]
"""Makes the Chat of one request, with further options."""
GRACE = 0.02
"""Seconds in which a request that has reached its limit may say so itself."""


@dataclass(slots=True)
class _Batch:
    """One batch as it goes on: what waits, what runs since when, what came."""

    requests: list[Any]
    plan: Planner
    timeout: float | None
    fail_fast: bool
    waiting: deque[int] = field(default_factory=deque)
    running: dict[int, float] = field(default_factory=dict)
    answers: dict[int, CompletionResponse] = field(default_factory=dict)
    failures: dict[int, Exception] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    """The places of failures as they came."""
    stopped_by: BaseException | None = None
    """What ends the whole batch: an error that is no Exception, such as SystemExit."""

    def planned(self, place: int) -> Any:
        """The chat of a request; its own clock ends it where the batch's limit does."""
        is_limited = self.timeout is not None and not self._has_own(place)
        return self.plan(self.requests[place], {"timeout": self.timeout} if is_limited else {})

    def _has_own(self, place: int) -> bool:
        """Whether a request has a time limit of its own."""
        given = self.requests[place]
        options = given if isinstance(given, Mapping) else getattr(given, "extra_kwargs", {})
        return options.get("timeout") is not None

    def note(self, place: int, outcome: CompletionResponse | BaseException) -> None:
        """Keep how a request ended; only its first end counts."""
        self.running.pop(place, None)
        if place in self.answers or place in self.failures:
            return
        if isinstance(outcome, BaseException) and not isinstance(outcome, Exception):
            self.stopped_by = self.stopped_by or outcome
            return
        if isinstance(outcome, Exception):
            is_limit = isinstance(outcome.__cause__, DeadlineExceeded) and not self._has_own(place)
            if self.timeout is not None and is_limit:
                outcome = BatchTimeoutError(place, self.timeout)
            self.failures[place] = outcome
            self.order.append(place)
        else:
            self.answers[place] = outcome

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to wait for."""
        is_stopped = self.stopped_by is not None or bool(self.fail_fast and self.failures)
        return is_stopped or not (self.waiting or self.running)

    def result(self) -> BatchResult:
        """What came of it; raises the first failure where that was asked for."""
        if self.stopped_by is not None:
            raise self.stopped_by
        if self.fail_fast and self.order:
            raise self.failures[self.order[0]]
        errors = [
            BatchError(
                index=place,
                request=_shown(self.requests[place]),
                error=text_of(error) or type(error).__name__,
                error_type=type(error).__name__,
                exception=error,
            )
            for place, error in sorted(self.failures.items())
        ]
        results = [self.answers.get(place) for place in range(len(self.requests))]
        return BatchResult(
            results=results,
            errors=errors,
            successful=len(self.answers),
            failed=len(self.failures),
            total_tokens=sum(answer.usage.total_tokens for answer in self.answers.values()),
        )


def batch_of(
    requests: Sequence[Any], plan: Planner, *, max_concurrency: int, fail_fast: bool, timeout: float | None
) -> BatchResult:
    """The batch in threads. A thread whose request is over its limit is left behind, and another takes its place."""
    batch = _batch(requests, plan, max_concurrency, fail_fast, timeout)
    changed = Condition()

    def work() -> None:
        while True:
            with changed:
                if batch.is_over or not batch.waiting:
                    return
                place = batch.waiting.popleft()
                batch.running[place] = time.monotonic()
            try:
                outcome: CompletionResponse | BaseException = batch.planned(place).answer()
            except BaseException as error:  # nobody else would hear of it
                outcome = error
            with changed:
                is_late = place not in batch.running  # the batch went on without this thread
                batch.note(place, outcome)
                changed.notify_all()
            if is_late:
                return

    def start() -> None:
        Thread(target=work, name="hb-llmgate-batch", daemon=True).start()

    try:
        for _ in range(min(max_concurrency, len(batch.requests))):
            start()
        with changed:
            while not batch.is_over:
                now = time.monotonic()
                ends = {place: begun + timeout + GRACE for place, begun in batch.running.items()} if timeout else {}
                for place in [place for place, end in ends.items() if end <= now]:
                    batch.note(place, BatchTimeoutError(place, timeout or 0.0))
                    if batch.waiting:
                        start()
                if not batch.is_over:
                    left = [end - now for place, end in ends.items() if place in batch.running]
                    changed.wait(min(left) if left else None)
    finally:
        batch.waiting.clear()  # a caller that is interrupted wants no further requests
    return batch.result()


async def abatch_of(
    requests: Sequence[Any], plan: Planner, *, max_concurrency: int, fail_fast: bool, timeout: float | None
) -> BatchResult:
    """The batch in tasks; those that are left over are cancelled."""
    import asyncio

    from hb_batch.engine import Workers

    batch = _batch(requests, plan, max_concurrency, fail_fast, timeout)

    async def one(place: int, request: Any) -> None:
        batch.running[place] = time.monotonic()
        limit = asyncio.timeout(timeout + GRACE if timeout is not None else None)
        try:
            async with limit:
                outcome: CompletionResponse | Exception = await batch.planned(place).aanswer()
        except Exception as error:
            is_ours = limit.expired() and timeout is not None
            outcome = BatchTimeoutError(place, timeout or 0.0) if is_ours else error
        batch.note(place, outcome)
        if fail_fast and batch.failures:
            workers.abort()

    workers = Workers(batch.requests, one, most=max_concurrency)
    await workers.run()
    return batch.result()


def _shown(request: Any) -> Any:
    """A request as it is kept with its error: without what may be a credential."""
    if not isinstance(request, Mapping):
        return request
    return {name: value for name, value in request.items() if not may_hold_secret(str(name))}


def _batch(requests: Any, plan: Planner, max_concurrency: int, fail_fast: bool, timeout: float | None) -> _Batch:
    if isinstance(requests, str | Mapping) or not isinstance(requests, Iterable):
        raise InvalidRequestError(f"requests must be a list of requests, not {type(requests).__name__}")
    if isinstance(max_concurrency, bool) or not isinstance(max_concurrency, int) or max_concurrency < 1:
        raise InvalidRequestError(f"max_concurrency must be a whole number from 1, not {max_concurrency!r}")
    if timeout is not None:
        is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
        if not is_number or not 0 < timeout < math.inf:
            raise InvalidRequestError(f"timeout must be seconds above 0, not {timeout!r}")
    found = list(requests)
    return _Batch(found, plan, timeout, fail_fast, deque(range(len(found))))
