"""What budgets do to calls: who shares one, what is refused and how, what a request counts as in the end."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

import heavenbase as hb
from hb_limits.budgets.bounds import AROUND_CALL, AROUND_MESSAGE
from hb_testing.server import LoopbackServer
from heavenbase.errors import (
    BudgetExceeded,
    ConnectError,
    HBError,
    Overloaded,
    PluginContractError,
    ProviderError,
    ServerError,
    StreamInterrupted,
)
from heavenbase.ledger import Cost
from heavenbase.session import LLMSession
from heavenbase.types import Usage

from .budget_support import MONDAY, Asked, House, Priced

PROMPT = "a" * 52
BOUND = len(PROMPT) + AROUND_CALL + AROUND_MESSAGE
"""The most tokens of the prompt: the table counts letters."""
MOST = (BOUND * Decimal(10) + 1000 * Decimal(30)) / 1_000_000
"""The most that a request comes to: a prompt at ten dollars for a million, an answer at thirty."""


def forms(llm: hb.LLM, **options: Any) -> Iterator[Callable[[], Any]]:
    """One chat in its four forms."""

    async def awaited() -> Any:
        return await llm.acomplete(PROMPT, **options)

    async def streamed() -> Any:
        return [piece async for piece in llm.astream(PROMPT, **options)]

    yield lambda: llm.complete(PROMPT, **options)
    yield lambda: list(llm.stream(PROMPT, **options))
    yield lambda: asyncio.run(awaited())
    yield lambda: asyncio.run(streamed())


def test_a_request_that_may_go_beyond_is_refused_before_it_is_sent() -> None:
    house = House([{"name": "team", "money": str(MOST * 2 - Decimal("0.000001")), "every": "day"}], wall=MONDAY + 86000)
    llm = house.llm()
    llm.complete(PROMPT)
    for ask in forms(llm):
        with pytest.raises(BudgetExceeded) as caught:
            ask()
        error = caught.value
        assert (error.kind, error.code, error.retry_after) == ("budget", "team", 400.0)
        assert (error.provider, error.model, error.retryable, error.maybe_billed) == ("bank", "dear", False, False)
        assert error.attempts == ()
        for word in ("'team'", "0.061999 USD a day", "0.030999 USD left", "come to 0.031 USD", "bank/dear",
                     "whole again at 2027-01-16T00:00Z"):  # fmt: skip
            assert word in error.message
    assert len(house.bank.asked) == 1
    assert house.spent() == MOST
    house.time.advance(401)
    llm.complete(PROMPT)


def test_a_request_that_no_window_has_room_for_says_so() -> None:
    house = House([{"money": "0.02", "every": "hour"}])
    with pytest.raises(BudgetExceeded, match="more than the whole budget: give max_tokens") as caught:
        house.llm().complete(PROMPT)
    assert caught.value.retry_after is None
    assert house.llm(max_tokens=10).complete(PROMPT).text == "yes"


def test_it_is_not_repeated_and_opens_nothing() -> None:
    house = House([{"money": "0"}])
    with pytest.raises(BudgetExceeded):
        house.llm(max_retries=3).complete(PROMPT)
    assert house.budgets.status()["refused"] == 1
    assert house.time.slept == []


def test_it_is_settled_on_what_was_reported() -> None:
    house = House([{"money": "1", "tokens": 10_000}])
    house.bank.says = lambda call, asked: Usage(10, 3, cache_read=5, reasoning=4)
    for number, ask in enumerate(forms(house.llm()), 1):
        ask()
        assert house.spent() == number * (Decimal(10) * 15 + Decimal(30) * 7) / 1_000_000
        assert house.rows()[0].spent.tokens == 22 * number
        assert house.reserved() == 0


@pytest.mark.parametrize(
    ("failure", "counts"),
    [
        (Overloaded("no room", status=529), 0),
        (ConnectError("nobody there", maybe_billed=True), 0),
        (ServerError("broken", status=500, maybe_billed=True), 1),
        (BudgetExceeded("of another"), 0),
    ],
)
def test_a_failure_that_was_surely_not_billed_gives_all_back(failure: HBError, counts: int) -> None:
    house = House([{"money": "1"}])
    house.bank.says = lambda call, asked: type(failure).of(failure)
    for ask in list(forms(house.llm()))[::2]:
        with pytest.raises(HBError):
            ask()
    assert house.spent() == counts * 2 * MOST
    assert house.reserved() == 0


@pytest.mark.parametrize("said", [ValueError("a fault of the gateway"), RuntimeError("its SDK")])
def test_a_failure_that_its_gateway_did_not_map_counts_as_all_that_was_set_aside(said: Exception) -> None:
    """Nobody knows whether the request was sent."""
    house = House([{"money": "1"}])
    house.bank.says = lambda call, asked: said
    with pytest.raises(ProviderError) as caught:
        house.llm().complete(PROMPT)
    assert caught.value.maybe_billed
    assert (house.spent(), house.reserved()) == (MOST, 0)


def test_an_answer_of_no_right_type_counts_as_all_that_was_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House([{"money": "1"}])
    monkeypatch.setattr(house.bank, "chat", lambda call, request: "text")
    with pytest.raises(PluginContractError):
        house.llm().complete(PROMPT)
    assert (house.spent(), house.reserved()) == (MOST, 0)


def test_an_answer_without_usage_counts_as_all_that_was_set_aside() -> None:
    house = House([{"money": "1", "tokens": 10_000}])
    house.bank.says = lambda call, asked: None
    house.llm().complete(PROMPT)
    list(house.llm().stream(PROMPT))
    assert house.spent() == 2 * MOST
    assert house.rows()[0].spent.tokens == 2 * (BOUND + 1000)


def test_a_reply_beyond_its_bound_is_recorded_as_it_is_and_the_next_is_refused() -> None:
    house = House([{"money": "0.1"}])
    house.bank.says = lambda call, asked: Usage(10, 5000)
    house.llm().complete(PROMPT)
    assert house.spent() == Decimal("0.1501") > Decimal("0.1")
    with pytest.raises(BudgetExceeded, match=r"has 0\.00 USD left"):
        house.llm(max_tokens=1).complete("a")


def test_repetitions_are_each_asked() -> None:
    """An attempt that may have been billed stays spent, and the one behind it has to fit too."""
    house = House([{"money": str(MOST * 2)}])
    house.bank.says = lambda call, asked: ServerError("broken", status=500, maybe_billed=True)
    with pytest.raises((ServerError, BudgetExceeded)):
        house.llm(max_retries=5, retry={"billed_repeats": 5}).complete(PROMPT)
    assert len(house.bank.asked) == 2
    assert house.spent() == 2 * MOST


# Streams


@pytest.mark.parametrize("is_async", [False, True])
def test_a_stream_that_is_left_counts_as_all_that_was_set_aside(is_async: bool) -> None:
    house = House([{"money": "1"}])
    llm = house.llm()

    async def leave() -> None:
        stream = llm.astream(PROMPT)
        async for _ in stream:
            break
        await stream.aclose()

    if is_async:
        asyncio.run(leave())
    else:
        for _ in llm.stream(PROMPT):
            break
        gc.collect()
    assert (house.spent(), house.reserved()) == (MOST, 0)


def test_a_stream_that_breaks_behind_content_counts_as_all_that_was_set_aside() -> None:
    house = House([{"money": "1"}])
    house.bank.says = lambda call, asked: Overloaded("no room", status=529)
    with pytest.raises(StreamInterrupted):
        list(house.llm().stream(PROMPT))
    assert house.spent() == MOST


def test_a_cancelled_task_counts_as_all_that_was_set_aside() -> None:
    house = House([{"money": "1"}])
    house.bank.turns = lambda: 1000

    async def cancel() -> None:
        sent = asyncio.Event()
        house.bank.before = sent.set
        task = asyncio.ensure_future(house.llm().acomplete(PROMPT))
        await sent.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert (house.spent(), house.reserved()) == (MOST, 0)


# For whom


def test_a_budget_for_each_call_has_all_its_requests() -> None:
    """Repetitions and rounds of tools count together, another call begins anew."""
    house = House([{"name": "c", "per": "call", "money": str(MOST * 3)}])
    house.bank.says = lambda call, asked: ServerError("broken", status=500, maybe_billed=True)
    for _ in range(2):
        before = len(house.bank.asked)
        with pytest.raises(BudgetExceeded):
            house.llm(max_retries=9, retry={"billed_repeats": 9}).complete(PROMPT)
        assert len(house.bank.asked) == before + 3


def test_rounds_of_tools_are_one_call() -> None:
    """Through the mock, which calls the tool; each of its requests is priced."""

    def clock() -> str:
        """The time."""
        return "noon"

    house = House([{"per": "call", "tokens": 1500}])
    calls = {"tool_calls": [{"name": "clock", "arguments": {}}]}
    with hb.Kernel({}, middleware=[house.budgets]) as kernel:
        llm = hb.LLM(model="mock/one", gateway="mock", kernel=kernel, max_tokens=400)
        assert llm.complete("When?", tools=[clock], mock_chat={"text": "now"}).text == "now"
        with pytest.raises(BudgetExceeded) as caught:
            llm.complete("When? " * 60, tools=[clock], mock_chat={**calls, "usage": {"input": 900, "output": 300}})
        assert len(caught.value.attempts) == 1


def test_a_call_that_was_forgotten_is_reckoned_from_its_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hb_limits.budgets.calls.KEPT", 1)
    house = House([{"per": "call", "money": str(MOST * 2)}])
    other = house.llm()

    def says(call: Any, asked: Asked) -> Any:
        if call.messages[0]["content"] == "other":
            return Usage(1, 1)
        other.complete("other", max_tokens=1)  # a call between two requests of the first
        return ServerError("broken", status=500, maybe_billed=True)

    house.bank.says = says
    with pytest.raises(BudgetExceeded):
        house.llm(max_retries=9, retry={"billed_repeats": 9}).complete(PROMPT)
    assert sum(asked.error is not None for asked in house.bank.asked) == 2


def test_a_budget_for_each_session_goes_on_in_its_next_turn() -> None:
    house = House([{"per": "session", "money": str(MOST * 2 - Decimal("0.0005"))}])
    house.bank.says = lambda call, asked: Usage(10, 1000)
    one, two = LLMSession(house.llm()), LLMSession(house.llm())
    one.send(PROMPT)
    two.send(PROMPT)
    with pytest.raises(BudgetExceeded, match="for each session"):
        one.send(PROMPT)
    for _ in range(3):  # calls of no session are each by themselves
        house.llm().complete(PROMPT)
    assert {row.label for row in house.rows()} == {one.id, two.id}


def test_a_budget_for_each_tenant() -> None:
    house = House([{"per": "tenant", "every": "month", "money": str(MOST)}])
    llm = house.llm()
    for tenant in ("acme", "other", None):
        llm.complete(PROMPT, **({"tenant": tenant} if tenant else {}))
        with pytest.raises(BudgetExceeded):
            llm.complete(PROMPT, **({"tenant": tenant} if tenant else {}))
    assert [house.spent(label=label) for label in ("acme", "other", "")] == [MOST] * 3


def test_a_budget_for_each_key_tells_no_key() -> None:
    house = House([{"per": "key", "money": str(MOST)}])
    house.llm().complete(PROMPT)
    with pytest.raises(BudgetExceeded) as caught:
        house.llm().complete(PROMPT)
    house.llm(api_key="sk-another-one-of-theirs").complete(PROMPT)
    told = f"{house.rows()} {caught.value!r} {caught.value} {house.budgets.status()}"
    assert len(house.rows()) == 2
    assert "sk-" not in told
    assert house.llm().spec.target_key()[:8] not in told


def test_a_rule_is_about_the_targets_that_it_matches() -> None:
    house = House([{"match": ["bank/d*"], "money": str(MOST)}])
    for _ in range(5):
        house.llm("cheap").complete(PROMPT)
    assert house.spent() == 0
    house.llm().complete(PROMPT)
    with pytest.raises(BudgetExceeded):
        house.llm().complete(PROMPT)


# What nobody knows


def test_an_unknown_price_is_refused_or_allowed_as_configured() -> None:
    house = House([{"money": "1"}])
    with pytest.raises(BudgetExceeded, match=r"the price of bank/strange is not known.*unknown_price") as caught:
        house.llm("strange").complete(PROMPT)
    assert caught.value.retry_after is None
    allowing = House([{"money": "1"}, {"name": "t", "tokens": 100_000}], unknown_price="allow")
    assert allowing.llm("strange").complete(PROMPT).text == "yes"
    assert allowing.budgets.status()["unpriced"] == 1
    assert allowing.spent() == 0
    assert [row.spent.tokens for row in allowing.rows() if row.rule == "t"] == [BOUND + 1000]


def test_an_unknown_price_is_nothing_to_a_budget_of_tokens() -> None:
    house = House([{"tokens": 100_000}])
    house.llm("strange").complete(PROMPT)


def test_without_a_limit_of_the_answer_the_models_own_is_taken() -> None:
    facts = {"heavenbase.llm.providers.bank.capabilities": {"max_output_tokens": 1000}}
    house = House([{"money": "1"}], config=facts)
    house.llm(max_tokens=None).complete(PROMPT)
    assert house.bank.asked[0].most == MOST
    house = House([{"money": "1"}], config={"heavenbase.llm.providers.bank.capabilities": {"context_window": 1000}})
    house.llm(max_tokens=None).complete(PROMPT)
    assert house.bank.asked[0].most == MOST
    house = House([{"tokens": 5000}])
    with pytest.raises(BudgetExceeded, match="no known limit of its answers: give max_tokens"):
        house.llm(max_tokens=None).complete(PROMPT)
    assert house.bank.asked == []


def test_money_of_another_currency_is_an_unknown_price() -> None:
    with pytest.raises(BudgetExceeded, match="bank/euro is paid for in EUR"):
        House([{"money": "1"}]).llm("euro").complete(PROMPT)
    house = House([{"money": "1", "currency": "EUR"}])
    house.llm("euro").complete(PROMPT)
    assert house.spent() == (Decimal(BOUND) * 1 + 1000 * 2) / 1_000_000


def test_the_providers_own_figure_wins() -> None:
    house = House([{"money": "1"}])
    house.bank.says = lambda call, asked: Usage(1, 1, cost="0.25")
    house.llm().complete(PROMPT)
    assert house.spent() == Decimal("0.25")


def test_over_a_real_wire_it_counts_what_the_provider_says(model: LoopbackServer) -> None:
    config = {"heavenbase.llm.providers.acme": {"base_url": model.url("openai"), "api_key": "sk-acme-of-the-house",
                                                "gateway": "openai", "allow_unknown_models": True}}  # fmt: skip
    house = House([{"money": "1", "tokens": 10**6}], config=config, table=Flat())
    llm = hb.LLM(model="acme/gpt-4o-mini", kernel=house.kernel, max_tokens=50)
    costs = []
    for _ in range(2):
        costs += [llm.complete("hi").cost, list(llm.stream("hi", include=["text", "cost"]))[-1]["cost"]]
    assert house.spent() == sum(cost.amount for cost in costs) > 0
    assert house.reserved() == 0
    model.reply("no room", status=503)
    with pytest.raises(Overloaded):
        llm.complete("hi", max_retries=0)
    assert house.spent() == sum(cost.amount for cost in costs)
    used = model.request_count
    with pytest.raises(BudgetExceeded):
        llm.complete("hi", max_tokens=10**9)
    assert model.request_count == used
    house.kernel.close()


class Flat(Priced):
    """A cent for a thousand tokens."""

    def cost(self, provider: str, model_id: str, usage: Usage, *, at: float) -> Cost | None:
        return Cost(Decimal(usage.total_tokens or 0) / 100_000)
