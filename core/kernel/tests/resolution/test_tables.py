"""A table of models: its facts stand below manifests and settings, it prices what requests used, it never fails one."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from heavenbase.call import Call
from heavenbase.details import Usage
from heavenbase.errors import ConfigError, PluginFallbackWarning, PluginLoadError, ServerError
from heavenbase.kernel import Kernel
from heavenbase.ledger import Attempt, Cost, cost_of
from heavenbase.llm import LLM
from heavenbase.middleware import Setting
from heavenbase.resolution import ModelTable
from heavenbase.session import LLMSession
from heavenbase.types import Completion

from ..support import CodeProvider, calling, make_kernel

DAY = "2026-11-01"


class Priced(ModelTable):
    """One model: two dollars for a token that goes in, three for one that comes out."""

    name = "prices"
    settings: ClassVar[Any] = {"factor": Setting("int", 1, "times the price", minimum=1)}

    def facts(self, provider: str, model_id: str) -> Any:
        return {"context_window": 1000, "max_output_tokens": 77, "speed": 5} if model_id == "tiny" else {}

    def cost(self, provider: str, model_id: str, usage: Usage, *, at: float) -> Cost | None:
        if model_id != "tiny" or usage.input is None or usage.output is None:
            return None
        amount = Decimal(2 * usage.input + 3 * usage.output) * self.options["factor"]
        return Cost(amount, source="table 1", date=DAY)


class Broken(ModelTable):
    name = "prices"

    def facts(self, provider: str, model_id: str) -> Any:
        raise KeyError(model_id)

    def cost(self, provider: str, model_id: str, usage: Usage, *, at: float) -> Cost | None:
        raise ZeroDivisionError


def priced(*script: Any, **options: Any) -> Kernel:
    return make_kernel(*script, plugins=(Priced(), *options.pop("plugins", ())), **options)


def test_an_answer_tells_what_it_cost() -> None:
    with priced("hello") as kernel:
        llm = LLM(kernel=kernel)
        answer = llm.complete("hi")
        assert answer.cost == Cost(Decimal(13), "USD", "table 1", DAY)
        assert [attempt.cost for attempt in answer.attempts] == [answer.cost]
        assert llm.chat("hi", include="cost") == answer.cost
        assert llm.chat("hi", include=["text", "cost"])["cost"] == answer.cost
        assert copy.deepcopy(answer).cost == answer.cost
        assert answer.to_dict()["attempts"][0]["cost"] == {
            "amount": "13",
            "currency": "USD",
            "source": "table 1",
            "date": DAY,
        }


def test_a_table_reckons_what_somebody_reads() -> None:
    asked: list[str] = []

    class Counting(Priced):
        def cost(self, provider: str, model_id: str, usage: Usage, *, at: float) -> Cost | None:
            asked.append(model_id)
            return super().cost(provider, model_id, usage, at=at)

    with make_kernel("hello", plugins=(Counting(),)) as kernel:
        answer = LLM(kernel=kernel).complete("hi")
    assert asked == []
    assert (answer.cost.amount, pickle.loads(pickle.dumps(answer.attempts[0])).cost) == (13, answer.cost)  # noqa: S301
    assert answer.attempts[0] == Attempt.from_dict(answer.attempts[0].to_dict())


def test_a_stream_tells_it_at_its_end_in_both_colours() -> None:
    with priced("hello") as kernel:
        llm = LLM(kernel=kernel)
        *_, last = llm.stream("hi", include=["text", "cost"])
        assert last["cost"].amount == 13

        async def ask() -> Any:
            return [item async for item in llm.astream("hi", include=["text", "cost"])][-1]["cost"]

        assert asyncio.run(ask()).amount == 13


def test_vectors_cost_what_all_their_requests_cost() -> None:
    with priced() as kernel:
        found = LLM(kernel=kernel).embed(["a", "b", "c"], include="cost", embedding_batch_size=2)
        assert found.amount == 2 * 3


def test_rounds_of_tools_are_all_paid_for() -> None:
    def clock() -> str:
        """The time."""
        return "noon"

    with priced(calling(("clock", {})), "noon") as kernel:
        answer = LLM(kernel=kernel).complete("When?", tools=[clock])
        assert (answer.cost.amount, len(answer.attempts)) == (26, 2)


def test_a_failure_that_may_have_been_billed_makes_it_a_lower_bound() -> None:
    failed = ServerError("broken", status=500, maybe_billed=True)
    with priced(failed, "hello") as kernel:
        answer = LLM(kernel=kernel).complete("hi", max_retries=1)
        assert (answer.cost.amount, answer.cost.at_least) == (13, True)
        assert str(answer.cost) == "at least 13 USD"
        assert answer.cost.to_dict()["at_least"] is True


def test_the_providers_own_figure_wins() -> None:
    told = Completion("hi", finish_reason="stop", usage=Usage(2, 3, cost="0.0012", currency="EUR"))
    with priced(told) as kernel:
        answer = LLM(kernel=kernel).complete("hi")
        assert answer.cost == Cost(Decimal("0.0012"), "EUR", "provider", "2023-11-14")


@pytest.mark.parametrize("figure", ["nan", "inf", "much", "", "-1", "1e999999", "1e-999999", "0e-999999"])
def test_a_figure_that_is_no_amount_is_not_known(figure: str) -> None:
    told = Completion("hi", finish_reason="stop", usage=Usage(2, 3, cost=figure))
    with priced(told) as kernel:
        assert LLM(kernel=kernel).complete("hi").cost is None


def test_what_is_not_known_is_none() -> None:
    with priced("hello") as kernel:
        assert LLM(model="acme/huge", kernel=kernel).complete("hi").cost is None
    with make_kernel("hello") as kernel:
        assert LLM(kernel=kernel).chat("hi", include="cost") is None
    usage = Usage(1, 1)
    known = Attempt("acme", "tiny", "scripted", usage=usage, cost=Cost(Decimal(1)))
    assert cost_of([known, Attempt("acme", "tiny", "scripted", usage=usage)]) is None
    assert cost_of([known, Attempt("acme", "tiny", "scripted")]) is None
    assert cost_of([]) is None


def test_costs_of_several_currencies_have_no_sum() -> None:
    assert Cost.total([Cost(Decimal(1)), Cost(Decimal(1), "EUR")]) is None
    assert Cost.total([]) is None
    both = Cost.total([Cost(Decimal("0.1"), source="a", date="2026-02-01"), Cost(Decimal("0.2"), source="b")])
    assert both == Cost(Decimal("0.3"), "USD", "a, b", "2026-02-01")


def test_an_answer_of_the_cache_costs_nothing(tmp_path: Any) -> None:
    from hb_cache_memory import MemoryCache

    config = {"heavenbase.llm.cache.enabled": True, "heavenbase.llm.cache.backend": "memory"}
    with priced("hello", plugins=(MemoryCache(),), config=config) as kernel:
        llm = LLM(kernel=kernel, temperature=0)
        assert llm.complete("hi").cost.amount == 13
        kept = llm.complete("hi")
        assert (kept.cached, kept.cost) == (True, Cost(Decimal(0), source="cache"))
        vectors = [llm.embed(["a"], include="cost") for _ in range(2)]
        assert [cost.amount for cost in vectors] == [2, 0]


def test_a_session_adds_up_what_its_turns_cost() -> None:
    with priced("hello") as kernel:
        session = LLMSession(LLM(kernel=kernel))
        assert (session.cost, session.usage) == (None, None)
        session.send("hi")
        list(session.stream("hi"))
        assert (session.cost.amount, session.usage.total_tokens) == (26, 10)
        for _ in session.stream("hi"):
            break  # what this one cost nobody knows
        session.send("hi")
        assert session.cost is None


def test_a_session_names_itself_to_middlewares_and_never_to_the_wire() -> None:
    seen: list[Call] = []

    async def watch(call: Call, next: Any) -> Any:
        seen.append(call)
        return await next(call)

    with priced("hello", middleware=(watch,)) as kernel:
        session = LLMSession(LLM(kernel=kernel, tenant="acme"))
        session.send("hi")
        LLMSession(LLM(kernel=kernel, session="mine")).send("hi")
    first, second = seen
    assert (first.controls["session"], first.controls["tenant"]) == (session.id, "acme")
    assert second.controls["session"] == "mine"
    assert {"session", "tenant"}.isdisjoint(first.args)


def test_its_facts_stand_below_manifests_and_settings() -> None:
    with priced() as kernel:
        spec = kernel.resolve()
        assert (spec.capability("context_window"), spec.capability("max_output_tokens")) == (1000, 77)
        assert spec.capability("speed") is None  # no ability of that name
    with priced(plugins=(CodeProvider(capabilities={"context_window": 5}),)) as kernel:
        assert kernel.resolve().capability("context_window") == 5
    config = {"heavenbase.llm.models.tiny": {"providers": {"acme": "tiny"}, "capabilities": {"context_window": 9}}}
    with priced(config=config) as kernel:
        assert kernel.resolve(model="acme/tiny").capability("context_window") == 9


def test_its_settings_are_checked_and_used() -> None:
    with priced("hello", config={"heavenbase.tables.prices.factor": 10}) as kernel:
        assert LLM(kernel=kernel).complete("hi").cost.amount == 130
    with priced(config={"heavenbase.tables.prices.facto": 10}) as kernel, pytest.raises(ConfigError, match="factor"):
        kernel.resolve()


def test_it_can_be_switched_off_or_named() -> None:
    with priced("hello", config={"heavenbase.llm.table": None}) as kernel:
        assert kernel.services.table is None
        assert LLM(kernel=kernel).complete("hi").cost is None
    with (
        priced(config={"heavenbase.llm.table": "other"}) as kernel,
        pytest.raises(PluginLoadError, match="unknown table 'other'"),
    ):
        kernel.resolve()


def test_a_table_that_fails_loses_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    with make_kernel("hello", plugins=(Broken(),)) as kernel, caplog.at_level(logging.ERROR, "heavenbase"):
        answer = LLM(kernel=kernel).complete("hi")
    assert (answer.text, answer.cost) == ("hello", None)
    assert {record.getMessage().partition(" failed")[0] for record in caplog.records} == {"table prices"}


@pytest.mark.parametrize(
    ("says", "log"),
    [
        (lambda: Decimal(5), "its cost is no Cost, but Decimal"),
        (lambda: Cost(0.5), "a Decimal from 0"),  # type: ignore[arg-type]
        (lambda: Cost(Decimal("NaN")), "a Decimal from 0"),
        (lambda: Cost(Decimal(-1)), "a Decimal from 0"),
        (lambda: Cost(Decimal("1e999999")), "a Decimal from 0"),
    ],
)
def test_what_a_table_says_that_is_no_cost_loses_no_answer(
    says: Any, log: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd(Priced):
        def cost(self, *args: Any, **options: Any) -> Any:
            return says()

    with make_kernel("hello", plugins=[Odd()]) as kernel:
        assert LLM(kernel=kernel).complete("hi").cost is None
    assert log in caplog.text


@pytest.mark.parametrize("facts", [{"max_output_tokens": float("nan")}, {"context_window": "big"}, {"tools": "no"}])
def test_facts_of_another_type_are_told_and_do_not_count(facts: Any, caplog: pytest.LogCaptureFixture) -> None:
    class Odd(Priced):
        def facts(self, provider: str, model_id: str) -> Any:
            return facts

    with make_kernel("hello", plugins=[Odd()]) as kernel:
        llm = LLM(kernel=kernel)
        assert [llm.spec.capability(name) for name in facts] != list(facts.values())
        assert llm.chat("hi") == "hello"
    assert f"{next(iter(facts))} is " in caplog.text


def test_a_table_that_cannot_be_loaded_is_told_and_does_without(site: Any) -> None:
    from ..installed import install

    install(site, "hb-prices", {"heavenbase.tables": {"prices": "no_such_module:Prices"}}, {})
    told = pytest.warns(PluginFallbackWarning, match="table of models 'prices' is not used")
    with make_kernel("hello", discover_plugins=True) as kernel, told:
        assert LLM(kernel=kernel).complete("hi").text == "hello"
