"""Fallback: who is asked next, after which errors, and what is told of it."""

from __future__ import annotations

import pytest

from heavenbase.errors import AuthError, FallbackExhausted, FallbackWarning, RequestRejected

from .support import House, colours


@pytest.mark.parametrize("form", range(4))
def test_g17_the_next_target_answers_where_one_fails(house: House, form: int) -> None:
    house.fail("one", 503, 503, 503)
    house.servers["two"].reply("hello")
    with pytest.warns(FallbackWarning, match=r"two/m answers in the place of one/m: overloaded") as told:
        assert list(colours(house, house.llm()))[form]() == "hello"
    assert told[0].filename.endswith(("test_fallback.py", "support.py"))  # who called
    assert house.counts() == (3, 1, 0)


def test_the_answer_tells_who_served_it_and_why(house: House) -> None:
    house.fail("one", 503, 503, 503)
    house.servers["two"].reply("hello")
    with pytest.warns(FallbackWarning):
        answer = house.llm().complete("hi")
    assert (answer.provider, answer.served_by) == ("two", "two/m")
    assert [(hop.target, hop.outcome, hop.reason) for hop in answer.hops] == [
        ("one/m", "failed", "overloaded"),
        ("two/m", "served", ""),
    ]
    assert [(a.provider, a.status, a.reason) for a in answer.attempts] == [
        ("one", 503, None),
        ("one", 503, "retry after overloaded"),
        ("one", 503, "retry after overloaded"),
        ("two", None, "one/m failed: overloaded"),
    ]


def test_g17_bad_input_does_not_hop(house: House) -> None:
    house.fail("one", 400)
    with pytest.raises(RequestRejected):
        house.llm().chat("hi")
    assert house.counts() == (1, 0, 0)


def test_g17_all_failed_holds_every_error_in_order(house: House) -> None:
    house.fail("one", 401)
    house.fail("two", 401)
    house.fail("three", 401)
    with pytest.raises(FallbackExhausted) as caught:
        house.llm().chat("hi")
    assert [(label, type(error)) for label, error in caught.value.errors] == [
        (f"{name}/m", AuthError) for name in ("one", "two", "three")
    ]
    assert caught.value.kind == "auth"
