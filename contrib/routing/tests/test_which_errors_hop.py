"""After which statuses and errors the next target is asked, as docs/how-to/routes.md says; each with its reason."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

import pytest

import heavenbase.errors as errors
from hb_routing import balance, cascade, fallback
from hb_routing.run import HOPS
from heavenbase.errors import FallbackWarning, HBError, is_among

from .support import House

KINDS = {"fallback": fallback, "cascade": cascade, "balance": balance}
ALL = tuple(KINDS)
ONE = ("fallback",)
NONE: tuple[str, ...] = ()

# Status, the routes that go on after it, how many requests the target gets with one retry, why.
STATUSES = [
    (400, NONE, 1, "bad input is bad at every target"),
    (401, ONE, 1, "another target has another key; the others leave that to `on`"),
    (402, ALL, 1, "this account is used up"),
    (403, ONE, 1, "as 401"),
    (404, ONE, 1, "the model or the address is not there"),
    (405, NONE, 1, "a wrong request"),
    (407, ONE, 1, "as 401, of a proxy"),
    (408, ALL, 2, "the server's own timeout"),
    (409, ALL, 2, "a conflict that passes"),
    (410, ONE, 1, "as 404"),
    (413, NONE, 1, "too large for any, unless its words say that it is the context"),
    (421, NONE, 1, "a wrong address of ours"),
    (422, NONE, 1, "as 400"),
    (425, ALL, 2, "too early, which passes"),
    (429, ALL, 2, "too many requests"),
    (451, NONE, 1, "not allowed"),
    (499, NONE, 1, "it says that the caller has gone"),
    (500, ALL, 2, "the server failed"),
    (501, ALL, 1, "as 500, and no use to ask again"),
    (502, ALL, 2, "as 500"),
    (503, ALL, 2, "overloaded"),
    (504, ALL, 2, "as 500"),
    (505, ALL, 1, "as 501"),
    (507, ALL, 2, "as 500"),
    (511, ALL, 1, "as 501"),
    *((status, ALL, 2, "what stands before the server found it failing") for status in range(520, 531)),
    (598, ALL, 2, "as 500"),
    (599, ALL, 2, "as 500"),
]


@pytest.fixture(autouse=True)
def quiet() -> None:
    warnings.simplefilter("ignore", FallbackWarning)


def asked(house: House, kind: str, status: int, body: dict[str, Any] | None = None) -> tuple[bool, int]:
    """(whether the second target was asked, requests at the first) where the first answers with this status."""
    server = house.servers["one"]
    raw = b"{}" if body is None else body["raw"]
    head = f"HTTP/1.1 {status} No\r\ncontent-type: application/json\r\ncontent-length: {len(raw)}\r\n"
    server.script(lambda request: [f"{head}connection: close\r\n\r\n".encode() + raw])
    targets = ({"model": "one/m", "weight": 1}, {"model": "two/m", "weight": 0})
    with suppress(errors.StatusError):
        house.routed(KINDS[kind](*targets), max_retries=1).chat("hi")
    return house.counts()[1] > 0, house.counts()[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "hops", "requests"), [row[:3] for row in STATUSES], ids=[str(r[0]) for r in STATUSES]
)
def test_the_next_target_is_asked_after_these_statuses(
    house: House, status: int, hops: tuple[str, ...], requests: int, kind: str
) -> None:
    assert asked(house, kind, status) == (kind in hops, requests)


def test_a_413_that_speaks_of_the_context_goes_on(house: House) -> None:
    body = {"raw": b'{"error": {"message": "prompt is too long for the maximum context"}}'}
    assert asked(house, "fallback", 413, body) == (True, 1)


def test_a_status_that_passes_may_be_left_out(house: House) -> None:
    house.fail("one", 408)
    with pytest.raises(errors.StatusError, match="408"):
        house.routed(fallback("one/m", "two/m", on=["server"]), max_retries=0).chat("hi")
    assert house.counts()[1] == 0


def test_a_target_that_times_out_by_its_own_word_again_and_again_is_left_alone(house: House) -> None:
    house.fail("one", *[408] * 6)
    llm = house.routed(fallback("one/m", "two/m", breaker={"failures": 3}), max_retries=0)
    for _ in range(6):
        llm.chat("hi")
    assert house.counts()[:2] == (3, 6)


# What may be asked again elsewhere; all others are the caller's, the settings' or the kernel's own.
EVERYWHERE = {
    *("TransportError", "ConnectError", "TransportClosed"),
    *("CallTimeout", "ConnectTimeout", "ResponseTimeout", "FirstTokenTimeout", "StallTimeout"),
    *("StatusError", "RateLimitError", "QuotaExhausted", "ServerError", "Overloaded", "ContextOverflow"),
    *("ResponseError", "ResponseDecodeError", "ResponseShapeError", "GenerationFailed", "ProtocolError"),
    *("StreamTruncated", "BudgetExceeded"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_target_is_asked_after_these_errors(kind: str) -> None:
    classes: list[type[HBError]] = [HBError]
    for each in classes:
        classes += [it for it in each.__subclasses__() if it.__module__ == errors.__name__]
    made = [it("x", "y") if issubclass(it, errors.UnknownNameError) else it("x") for it in classes]
    found = {type(error).__name__ for error in made if is_among(error, HOPS[kind])}
    assert found == EVERYWHERE | ({"AuthError", "ModelNotFound"} if kind == "fallback" else set())
