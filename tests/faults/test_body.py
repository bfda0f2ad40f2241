"""Rows B1 to B3: answers that are not what the wire promises."""

from __future__ import annotations

import json

import pytest

from hb_testing.server import LoopbackServer
from heavenbase.errors import (
    Overloaded,
    RateLimitError,
    ResponseDecodeError,
    ResponseError,
    ResponseShapeError,
    ServerError,
)
from tests.faults.harness import Mode, check_error, every, harness

SYNC_AND_ASYNC = every(("chat", "achat"))


@pytest.mark.parametrize(
    "fault",
    [
        *("B1.html", "B1.empty", "B1.invalid-json", "B1.invalid-utf8"),
        *("B1.choices-null", "B1.choices-empty", "B1.choices-missing", "B1.message-null"),
    ],
)
@SYNC_AND_ASYNC
def test_b1_a_wrong_body_is_a_typed_error_with_an_excerpt(server: LoopbackServer, mode: Mode, fault: str) -> None:
    with harness(server, fault) as made:
        error = check_error(made.run(mode), ResponseError, requests=2)
    assert isinstance(error, ResponseDecodeError | ResponseShapeError)
    assert error.maybe_billed
    assert error.body is not None
    assert len(error.body) <= 200
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("fault", "expected"), [("B2.429", RateLimitError), ("B2.502", ServerError), ("B2.503", Overloaded)]
)
@SYNC_AND_ASYNC
def test_b2_an_error_inside_a_200_is_that_error(
    server: LoopbackServer, mode: Mode, fault: str, expected: type[ServerError]
) -> None:
    with harness(server, fault) as made:
        error = check_error(made.run(mode), expected, requests=3)
    assert error.retryable


@pytest.mark.parametrize("fault", ["B3.depth", "B3.nan", "B3.infinity", "B3.1e400"])
@SYNC_AND_ASYNC
def test_b3_hostile_numbers_and_depth_are_decode_errors(server: LoopbackServer, mode: Mode, fault: str) -> None:
    with harness(server, fault) as made:
        error = check_error(made.run(mode), ResponseDecodeError)
    assert len(error.attempts) in (1, 2)


@pytest.mark.parametrize("fault", ["B3.surrogate", "B3.nul"])
@SYNC_AND_ASYNC
def test_b3_surrogates_and_nul_are_text_that_can_be_printed(server: LoopbackServer, mode: Mode, fault: str) -> None:
    with harness(server, fault, config={"heavenbase.llm.cache.enabled": True}) as made:
        ran = made.run(mode)
        assert ran.error is None
        assert made.run(mode).completion.cached
    assert ran.text
    ran.text.encode()
    json.dumps(ran.completion.to_dict(), ensure_ascii=False, default=str).encode()
