"""Random stacks of routes and middlewares with random faults on every target, in four forms.

Whatever the stack: the answer is right or the error is typed, the ledger equals the servers' own log, no target gets
what was given for another, the worst case that was told is never exceeded, and no text is delivered twice unannounced.
"""

from __future__ import annotations

import asyncio
import logging
import os
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Any

import pytest

import heavenbase as hb
from heavenbase.errors import FallbackExhausted, FallbackWarning, HBError, LossyRequestWarning
from tests.stacks import (
    BODY,
    FILE,
    FORMS,
    GIVEN,
    HAS_SECOND,
    HEADER,
    ID,
    KEY,
    MORE,
    WORD,
    WORDS,
    Case,
    Seen,
    World,
    case_of,
    world,
)

ENOUGH = 200
"""Cases in which all that is WANTED comes about."""
CASES = int(os.environ.get("HB_FUZZ_CASES", ENOUGH))
SEED = os.environ.get("HB_FUZZ_SEED", "0")
WANTED = (
    *FORMS,
    *(f"{form} that {outcome}" for form in FORMS for outcome in ("cut", "status", "unasked")),
    *("1 deep", "2 deep", "3 deep", "4 deep", "restart", "continue", "an answer that was gone on with", "a prefill"),
    *(
        "a stream that failed behind its beginning",
        "the next key",
        "exhausted",
        "a hop that is skipped",
        "a hop that is open",
        "a call after another",
    ),
    *("a rejected stream", "a rejected answer", "a rejected answer that is paid for"),
    *("a target at its bound", "several keys at their bound", "a stack at its bound"),
    *(f"{name} stays at home" for name in GIVEN),
    *(("a second address",) if HAS_SECOND else ()),
)
"""What must come about in the cases of every run, so that the checks have something to check."""


@pytest.fixture(scope="module")
def servers() -> Iterator[World]:
    with world() as made:
        yield made


class Watch(hb.Observer):
    """Counts what it is told of."""

    def __init__(self) -> None:
        super().__init__()
        self.told: Counter[str] = Counter()

    def before(self, call: Any) -> None:
        self.told["before"] += 1

    def after(self, call: Any, answer: Any, error: Any, seconds: float) -> None:
        self.told["after"] += 1
        raise RuntimeError("observers never hurt")


async def passing(call: Any, next: Any) -> Any:
    return await next(call)


passing.around = "attempt"  # type: ignore[attr-defined]


@dataclass
class Outcome:
    """What one call came to: chunks of a stream also where it failed, and the requests that were declared."""

    number: int
    log: list[Seen]
    declared: list[int]
    chunks: list[Any] = field(default_factory=list)
    answer: Any = None
    error: HBError | None = None


def run(servers: World, case: Case) -> Iterator[Outcome]:
    """What the calls of one case come to, one after the other."""
    servers.prepare(case)
    watch = Watch()
    middleware = [[], [watch], [watch, passing]][case.middleware]
    shared, own, messages = case.options()
    clocks = {"clock": lambda: servers.now, "sleep": servers.sleep, "asleep": servers.asleep}
    with hb.Kernel(servers.config(), random=Random(1).random, **clocks) as kernel, warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)
        warnings.simplefilter("ignore", LossyRequestWarning)
        llm = hb.LLM(route=case.route.route(servers.urls), kernel=kernel, **shared)
        for number in range(case.calls):
            servers.log = []
            call = kernel.call("complete", llm.spec, own, is_async=False, stream=case.is_stream, messages=messages)
            plan = kernel.services.load("middleware", "routing").plan(call)
            found = Outcome(number, servers.log, [step.requests for step in plan.steps])
            assert plan.requests == sum(found.declared)
            try:
                ask(llm, case, found, messages, {**own, "middleware": middleware})
            except HBError as caught:  # nothing else ever leaves
                found.error = caught
            assert watch.told["before"] == watch.told["after"] == (number + 1 if watch in middleware else 0)
            yield found
            servers.now += case.pause


def ask(llm: Any, case: Case, found: Outcome, messages: Any, options: dict[str, Any]) -> None:
    """The call, in the form of the case."""
    include = ["chunk", "completion"]

    def note(item: Any) -> None:
        found.answer = item.get("completion")
        if item.get("chunk") is not None:
            found.chunks.append(item["chunk"])

    async def whole() -> None:
        found.answer = await llm.acomplete(messages, **options)

    async def streamed() -> None:
        async for item in llm.astream(messages, include=include, **options):
            note(item)

    if case.form == "complete":
        found.answer = llm.complete(messages, **options)
    elif case.form == "stream":
        for item in llm.stream(messages, include=include, **options):
            note(item)
    else:
        asyncio.run(whole() if case.form == "acomplete" else streamed())


