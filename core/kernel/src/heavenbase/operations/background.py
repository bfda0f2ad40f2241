"""Answers that the provider makes in the background: asked for once, then looked up until they are done.

A job outlives its connection and its process: its id is all that is needed to go on. Making one is never repeated where
the first request may have been heard, as each would be paid for.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from heavenbase.call import Kept
from heavenbase.errors import DeadlineExceeded, InputError, InputTypeError, ProviderError, UnsupportedError
from heavenbase.flow.answers import stamped
from heavenbase.flow.structuring import judge
from heavenbase.ledger import Cost
from heavenbase.operations.asking import lacking, refusal
from heavenbase.operations.results import Job
from heavenbase.options import conceal

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.types import Completion

TIMEOUT = 3600.0
"""Seconds that `poll` waits at most, unless it is told."""
FIRST, FACTOR, LONGEST = 1.0, 1.5, 15.0
"""Seconds before the job is looked up again, and how they grow."""
_FAILURES = 5
"""Look-ups in a row that may fail for a passing reason."""


async def submit(
    llm: Any, messages: Any, system: str | None, images: Any, options: dict[str, Any], *, is_async: bool
) -> Job:
    """Have a chat answered in the background."""
    kernel = llm.kernel
    conceal(options)
    call = llm._chat_call(messages, system, images, {**options, "background": None}, is_async=is_async)
    if call.tools:
        raise UnsupportedError(
            f"hb runs no tools in the background ({', '.join(call.tools)}); give their schemas, and go on from the "
            "answer with llm.resume"
        )
    if call.args.get("store") is False:
        raise InputError("an answer in the background is kept by the provider; store=False forbids that")
    if reason := lacking(kernel.registry, call.spec, "background.submit"):
        raise refusal(kernel.registry, call.spec, "background.submit", reason)
    args, controls = {**call.args, "background": True}, {**call.controls, "billed_repeats": 0}
    asked = call.replace(verb="background.submit", args=args, controls=controls)
    return await _settled(llm, await kernel.answer_once(asked), call)


async def look_up(
    llm: Any, job: Job | str, operation: str, options: dict[str, Any], *, is_async: bool, ends: float | None = None
) -> Job:
    """The job as it is now: `retrieve` or `cancel`; before the clock says `ends`, if that is given."""
    kernel = llm.kernel
    conceal(options)
    name = job.id if isinstance(job, Job) else job
    if not isinstance(name, str) or not name.strip():
        raise InputTypeError(f"a job is a Job or its id, not {name!r}")
    before: Call | None = job._call.call if isinstance(job, Job) and job._call is not None else None
    target = llm._target(options) if before is None else before.spec
    call = kernel.call("complete", target, {**options, "background": None}, is_async=is_async, messages=[])
    if before is not None:
        given = {name: getattr(before, name) for name in ("messages", "given")}
        if not options:
            given |= {name: getattr(before, name) for name in ("args", "controls", "explicit", "format")}
        call = call.replace(**given)
    context = call.context
    if ends is not None and (context.deadline is None or ends < context.deadline):
        call = call.replace(context=replace(context, deadline=ends))
    if reason := lacking(kernel.registry, call.spec, operation):
        raise refusal(kernel.registry, call.spec, operation, reason)
    found = await kernel.answer_once(call.replace(verb=operation, subject=name, tools={}))
    return await _settled(llm, found, call)


async def poll(
    llm: Any, job: Job | str, timeout: float | None, interval: float | None, options: dict[str, Any], *, is_async: bool
) -> Completion:
    """The answer of a job when it is done; the error of one that failed or was cancelled."""
    from heavenbase.spec import check_seconds

    conceal(options)
    check_seconds("timeout", timeout)
    check_seconds("interval", interval)
    kernel = llm.kernel
    ends = None if timeout is None else kernel.clock() + timeout
    delay, failures = interval or FIRST, 0
    attempts = list(job.attempts) if isinstance(job, Job) else []
    while True:
        state = "unknown"
        try:
            found = await look_up(llm, job, "background.retrieve", options, is_async=is_async, ends=ends)
        except ProviderError as error:
            failures += 1
            if not error.retryable or failures > _FAILURES:
                error.add_note(f"the job goes on; poll {job.id if isinstance(job, Job) else job!r} again")
                raise
        else:
            failures, state = 0, found.status
            attempts += found.attempts
            if found.is_done:
                return _answer(found, attempts)
            job = found
        if ends is not None and kernel.clock() + delay > ends:
            known = job.id if isinstance(job, Job) else job
            text = f"job {known!r} is {state} after {timeout} s; it goes on: poll it again, or cancel it"
            raise DeadlineExceeded(text, provider=llm.spec.provider, attempts=attempts, maybe_billed=True)
        await kernel._retry.wait(delay, is_async=is_async)
        delay = interval or min(delay * FACTOR, LONGEST)


async def _settled(llm: Any, job: Job, call: Call) -> Job:
    """The job with what the kernel knows of its answer, and with its call, which gives the answer its form."""
    job._call = Kept(call)
    asked = list(call.context.attempts)
    if job.completion is not None and asked:
        asked.pop().usage = job.completion.usage  # what the answer costs stands with the request that brings it
    for attempt in asked:
        if attempt.error is None:
            attempt.cost = Cost(Decimal(0))
    if job.completion is not None:
        await stamped(call.replace(format=None), job.completion, llm.kernel.tool_call_repair)
    return job


def _answer(job: Job, attempts: list[Any]) -> Completion:
    if job.error is not None:
        job.error.attempts = tuple(attempts)
        raise job.error
    assert job.completion is not None
    assert job._call is not None
    job.completion.attempts = attempts
    if (wrong := judge(job._call.call, job.completion)) is not None:
        raise wrong
    return job.completion
