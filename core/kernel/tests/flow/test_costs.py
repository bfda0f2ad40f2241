"""Every request of a call has its cost in the ledger, whatever led to it; the sum of them is what the call cost."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from decimal import Decimal, Inexact, localcontext
from typing import Any

import pytest

import heavenbase as hb
from heavenbase.details import Record
from heavenbase.errors import HBError, ServerError, StreamInterrupted, StructuredOutputError
from heavenbase.ledger import Attempt, Cost, cost_of
from heavenbase.llm import LLM
from heavenbase.session import LLMSession
from heavenbase.types import Chunk, Completion, Usage

from ..resolution.test_tables import priced
from ..support import Ask, both_colours, calling

EACH = 13
"""What the script's answers cost: two tokens in at 2 dollars each, three out at 3."""
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "number", "schema": SCHEMA}}


def clock() -> str:
    """The time."""
    return "noon"


def forms(llm: LLM) -> list[Callable[..., Any]]:
    """Chats and streams, sync and async, as functions that give the whole answer."""

    def of_stream(ask: Ask) -> Callable[..., Any]:
        return lambda *args, **options: ask(*args, include="completion", **options)[-1]

    return [*both_colours(llm, "complete"), *map(of_stream, both_colours(llm, "stream"))]


def costs(attempts: Any) -> list[Decimal | None]:
    return [None if it.cost is None else it.cost.amount for it in attempts]


@pytest.mark.parametrize("form", range(4))
def test_a_retry_is_of_the_ledger_and_costs_what_its_answer_does(form: int) -> None:
    with priced(ServerError("busy", status=500), "hello") as kernel:
        answer = forms(LLM(kernel=kernel))[form]("hi", max_retries=1)
        assert costs(answer.attempts) == [None, EACH]
        assert answer.cost == answer.attempts[1].cost  # a refusal before anything was made is not billed


@pytest.mark.parametrize("form", range(4))
def test_rounds_of_tools_each_have_their_cost(form: int) -> None:
    with priced(calling(("clock", {})), calling(("clock", {}, "id-2")), "noon") as kernel:
        answer = forms(LLM(kernel=kernel))[form]("When?", tools=[clock])
        assert costs(answer.attempts) == [EACH] * 3
        assert (answer.cost.amount, answer.usage.total_tokens) == (3 * EACH, 15)


@pytest.mark.parametrize("form", range(4))
def test_an_answer_that_did_not_fit_is_paid_for(form: int) -> None:
    with priced("nothing", '{"n": 1}') as kernel:
        answer = forms(LLM(kernel=kernel))[form]("One?", response_format=FORMAT)
        assert costs(answer.attempts) == [EACH, EACH]
        assert (answer.cost.amount, answer.cost.at_least) == (2 * EACH, False)
        assert answer.usage.total_tokens == 10
        assert answer.attempts[0].error == StructuredOutputError.kind


@pytest.mark.parametrize("form", range(4))
def test_an_error_tells_what_was_paid_before_it(form: int) -> None:
    with priced("nothing") as kernel, pytest.raises(StructuredOutputError) as caught:
        forms(LLM(kernel=kernel))[form]("One?", response_format=FORMAT)
    assert costs(caught.value.attempts) == [EACH, EACH]
    assert cost_of(caught.value.attempts) == Cost(Decimal(2 * EACH), "USD", "table 1", "2026-11-01")


@pytest.mark.parametrize("form", range(4))
def test_whole_answers_asked_for_as_streams_have_a_cost(form: int) -> None:
    with priced("hello") as kernel:
        assert forms(LLM(kernel=kernel))[form]("hi", stream_chat=True).cost.amount == EACH


@pytest.mark.parametrize("form", range(2))
def test_each_batch_of_vectors_has_its_cost(form: int) -> None:
    with priced() as kernel:
        llm = LLM(kernel=kernel)
        ask = both_colours(llm, "embed")[form]
        assert ask(["a", "bb", "ccc"], include="cost", embedding_batch_size=2, embedding_max_workers=2).amount == 6
        call = kernel.call("embed", llm.spec, {"embedding_batch_size": 1}, is_async=False, inputs=["a", "bb", "ccc"])
        assert costs(kernel.run(call).attempts) == [2, 2, 2]


@pytest.mark.parametrize("form", [2, 3])
def test_a_stream_that_broke_costs_at_least_what_it_told(form: int) -> None:
    broken = [Chunk(usage=Usage(2, 1)), Chunk("he"), StreamInterrupted("gone", maybe_billed=True)]
    with priced(broken) as kernel, pytest.raises(StreamInterrupted) as caught:
        forms(LLM(kernel=kernel))[form]("hi", max_retries=0)
    (attempt,) = caught.value.attempts
    assert attempt.usage == Usage(2, 1)
    assert (attempt.cost.amount, attempt.cost.at_least) == (7, True)