def tokens(usage: Any) -> int:
    """The tokens of an answer that are known."""
    return (usage and usage.completion_tokens) or 0


# What must hold


def check_answer(case: Case, found: Outcome) -> None:
    """Right, or typed; and nothing that would do is thrown away."""
    refused = {leaf.number: acts for leaf, acts in case.route.refused()}
    good = [seen for seen in found.log if seen.is_good]
    if found.answer is None:
        error = found.error
        assert error is not None
        assert error.kind
        assert not isinstance(error, FallbackExhausted) or all(isinstance(each, HBError) for _, each in error.errors)
        # Later calls leave targets alone that asked for a pause, and keys that were refused.
        home = case.leaves[0]
        is_closed = home.keys and {401, 402, 429, "wait"}.intersection(home.acts)
        is_closed = {FILE, ID} & case.given and (is_closed or "breaker is open" in error.message)
        assert found.log or (found.number and (error.retry_after or is_closed)), error
        # What comes late may be no answer any more.
        assert all(seen.outcome in refused[seen.leaf.number] for seen in good if seen.outcome != "slow")
        return
    assert found.error is None
    answer, last = found.answer, found.log[-1]
    assert last.is_good
    assert answer.served_by == f"{last.leaf.provider}/{last.leaf.model}"
    assert (answer.hops[-1].target, answer.hops[-1].outcome) == (answer.served_by, "served")
    numbers = [int(number) for _, number in WORD.findall(answer.text)]
    assert numbers == list(range(WORDS))
    # Asked again when all others had failed, the target of a cascade is its last.
    is_last_hope = any(hop.outcome == "open" for hop in answer.hops) or len({id(s.leaf) for s in found.log}) > 1
    if last.outcome in refused[last.leaf.number]:
        assert is_last_hope
        assert any(hop.outcome in ("open", "failed") for hop in answer.hops)
    # All that answers cost, and no more.
    spent = [seen.usage for seen, attempt in zip(found.log, answer.attempts, strict=True) if attempt.error is None]
    assert tokens(answer.usage) == sum(spent)


def check_ledger(found: Outcome) -> None:
    """The ledger is the servers' own log, in order."""
    source = found.error if found.answer is None else found.answer
    assert source is not None
    attempts = source.attempts
    assert [(a.provider, a.model) for a in attempts] == [(s.leaf.provider, s.leaf.model) for s in found.log]
    served = found.log[-1] if found.answer is not None else None
    for attempt, seen in zip(attempts, found.log, strict=True):
        is_late = seen.outcome == "slow" and attempt.error in ("timeout", "deadline_exceeded", "first_token_timeout")
        assert (attempt.error is None) == seen.is_good or is_late, (attempt, seen.outcome)
        assert seen.status is None or attempt.status == seen.status
        if seen.is_good and not is_late:
            assert (attempt.rejected is None) == (seen is served), (attempt, seen.outcome)
            assert tokens(attempt.usage) == seen.usage


def check_chunks(case: Case, found: Outcome) -> None:
    """No text twice, and nobody goes on with the text of another, unless a chunk says so."""
    if not case.is_stream:
        return
    said: list[tuple[int, int]] = []
    is_announced = True
    breaks = 0
    for chunk in found.chunks:
        if chunk.kind in ("restart", "continue"):
            is_announced, breaks = True, breaks + 1
        if chunk.kind == "restart":
            said = []
        for leaf, number in WORD.findall(chunk.text):
            assert int(number) == len(said)
            assert is_announced or said[-1][0] == int(leaf)
            said.append((int(leaf), int(number)))
            is_announced = False
    assert breaks <= sum(seen.outcome == "cut" for seen in found.log)
    text = " ".join(f"m{leaf}.{number}" for leaf, number in said)
    if found.answer is not None:
        assert " ".join(f"m{leaf}.{number}" for leaf, number in WORD.findall(found.answer.text)) == text
    elif found.error is not None and found.error.partial is not None and said:
        assert " ".join(f"m{leaf}.{number}" for leaf, number in WORD.findall(found.error.partial.text)) == text


