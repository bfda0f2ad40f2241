"""The one owner of retries, against a script and a clock that only sleeping moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from heavenbase.errors import (
    AuthError,
    ConnectError,
    DeadlineExceeded,
    HBError,
    IdleTimeout,
    InputError,
    Overloaded,
    PoolTimeout,
    ProviderError,
    QuotaExhausted,
    RateLimitError,
    ResponseShapeError,
    ServerError,
    StreamInterrupted,
    StreamTruncated,
    TransportClosed,
)
from heavenbase.flow.retry import TARGETS, Budget, RetryPolicy
from heavenbase.types import Chunk, Completion, Usage

from ..support import FakeTime, both_colours, make_kernel, scripted

VERBS = ("complete", "stream", "embed")
DOWN: Callable[[Any], Any] = lambda call: (_ for _ in ()).throw(ServerError("down", status=500))  # noqa: E731


def partial(error: HBError) -> Completion:
    assert error.partial is not None
    return error.partial


def outcomes(verb: str, *script: Any, asked: Any = (), **options: Any) -> list[tuple[Any, Any]]:
    """(answer or error, house) of both colours, each on a script of its own; `asked` are options of the call."""
    found = []
    for colour in (0, 1):
        house = scripted(*script, **options)
        try:
            answer = both_colours(house.llm, verb)[colour]("x", **dict(asked))
        except HBError as error:
            answer = error
        found.append((answer, house))
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_s5_a_failing_server_gets_three_attempts_and_every_one_is_in_the_ledger(verb: str) -> None:
    for error, house in outcomes(verb, DOWN):
        assert isinstance(error, ServerError)
        assert len(house.gateway.calls) == 3
        assert [(attempt.error, attempt.status) for attempt in error.attempts] == [("server", 500)] * 3
        assert house.time.naps == [0.25, 0.5]  # full jitter at one half of 0.5 and 1.0
        assert (error.provider, error.model) == ("acme", "tiny")


def test_s5_a_thousand_failing_calls_make_at_most_twelve_hundred_attempts() -> None:
    house = scripted(DOWN)
    for _ in range(1000):
        with pytest.raises(ServerError):
            house.llm.chat("x")
    assert 1150 <= len(house.gateway.calls) <= 1200


def test_s5_concurrent_failing_calls_share_the_budget() -> None:
    house = scripted(DOWN)

    async def storm() -> None:
        errors = await asyncio.gather(*(house.llm.achat("x") for _ in range(200)), return_exceptions=True)
        assert {type(error) for error in errors} == {ServerError}

    asyncio.run(storm())
    assert len(house.gateway.calls) <= 240


def test_a_call_without_budget_says_so_and_a_success_earns_it_back() -> None:
    budget = Budget(RetryPolicy(budget_floor=1, budget_ratio=0.5))
    assert budget.spend()
    assert not budget.spend()
    for _ in range(4):
        budget.earn()
    assert budget.spend()
    house = scripted(DOWN, config={"heavenbase.llm.retry.budget_floor": 0, "heavenbase.llm.retry.budget_ratio": 0.0})
    with pytest.raises(ServerError) as caught:
        house.llm.chat("x")
    assert caught.value.__notes__ == ["not retried: the retry budget of this target is used up"]


def test_unspent_retries_do_not_pile_up_for_ever() -> None:
    budget = Budget(RetryPolicy())
    for _ in range(100_000):
        budget.earn()
    spent = 0
    while budget.spend():
        spent += 1
    assert spent <= 100


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("drawn", [0.0, 0.999])
def test_s3_retry_after_is_waited_for_and_then_it_works(verb: str, drawn: float) -> None:
    time = FakeTime()
    time.random = lambda: drawn  # type: ignore[method-assign]
    for _, house in outcomes(verb, RateLimitError("slow down", retry_after=2.0), "hello", time=time):
        assert len(house.gateway.calls) == 2
        assert 2.0 <= house.time.naps[-1] <= 2.5


def test_s3_other_calls_to_the_same_target_pause_too() -> None:
    time = FakeTime()
    kernel_naps: list[float] = []

    def busy(call: Any) -> str:
        if len(kernel_naps) == 0:
            kernel_naps.append(time.now)
            raise RateLimitError("slow down", retry_after=5.0)
        return "ok"

    house = scripted(busy, time=time)
    with pytest.raises(RateLimitError):
        house.llm.chat("x", max_retries=0)
    assert time.naps == []
    assert house.llm.chat("x", timeout=100) == "ok"  # another client key, the same address and credential
    assert 5.0 <= time.naps[0] <= 6.25
    assert house.llm.chat("x") == "ok"
    assert len(time.naps) == 1
    other = house.llm.chat("x", api_key="sk-other-000")
    assert other == "ok"


@pytest.mark.parametrize("code", ["local_limit", "queue_full", "limits_unknown"])
def test_a_limit_of_ones_own_is_not_retried_and_pauses_nobody(code: str) -> None:
    house = scripted(RateLimitError("used up", code=code, retryable=False, retry_after=5.0), "ok")
    with pytest.raises(RateLimitError) as caught:
        house.llm.chat("x")
    assert caught.value.is_local
    assert house.llm.chat("x") == "ok"
    assert house.time.naps == []


def test_s3_a_pause_that_outlasts_the_deadline_sends_nothing() -> None:
    house = scripted(RateLimitError("slow down", retry_after=30.0), "ok")
    for ask, timeout in zip(both_colours(house.llm, "chat"), (60, 5), strict=True):
        with pytest.raises(RateLimitError) as caught:
            ask("x", timeout=timeout, max_retries=0)
        assert caught.value.retry_after == pytest.approx(30.0)
    assert len(house.gateway.calls) == 1
    assert house.time.naps == []


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    "refusal",
    [RateLimitError("tomorrow", retry_after=3600.0), Overloaded("no", status=503, retryable=False)],
    ids=["retry-after 3600", "x-should-retry false"],
)
def test_s4_a_server_that_says_no_is_asked_once_and_nobody_sleeps(verb: str, refusal: HBError) -> None:
    for error, house in outcomes(verb, refusal, "never"):
        assert error is refusal
        assert len(house.gateway.calls) == 1
        assert house.time.naps == []
    assert refusal.retry_after in (3600.0, None)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("error", [AuthError("401"), QuotaExhausted("402"), PoolTimeout("full"), IdleTimeout("idle")])
def test_what_cannot_help_is_not_repeated(verb: str, error: HBError) -> None:
    for found, house in outcomes(verb, error, "never"):
        assert found is error
        assert len(house.gateway.calls) == 1


@pytest.mark.parametrize("verb", VERBS)
def test_a_call_that_never_got_a_connection_is_no_attempt(verb: str) -> None:
    for error, _ in outcomes(verb, PoolTimeout("all 2 connections are taken")):
        assert isinstance(error, PoolTimeout)
        assert error.attempts == ()


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("cls", [TransportClosed, ResponseShapeError])
def test_what_may_have_been_billed_is_repeated_once_at_most(verb: str, cls: type[ProviderError]) -> None:
    for error, house in outcomes(verb, lambda call: (_ for _ in ()).throw(cls("cut", maybe_billed=True))):
        assert isinstance(error, cls)
        assert len(house.gateway.calls) == 2
        assert [attempt.maybe_billed for attempt in error.attempts] == [True, True]
        assert error.maybe_billed


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(("repeats", "requests"), [(0, 1), (1, 2), (2, 3), (None, 4)])
def test_how_often_what_may_have_been_billed_is_repeated_can_be_set(
    verb: str, repeats: int | None, requests: int
) -> None:
    def cut(call: Any) -> Any:
        raise TransportClosed("cut", maybe_billed=True)

    for error, house in outcomes(verb, cut, asked={"retry": {"billed_repeats": repeats, "max_attempts": 4}}):
        assert isinstance(error, TransportClosed)
        assert len(house.gateway.calls) == requests


@pytest.mark.parametrize("verb", VERBS)
def test_h16_a_longer_retry_after_is_cut_to_the_limit_where_that_is_asked_for(verb: str) -> None:
    capped = {"retry": {"max_retry_after": 7, "cap_retry_after": True}}
    for answer, house in outcomes(verb, RateLimitError("slow down", retry_after=3600.0), "ok", asked=capped):
        assert not isinstance(answer, HBError)
        assert house.time.naps == [7]
    for error, house in outcomes(verb, RateLimitError("slow down", retry_after=3600.0), "ok"):
        assert isinstance(error, RateLimitError)
        assert house.time.naps == []


@pytest.mark.parametrize("verb", VERBS)
def test_t2_a_retry_after_past_the_deadline_fails_at_once(verb: str) -> None:
    for colour in (0, 1):
        house = scripted(RateLimitError("slow down", retry_after=5.0), "never")
        with pytest.raises(DeadlineExceeded) as caught:
            both_colours(house.llm, verb)[colour]("x", timeout=1)
        assert isinstance(caught.value.__cause__, RateLimitError)
        assert len(house.gateway.calls) == 1
        assert house.time.naps == []
        assert [attempt.error for attempt in caught.value.attempts] == ["rate_limit"]


def test_the_deadline_runs_over_all_attempts() -> None:
    time = FakeTime()

    def slow(call: Any) -> Any:
        time.now += 4.0
        raise ConnectError("no")

    house = scripted(slow, time=time)
    with pytest.raises(DeadlineExceeded) as caught:
        house.llm.chat("x", timeout=5)
    assert len(house.gateway.calls) == 2
    assert time.now - 1000.0 < 10
    assert [attempt.elapsed for attempt in caught.value.attempts] == [4.0, 4.0]


def test_a_deadline_passed_before_the_next_attempt_leaves_the_ledger_as_it_was() -> None:
    time = FakeTime()
    house = scripted(ConnectError("no"), "never", time=time)
    time.sleep = lambda seconds: setattr(time, "now", time.now + 100)  # type: ignore[method-assign]
    house = scripted(ConnectError("no"), "never", time=time)
    with pytest.raises(DeadlineExceeded) as caught:
        house.llm.chat("x", timeout=5)
    assert [attempt.error for attempt in caught.value.attempts] == ["connect"]


def test_max_retries_of_the_caller_counts_and_a_default_only_lowers() -> None:
    for options, config, requests in (
        ({}, {}, 3),
        ({"max_retries": 0}, {}, 1),
        ({"max_retries": 4}, {}, 5),
        ({}, {"heavenbase.llm.default_args.max_retries": 1}, 2),
        ({}, {"heavenbase.llm.default_args.max_retries": 9}, 3),
        ({}, {"heavenbase.llm.retry.max_attempts": 2}, 2),
    ):
        house = scripted(DOWN, config=config)
        with pytest.raises(ServerError):
            house.llm.chat("x", **options)
        assert len(house.gateway.calls) == requests, (options, config)


@pytest.mark.parametrize("wrong", [-1, "3", True, 1.5])
def test_a_number_of_retries_that_cannot_be_is_refused_before_anything_is_sent(wrong: Any) -> None:
    house = scripted()
    with pytest.raises(InputError, match="max_retries"):
        house.llm.chat("x", max_retries=wrong)
    assert house.gateway.calls == []


def test_e1_h18_a_stream_that_ends_before_content_is_asked_for_once_more() -> None:
    for error, house in outcomes("stream", [Chunk(id="r")]):
        assert isinstance(error, StreamTruncated)
        assert len(house.gateway.calls) == 2
        assert error.maybe_billed
        assert [attempt.error for attempt in error.attempts] == ["stream_truncated"] * 2
    for answer, house in outcomes("stream", [], "hi"):
        assert answer == ["h", "i"]
        assert len(house.gateway.calls) == 2


def test_e1_a_stream_that_ends_after_content_keeps_the_partial_and_is_not_repeated() -> None:
    for error, house in outcomes("stream", [Chunk("half"), Chunk(usage=Usage(1, 1))]):
        assert isinstance(error, StreamTruncated)
        assert len(house.gateway.calls) == 1
        assert (partial(error).text, partial(error).usage, partial(error).finish_reason) == (
            "half",
            Usage(1, 1),
            "other",
        )
        assert [attempt.error for attempt in error.attempts] == ["stream_truncated"]


def test_e2_a_stream_that_breaks_after_content_is_interrupted_with_its_partial_and_cause() -> None:
    for error, house in outcomes("stream", [Chunk("half"), TransportClosed("reset")]):
        assert isinstance(error, StreamInterrupted)
        assert isinstance(error.__cause__, TransportClosed)
        assert (partial(error).text, error.maybe_billed) == ("half", True)
        assert len(house.gateway.calls) == 1
        assert house.gateway.closed == 1


def test_e3_an_error_before_content_is_its_own_class_and_repeated() -> None:
    for error, house in outcomes("stream", [Chunk(id="r"), Overloaded("busy", status=529)]):
        assert isinstance(error, Overloaded)
        assert len(house.gateway.calls) == 3
    for answer, house in outcomes("stream", [Chunk(id="r"), Overloaded("busy")], "hi"):
        assert answer == ["h", "i"]
        assert house.gateway.opened == house.gateway.closed == 2


def test_e9_a_timeout_after_the_first_content_keeps_its_name() -> None:
    for error, house in outcomes("stream", [Chunk("half"), IdleTimeout("nothing for 60 s", maybe_billed=True)]):
        assert isinstance(error, IdleTimeout)
        assert partial(error).text == "half"
        assert len(house.gateway.calls) == 1


def test_nothing_is_delivered_twice_when_a_stream_is_repeated() -> None:
    script = [Chunk(id="first"), Chunk(usage=Usage(1, 0)), ConnectError("no")]
    for answer, _ in outcomes("stream", script, "hi"):
        assert answer == ["h", "i"]


def test_a_gateway_that_fails_while_it_opens_a_stream_is_repeated() -> None:
    class Eager(type(scripted().gateway)):  # type: ignore[misc]
        def stream(self, call: Any, request: Any) -> Any:
            return iter([Chunk(self._step(call), finish_reason="stop")])

        def astream(self, call: Any, request: Any) -> Any:
            return super().astream(call, request)

    from heavenbase.llm import LLM

    gateway = Eager(ConnectError("no"), "hi")
    assert list(LLM(kernel=make_kernel(plugins=(gateway,))).stream("x")) == ["hi"]
    assert len(gateway.calls) == 2


def test_errors_that_are_no_providers_are_never_repeated() -> None:
    house = scripted(InputError("a wrong option of this gateway"), "never")
    with pytest.raises(InputError):
        house.llm.chat("x")
    assert len(house.gateway.calls) == 1


def test_budgets_of_many_credentials_stay_bounded() -> None:
    house = scripted("ok")
    retry = house.kernel._retry
    for number in range(TARGETS + 200):
        house.llm.chat("x", api_key=f"sk-tenant-{number:06d}")
    assert len(retry._budgets) == TARGETS


def test_concurrent_batches_note_failures_on_their_own_attempts() -> None:
    def embed(call: Any) -> Any:
        if call.inputs == ["b"]:
            raise AuthError("refused", status=401)
        return None

    for colour in (0, 1):
        house = scripted(embed)
        with pytest.raises(AuthError) as caught:
            both_colours(house.llm, "embed")[colour](["a", "b", "c"], embedding_batch_size=1, embedding_max_workers=3)
        assert [attempt.error for attempt in caught.value.attempts].count("auth") == 1
