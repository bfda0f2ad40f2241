"""Answers that are broken in every way, on every wire, in both colours: an error of hb, or a right answer."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from hb_testing.conformance.colours import COLOURS
from hb_testing.conformance.rig import Rig
from heavenbase.errors import HBError
from heavenbase.http import LONGEST_WAIT
from heavenbase.operations.listing import PAGES
from heavenbase.types import Completion, Record
from tests.fuzz.cases import Case, all_samples, cases
from tests.fuzz.oracle import problem, problem_of_error
from tests.fuzz.wires import OPERATIONS, STRIKE, WIRES, Desk, Sample, Wire, good_samples, operate

CASES = int(os.environ.get("HB_FUZZ_CASES", "100"))
"""How many of them for each wire."""
SEED = os.environ.get("HB_FUZZ_SEED", "0")
LONGEST = 10.0
"""Seconds for one case, of which hundreds take one: whatever takes longer has stopped."""
VECTORS = [[0.5, 0.25], [1, 0], [0.0, -1.0]]
SHOWN = 12


@dataclass
class Outcome:
    """What one case came to in one colour."""

    answer: Any
    error: HBError | None
    wrong: str

    def said(self) -> Any:
        """What is the same in both colours."""
        if self.error is not None:
            partial = self.error.partial
            return type(self.error).__name__, str(self.error), partial and partial.text
        return said_of(self.answer)


def said_of(answer: Any) -> Any:
    """What an answer says, without when and how it was got."""
    if isinstance(answer, Completion):
        calls = [(call.name, call.arguments) for call in answer.tool_calls]
        return answer.text, answer.reasoning, calls, answer.finish_reason, len(answer.images), answer.usage
    if isinstance(answer, list):
        return said_of(answer[-1])
    if isinstance(answer, Record):
        return {n: held for n, held in answer.to_dict().items() if n not in ("created_at", "elapsed", "attempts")}
    return answer


def call(rig: Rig, llm: Any, sample: Sample) -> Any:
    """The answer of one call that the sample is for; for a stream its chunks and then the whole."""
    colour, verb, options = rig.colour, sample.verb, sample.options
    if verb in OPERATIONS:
        return operate(rig, llm, verb)
    if verb != "stream":
        return rig.call(verb, llm=llm, **options)

    async def read() -> list[Any]:
        return [item async for item in llm.astream("hi", include=["chunk", "completion"], **options)]

    items = colour.run(lambda: list(llm.stream("hi", include=["chunk", "completion"], **options)), read)
    return [item.get("chunk") or item["completion"] for item in items]


def run(rig: Rig, llm: Any, case: Case) -> Outcome:
    """One case in the colour of the rig."""
    Desk.answer = case.sample.answer()
    # What an earlier case was told to wait is over.
    rig.clock.sleep(LONGEST_WAIT)
    before, began = rig.server.request_count, time.monotonic()
    answer: Any = None
    error: HBError | None = None
    try:
        answer = call(rig, llm, case.sample)
        wrong = ""
    except HBError as caught:
        error, wrong = caught, problem_of_error(caught)
    except Exception as caught:
        wrong = problem_of_error(caught)
    taken = time.monotonic() - began
    if taken > LONGEST:
        wrong = wrong or f"took {taken:.1f} s"
    asked = rig.server.request_count - before
    # A refusal that names a default of hb's own is answered with a request without it; lists come in pages.
    most = PAGES if case.sample.verb in ("models", "files.list") else 2 if case.sample.status == 400 else 1
    if not 1 <= asked <= most:
        wrong = wrong or f"{asked} requests: {error!r}"
    return Outcome(answer, error, wrong)


def judged(rig: Rig, llm: Any, wire: Wire, case: Case, outcome: Outcome) -> str:
    """What is wrong with an answer that came."""
    sample, answer = case.sample, outcome.answer
    if sample.status >= 400:
        return "an error status became an answer"
    if not case.is_json and not sample.events:
        return "what is no JSON became an answer"
    if sample.verb == "stream":
        if not re.search(wire.ends, b"".join(sample.events)):
            return "a stream without an end became an answer"
        wrong = problem(answer)
        if not isinstance(answer[-1], Completion) or "".join(item.text for item in answer[:-1]) != answer[-1].text:
            wrong = wrong or "the pieces are not the whole"
    elif sample.verb == "chat":
        if not re.search(wire.proof, sample.body):
            return "an answer without an end became an answer"
        wrong = problem(answer)
    elif sample.verb == "embed":
        vectors = answer["embeddings"]
        wrong = "" if all(type(x) is float for v in vectors for x in v) and len(vectors) == 3 else f"vectors {vectors}"
    elif sample.verb in OPERATIONS:
        wrong = problem(answer)
    else:
        wrong = ""  # a chat that is asked for pictures may answer in words
    if not wrong and sample.verb in ("chat", "stream"):
        return next_turn(rig, llm, answer if sample.verb == "chat" else answer[-1])
    return wrong


def next_turn(rig: Rig, llm: Any, answer: Completion) -> str:
    """What is wrong with the request that goes on with this answer; nothing is sent."""
    try:
        rig.prepare("complete", llm=llm, messages=[*answer.messages, {"role": "user", "content": "go on"}])
    except HBError:
        return ""
    except Exception as error:
        return f"the next turn raises {type(error).__name__}: {error}"
    return ""


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_b14_only_errors_of_hb_or_right_answers(wire: Wire) -> None:
    random = Random(f"{SEED} {wire.name}")
    wrong: list[str] = []
    with ExitStack() as stack:
        colours = [stack.enter_context(closing(COLOURS[name]())) for name in ("sync", "async")]
        shared = [stack.enter_context(wire.rig(colour)) for colour in colours]
        for verb in (*wire.verbs, *OPERATIONS):
            rigs = shared
            if verb in wire.models:
                rigs = [stack.enter_context(wire.rig(colour, verb)) for colour in colours]
            wrong += faults(wire, verb, rigs, random)
    assert not wrong, f"{len(wrong)} of {wire.name}:\n" + "\n".join(wrong[:SHOWN])


def faults(wire: Wire, verb: str, rigs: list[Rig], random: Random) -> Iterator[str]:
    """What is wrong in the cases of one verb or operation."""
    found = all_samples(wire, verb, good_samples(rigs[0], verb))
    llms = [rig.llm_for(verb, STRIKE) for rig in rigs]
    count = CASES if verb in ("chat", "stream") else max(CASES // 10, 10)
    for case in cases(wire, found, random, count) if found else ():
        sync, other = (run(rig, llm, case) for rig, llm in zip(rigs, llms, strict=True))
        fault = sync.wrong or other.wrong
        if not fault and sync.said() != other.said():
            fault = f"sync {sync.said()!r:.300} async {other.said()!r:.300}"
        if not fault and case.origin is not None:
            good = run(rigs[0], llms[0], Case("", case.origin))
            if sync.said() != good.said():
                fault = f"says something else: {sync.said()!r:.300}, not {good.said()!r:.300}"
        if not fault and sync.error is None:
            fault = judged(rigs[0], llms[0], wire, case, sync)
        if fault:
            yield f"{verb} {case.how}: {fault}\n    {shown(case)}"


def shown(case: Case) -> str:
    """The broken answer, for a message."""
    data = case.sample.body or b"".join(case.sample.events)
    return repr(data if len(data) < 1500 else data[:1500] + b" ...")
