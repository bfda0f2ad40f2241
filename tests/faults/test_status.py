"""Rows S1 to S5: what the provider says."""

from __future__ import annotations

import pytest

from hb_testing.server import LoopbackServer
from heavenbase.errors import (
    AuthError,
    HBError,
    ModelNotFound,
    Overloaded,
    QuotaExhausted,
    RateLimitError,
    RequestRejected,
    ServerError,
)
from tests.faults.harness import Mode, check_error, every, harness


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("S1.400", RequestRejected),
        ("S1.422", RequestRejected),
        ("S1.404", ModelNotFound),
        ("S1.401", AuthError),
        ("S1.403", AuthError),
        ("S2.402", QuotaExhausted),
        ("S2.429", QuotaExhausted),
    ],
)
@every()
def test_s1_s2_refusals_are_not_repeated(
    server: LoopbackServer, mode: Mode, fault: str, expected: type[HBError]
) -> None:
    with harness(server, fault) as made:
        error = check_error(made.run(mode), expected, requests=1)
    assert error.status == int(fault[-3:])
    assert not error.retryable
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", ["S3.number", "S3.ms", "S3.date"])
@every()
def test_s3_h16_retry_after_is_obeyed_in_every_form(server: LoopbackServer, mode: Mode, fault: str) -> None:
    with harness(server, fault) as made:
        ran = made.run(mode)
    assert ran.error is None
    assert len(server.requests) == 2
    (wait,) = ran.slept
    assert (2.0 if fault != "S3.date" else 1.0) <= wait <= (2.5 if fault != "S3.date" else 3.75)


@every(("chat", "achat"))
def test_s3_other_calls_to_the_same_target_pause_too(server: LoopbackServer, mode: Mode) -> None:
    with harness(server, "S4.retry-after-20") as made:
        first = made.run(mode, max_retries=0)
        check_error(first, RateLimitError, requests=1)
        second = made.run(mode, max_retries=0)
    assert first.slept == []
    assert len(second.slept) == 1
    assert 19 <= second.slept[0] <= 25


@every()
def test_s4_a_long_retry_after_ends_the_call_at_once(server: LoopbackServer, mode: Mode) -> None:
    with harness(server, "S4.retry-after") as made:
        ran = made.run(mode)
    error = check_error(ran, RateLimitError, requests=1)
    assert error.retry_after == 3600
    assert ran.slept == []


@every()
def test_s4_a_server_that_says_no_is_not_asked_again(server: LoopbackServer, mode: Mode) -> None:
    with harness(server, "S4.should-retry") as made:
        error = check_error(made.run(mode), Overloaded, requests=1)
    assert not error.retryable


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("S5.500", ServerError),
        ("S5.502", ServerError),
        ("S5.503", Overloaded),
        ("S5.504", ServerError),
        ("S5.529", Overloaded),
    ],
)
@every()
def test_s5_server_errors_are_tried_three_times(
    server: LoopbackServer, mode: Mode, fault: str, expected: type[HBError]
) -> None:
    with harness(server, fault) as made:
        ran = made.run(mode)
    error = check_error(ran, expected, requests=3)
    assert [attempt.status for attempt in error.attempts] == [int(fault[-3:])] * 3
    assert len(server.requests) == 3
    assert ran.slept == [0.25, 0.5]  # half of 0.5 and of 1.0: full jitter with a random of 0.5


@pytest.mark.parametrize("mode", ["chat", "achat"])
def test_s5_the_budget_bounds_a_storm(server: LoopbackServer, mode: Mode) -> None:
    with harness(server, "S5.503") as made:
        for _ in range(200):
            made.run(mode)
    assert len(server.requests) <= 240