def check_secrets(case: Case, found: Outcome) -> None:
    """No target gets what is another's: by address, and what an account keeps by the account."""
    home = case.leaves[0]
    for seen in found.log:
        is_home, leaf = seen.address == home.address, seen.leaf
        assert seen.address == leaf.address
        told = f"{seen.headers} {seen.body}"
        allowed = set(leaf.credentials())
        if is_home and KEY in case.given and not leaf.keys:
            allowed = {KEY}
        assert seen.credential in allowed, (seen.credential, allowed)
        others = {each for other in case.leaves for each in other.credentials()} | {KEY}
        assert not [each for each in others - allowed if f"{each}'" in told or f"{each} " in told]
        owner = seen.headers.get("x-owner", leaf.provider)
        assert owner == leaf.provider
        for name in (HEADER, MORE, BODY):
            assert name not in told or is_home, name
        account = home.credentials()[0] if KEY not in case.given or home.keys else KEY
        for name in (FILE, ID):
            assert name not in told or (is_home and seen.credential == account), name


def check_bounds(case: Case, found: Outcome) -> None:
    """Never more than was declared, nor more attempts than the caller allows, for each target."""
    counts = Counter(seen.leaf.number for seen in found.log)
    tries = Counter((seen.leaf.number, seen.credential) for seen in found.log if seen.outcome != "unasked")
    most = 3 if case.retries is None else case.retries + 1
    for leaf, declared in zip(case.leaves, found.declared, strict=True):
        assert counts[leaf.number] <= declared
    for which, count in tries.items():
        assert count <= most, which


def check(case: Case, found: Outcome) -> None:
    """All that must hold."""
    check_ledger(found)
    check_answer(case, found)
    check_chunks(case, found)
    check_secrets(case, found)
    check_bounds(case, found)


def told_of(case: Case, found: Outcome) -> Iterator[str]:
    """The names of what came about in one case."""
    kinds = {chunk.kind for chunk in found.chunks}
    yield case.form
    yield from kinds & {"restart", "continue"}
    yield from (f"{case.form} that {seen.outcome}" for seen in found.log if not seen.is_good)
    yield f"{case.route.depth} deep"
    for before, seen in pairwise(found.log):
        if before.leaf is seen.leaf and before.credential != seen.credential:
            yield "the next key"
    if "continue" in kinds and found.answer is not None:
        yield "an answer that was gone on with"
        if found.log[-1].body["messages"][-1]["role"] == "assistant":
            yield "a prefill"
    if found.chunks and found.error is not None:
        yield "a stream that failed behind its beginning"
    source = found.answer if found.answer is not None else found.error
    if any(attempt.rejected for attempt in source.attempts):
        yield "a rejected stream" if case.is_stream else "a rejected answer"
        if found.answer is not None:
            yield "a rejected answer that is paid for"
    yield from (f"a hop that is {hop.outcome}" for hop in (found.answer.hops if found.answer is not None else ()))
    counts = Counter(seen.leaf.number for seen in found.log)
    reached = [counts[leaf.number] == most for leaf, most in zip(case.leaves, found.declared, strict=True)]
    if any(reached):
        yield "a target at its bound"
    if all(reached) and len(reached) > 1:
        yield "a stack at its bound"
    if any(most > 4 + 3 and is_there for is_there, most in zip(reached, found.declared, strict=True)):
        yield "several keys at their bound"
    others = [seen for seen in found.log if seen.address != case.leaves[0].address]
    if others:
        yield from (f"{name} stays at home" for name in case.given)
        if any(seen.leaf.provider == case.leaves[0].provider for seen in others):
            yield "a second address"
    if found.number:
        yield "a call after another"
    if isinstance(found.error, FallbackExhausted):
        yield "exhausted"


def test_any_stack_is_right_or_says_what_is_wrong(servers: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "heavenbase")  # of judges and observers that raise
    came: Counter[str] = Counter()
    for number in range(CASES):
        case = case_of(Random(f"{SEED} {number}"))
        try:
            for found in run(servers, case):
                check(case, found)
                came.update({*told_of(case, found)})
        except Exception as error:
            log = [(seen.leaf.model, seen.address, seen.outcome) for seen in servers.log]
            error.add_note(f"case {number} of seed {SEED!r}: {case}\n{log}")
            raise
    missing = [name for name in WANTED if not came[name]]
    assert not missing or CASES < ENOUGH, f"checks that had nothing to check: {missing} of {came}"
