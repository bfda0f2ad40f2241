"""The worst case that a plan declares, against what servers that always fail were sent."""

from __future__ import annotations

from typing import Any

import pytest

from hb_routing.plan import UNASKED
from hb_testing.server import Reply
from heavenbase.errors import HBError

from .support import House


def worst(house: House, llm: Any, verb: str, options: dict[str, Any], **content: Any) -> int:
    call = house.kernel.call(verb, llm.spec, options, is_async=False, **content)
    plan = house.kernel.services.load("middleware", "routing").plan(call)
    return int(plan.requests)


@pytest.mark.parametrize(
    ("options", "repeats"),
    [
        ({"max_retries": 0}, 1),
        ({"max_retries": 2}, 3),
        ({"retry": {"max_attempts": 4}}, 4),
        ({"retry": {"max_attempts": 4}, "max_retries": 0}, 4),
    ],
)
def test_a_chat_is_sent_no_more_often_than_declared(house: House, options: dict[str, Any], repeats: int) -> None:
    for name in ("one", "two"):
        house.servers[name].script(lambda request: Reply("busy", status=503))
    llm = house.llm("one/m", "two/m")
    with pytest.raises(HBError):
        llm.chat("hi", **options)
    assert sum(house.counts()) == 2 * repeats
    declared = worst(house, llm, "complete", options, messages=[{"role": "user", "content": "hi"}])
    assert declared == 2 * (repeats + UNASKED)


def test_each_batch_of_an_embedding_counts(house: House) -> None:
    llm = house.llm("one/e", "two/e")
    options = {"embedding_batch_size": 2, "embedding_max_workers": 1, "max_retries": 1}
    texts = ["a", "b", "c", "a", "d", "e"]
    assert worst(house, llm, "embed", options, inputs=texts) == 2 * 3 * (2 + UNASKED)
    house.servers["one"].strike("S5.500", "one")
    llm.embed(texts, **options)
    assert house.counts() == (2, 3, 0)
