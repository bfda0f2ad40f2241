"""Credentials of one target in what another one says: neither errors nor logs tell them."""

from __future__ import annotations

import logging
import traceback
import warnings
from typing import Any

import pytest

from hb_routing import fallback
from heavenbase.errors import FallbackExhausted, FallbackWarning, HBError, RequestRejected
from heavenbase.middleware import Observer

from .support import House, colours

KEYS = ("key-of-one", "key-of-two", "second-key-of-two")
ECHO = f"the proxy saw {', '.join(KEYS)}"
TARGETS = ("one/m", {"model": "two/m", "keys": list(KEYS[1:])})


@pytest.fixture(autouse=True)
def quiet() -> None:
    warnings.simplefilter("ignore", FallbackWarning)


def shown(error: BaseException) -> str:
    """All that a reader may see of an error."""
    facts = {name: value for name, value in vars(error).items() if name not in ("partial", "errors")}
    inner = [shown(each) for _, each in getattr(error, "errors", ())]
    return " ".join([str(error), repr(error), repr(facts), *traceback.format_exception(error), *inner])


def failure(ask: Any) -> HBError:
    with pytest.raises(HBError) as caught:
        ask()
    return caught.value


def test_an_exhausted_route_tells_no_targets_key(house: House) -> None:
    for ask in colours(house, house.llm(*TARGETS, max_retries=0)):
        for name in ("one", "two", "two"):
            house.servers[name].reply(ECHO, status=500)
        error = failure(ask)
        assert isinstance(error, FallbackExhausted)
        told = shown(error)
        assert [key for key in KEYS if key in told] == []
        assert "the proxy saw ***" in told


def test_an_error_that_does_not_hop_tells_no_key_of_a_known_target(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[str] = []

    class Listening(Observer):
        around = "attempt"

        def after(self, call: Any, answer: Any, error: BaseException | None, seconds: float) -> None:
            heard.append(str(error))
            raise ValueError(ECHO)

    def judge(call: Any, answer: Any) -> str | None:
        raise ValueError(ECHO)

    llm = house.routed(fallback(*TARGETS, judge=judge), max_retries=0, middleware=[Listening()])
    for ask in colours(house, llm):
        house.fail("one", 500)
        ask()
        house.servers["one"].reply(ECHO, status=400)
        error = failure(ask)
        assert isinstance(error, RequestRejected)
        assert [key for key in KEYS if key in shown(error)] == []
    assert len(heard) == 12
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 16
    late = [text for text in [*told[3:], *heard[1:]] if any(key in text for key in KEYS)]
    assert late == []  # all targets are known from the second request on


def test_a_call_of_one_target_knows_of_no_other(house: House) -> None:
    house.servers["one"].reply(ECHO, status=400)
    error = failure(lambda: house.routed(fallback("one/m")).chat("hi"))
    assert (KEYS[0] in str(error), KEYS[1] in str(error)) == (False, True)