@pytest.mark.parametrize("form", [2, 3])
def test_a_stream_that_broke_without_a_count_has_no_cost(form: int) -> None:
    with (
        priced([Chunk("he"), StreamInterrupted("gone", maybe_billed=True)]) as kernel,
        pytest.raises(HBError) as caught,
    ):
        forms(LLM(kernel=kernel))[form]("hi", max_retries=0)
    assert costs(caught.value.attempts) == [None]
    assert cost_of(caught.value.attempts) is None


@pytest.mark.parametrize("form", range(4))
def test_an_answer_of_the_cache_keeps_its_usage_and_costs_nothing(form: int) -> None:
    from hb_cache_memory import MemoryCache

    config = {"heavenbase.llm.cache.enabled": True, "heavenbase.llm.cache.backend": "memory"}
    with priced("hello", plugins=(MemoryCache(),), config=config) as kernel:
        ask = forms(LLM(kernel=kernel, temperature=0))[form]
        assert ask("hi").cost.amount == EACH
        kept = ask("hi")
        assert kept.cached
        assert kept.usage == Usage(2, 3)
        assert kept.cost == Cost(Decimal(0), source="cache")


def test_a_ledger_of_failures_before_an_answer_of_the_cache_costs_nothing() -> None:
    failed = Attempt("acme", "tiny", "scripted", error="server")
    assert cost_of([failed], is_kept=True) == Cost(Decimal(0), source="cache")
    failed.maybe_billed = True
    assert cost_of([failed], is_kept=True) == Cost(Decimal(0), source="cache", at_least=True)
    assert cost_of([failed]) is None


def test_what_is_nothing_has_every_currency() -> None:
    euro = Cost(Decimal(1), "EUR", "a")
    assert Cost.total([Cost(Decimal(0), source="cache"), euro]) == Cost(Decimal(1), "EUR", "cache, a")
    assert Cost.total([Cost(Decimal(1)), euro]) is None


def test_sums_are_exact_whatever_the_context_of_who_asks_is() -> None:
    parts = [Cost(Decimal("0.123456")), Cost(Decimal("0.1111111"))]
    with localcontext(prec=3, traps=[Inexact]):
        total = Cost.total(parts)
    assert total is not None
    assert total.amount == Decimal("0.2345671")


def test_costs_go_through_pickles_and_plain_data() -> None:
    with priced("hello") as kernel:
        answer = LLM(kernel=kernel).complete("hi")
    assert pickle.loads(pickle.dumps(answer)).cost == answer.cost  # noqa: S301
    plain = json.loads(json.dumps(answer.to_dict()["attempts"][0]))
    assert Attempt.from_dict(plain) == answer.attempts[0]
    assert Cost.from_dict(plain["cost"]) == answer.cost


def test_a_pickle_of_an_earlier_release_has_no_cost() -> None:
    attempt = Attempt("acme", "tiny", "scripted", usage=Usage(1, 1))
    state = {name: getattr(attempt, name) for name in attempt.__dataclass_fields__ if name != "cost"}
    old = Attempt.__new__(Attempt)
    Record.__setstate__(old, (None, state))
    assert (old.cost, old.usage) == (None, Usage(1, 1))
    answer = Completion("hi", attempts=[old])
    assert answer.cost is None


def test_a_session_counts_what_a_failed_turn_was_answered() -> None:
    with priced("nothing", "nothing", ServerError("no", status=400, retryable=False), "hello") as kernel:
        session = LLMSession(LLM(kernel=kernel, max_retries=0))
        with pytest.raises(StructuredOutputError):
            session.send("One?", response_format=FORMAT)
        assert (session.cost.amount, session.usage.total_tokens) == (2 * EACH, 10)
        with pytest.raises(ServerError):
            session.send("hi")
        assert session.cost.amount == 2 * EACH
        session.send("hi")
        assert (session.cost.amount, session.usage.total_tokens) == (3 * EACH, 15)
    with priced("nothing") as kernel:
        session = LLMSession(LLM(kernel=kernel))
        with pytest.raises(StructuredOutputError):
            list(session.stream("One?", "chunk", response_format=FORMAT))
        assert session.cost.amount == 2 * EACH


def test_a_turn_that_is_gone_on_with_is_counted_once() -> None:
    def ask(question: str) -> str:
        """Ask somebody."""
        return question

    with priced(calling(("ask", {"question": "Sure?"})), "done") as kernel:
        session = LLMSession(LLM(kernel=kernel), tools=[hb.tool(ask)])
        session.send("Do it", confirm=lambda call: hb.PAUSE)
        assert session.cost.amount == EACH
        session.resume({"id-ask": "yes"})
        assert (session.cost.amount, session.usage.total_tokens) == (2 * EACH, 10)
