"""Random stacks of routes and middlewares with random faults on every target, in four forms.

Whatever the stack: the answer is right or the error is typed, the ledger equals the servers' own logs, no target gets
what is another's, the worst case that was told is never exceeded, and no text is delivered twice unannounced.
"""

from __future__ import annotations

import asyncio
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import heavenbase as hb
from hb_routing import balance, cascade, fallback
from hb_testing.server import AnthropicWire, LoopbackServer, OpenAIWire, Reply
from heavenbase.errors import FallbackExhausted, FallbackWarning, HBError, LossyRequestWarning

NAMES = ("one", "two", "three", "four")
WIRES = {"one": OpenAIWire, "two": OpenAIWire, "three": OpenAIWire, "four": AnthropicWire}
WORDS = 8
FALSE_STARTS = ("E2.1", "E2.4", "E3.before", "E1.before")
STRUCK = ("S5.500", "S5.503", "S1.401", "S1.400", "S2.429", "B1.html", "B2.503", *FALSE_STARTS)
STATUSES = (429, 500, 503, 401, 400, 404, 529)
MODES = ("fail", "restart", "user_turn", "prefill")
TIMES = 40


def text_of(name: str) -> str:
    return " ".join([f"word-of-{name}"] * WORDS)


def pieces_of(name: str) -> list[str]:
    return [f"word-of-{name} "] * (WORDS - 1) + [f"word-of-{name}"]


@dataclass
class Case:
    """One stack: the route, what each target does wrong, and how it is called."""

    route: Any
    faults: dict[str, Any]
    form: int
    middleware: int
    retries: int
    shape: Any = field(default=None)


def nested(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    kinds = st.sampled_from(["fallback", "cascade", "balance"])
    settings = st.fixed_dictionaries(
        {
            "stream_fallback": st.sampled_from(MODES),
            "judge": st.sampled_from([None, "finish", "heuristic"]),
            "hop_after": st.sampled_from([None, 0.1, 2.0]),
            "max_wait": st.sampled_from([0.0, 10.0]),
        }
    )
    return st.tuples(kinds, st.lists(children, min_size=1, max_size=3), settings)


def deep(given: Any) -> int:
    return 1 + max(map(deep, given[1])) if isinstance(given, tuple) else 0


LEAVES = st.sampled_from([f"{name}/m" for name in NAMES])
ROUTES = nested(st.recursive(LEAVES, nested, max_leaves=5)).filter(lambda given: deep(given) <= 4)
FAULTS = st.fixed_dictionaries(
    {
        name: st.one_of(st.none(), st.sampled_from(STRUCK), st.lists(st.sampled_from(STATUSES), max_size=3))
        for name in NAMES
    }
)
CASES = st.builds(Case, ROUTES, FAULTS, st.integers(0, 3), st.integers(0, 2), st.integers(0, 2))


def built(given: Any) -> Any:
    if isinstance(given, str):
        return given
    kind, targets, options = given
    make = {"fallback": fallback, "cascade": cascade, "balance": balance}[kind]
    return make(*map(built, targets), **options)


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, LoopbackServer]]:
    with ExitStack() as stack:
        wires = {name: WIRES[name](name=name, base="/v1" if WIRES[name] is OpenAIWire else "") for name in NAMES}
        yield {name: stack.enter_context(LoopbackServer(wires=[wire], strict=False)) for name, wire in wires.items()}


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


def prepare(servers: dict[str, LoopbackServer], faults: dict[str, Any]) -> None:
    for name, server in servers.items():
        server.clear()
        fault, family = faults[name], name
        statuses = list(fault) if isinstance(fault, list) else []

        def script(request: Any, name: str = name, statuses: list[int] = statuses) -> Reply:
            if statuses:
                return Reply("no", status=statuses.pop(0))
            return Reply(text_of(name), chunks=pieces_of(name), usage={"prompt_tokens": 3, "completion_tokens": WORDS})

        server.script(script)
        if isinstance(fault, str):
            try:
                server.strike(fault, family)
            except HBError:
                server.strike(None)  # a fault that this wire has not


def ask(llm: Any, form: int, middleware: list[Any]) -> tuple[list[Any], Any]:
    """The chunks (of a stream) and the whole answer."""
    chunks: list[Any] = []

    async def whole() -> Any:
        return await llm.acomplete("hi", middleware=middleware)

    async def streamed() -> None:
        async for chunk in llm.astream("hi", include="chunk", middleware=middleware):
            chunks.append(chunk)

    if form == 0:
        return chunks, llm.complete("hi", middleware=middleware)
    if form == 1:
        return chunks, asyncio.run(whole())
    if form == 2:
        for chunk in llm.stream("hi", include="chunk", middleware=middleware):
            chunks.append(chunk)
    else:
        asyncio.run(streamed())
    return chunks, None


def segments(chunks: list[Any]) -> list[str]:
    """The texts between two announcements."""
    found = [""]
    for chunk in chunks:
        if chunk.kind in ("restart", "continue"):
            found.append("")
        found[-1] += chunk.text
    return found


@settings(max_examples=TIMES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(case=CASES)
def test_any_stack_is_right_or_says_what_is_wrong(servers: dict[str, LoopbackServer], case: Case) -> None:
    prepare(servers, case.faults)
    now = [1000.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    async def asleep(seconds: float) -> None:
        now[0] += seconds

    providers = {
        name: {
            "base_url": server.url(name),
            "api_key": f"key-of-{name}",
            "wire": server.wires[name].family,
            "gateway": server.wires[name].family,
            "headers": {"x-owner": name},
        }
        for name, server in servers.items()
    }
    config = {"heavenbase.llm.providers": providers, "heavenbase.llm.cache.enabled": False}
    watch = Watch()
    stack = [[], [watch], [watch, passing]][case.middleware]
    with (
        hb.Kernel(config, clock=lambda: now[0], sleep=sleep, asleep=asleep, random=Random(1).random) as kernel,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", FallbackWarning)
        warnings.simplefilter("ignore", LossyRequestWarning)
        llm = hb.LLM(route=built(case.route), kernel=kernel, max_retries=case.retries)
        call = kernel.call("complete", llm.spec, {}, is_async=False, messages=[{"role": "user", "content": "hi"}])
        most = kernel.services.load("middleware", "routing").plan(call).requests
        chunks: list[Any] = []
        answer = error = None
        try:
            chunks, answer = ask(llm, case.form, stack)
        except HBError as caught:  # nothing else ever leaves
            error = caught
    logs = {name: len(server.requests) for name, server in servers.items()}
    texts = {name: text_of(name) for name in NAMES}
    # Right, or typed.
    if error is not None:
        assert error.kind
        assert not isinstance(error, FallbackExhausted) or all(isinstance(each, HBError) for _, each in error.errors)
    elif answer is not None:
        assert answer.text == texts[str(answer.served_by).partition("/")[0]]
        assert answer.hops[-1].outcome == "served"
    else:
        found = segments(chunks)
        assert any(found[-1] == text for text in texts.values())
        # Nothing twice: each piece between announcements is a beginning of one answer.
        assert all(any(text.startswith(piece) for text in texts.values()) for piece in found)
    # The ledger is the servers' own log.
    ledger = answer.attempts if answer is not None else error.attempts if error is not None else None
    if ledger is not None:
        kept = dict(Counter(attempt.provider for attempt in ledger))
        assert kept == {name: count for name, count in logs.items() if count}, (kept, logs)
    # Nothing of another's.
    for name, server in servers.items():
        for request in server.requests:
            told = f"{request.headers} {request.json}"
            assert f"key-of-{name}" in told
            assert not [other for other in NAMES if other != name and f"key-of-{other}" in told]
            assert request.headers.get("x-owner") == name
    # Never more than was told.
    assert sum(logs.values()) <= most, (logs, most)
    assert watch.told["before"] == watch.told["after"] == (1 if watch in stack else 0)
