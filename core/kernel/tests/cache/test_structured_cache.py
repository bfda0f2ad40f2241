"""Structured answers and the cache: what fits is kept, and comes back in its type."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from heavenbase.errors import StructuredOutputError

from ..support import both_colours, scripted
from .dict_cache import DictCache


class Person(BaseModel):
    name: str
    age: int


GOOD = '{"name": "Al", "age": 3}'
BAD = '{"name": "Al", "age": "old"}'
CACHED: dict[str, Any] = {"heavenbase.llm.cache.enabled": True, "heavenbase.llm.cache.backend": "dict"}


@pytest.mark.parametrize("verb", ["chat", "stream"])
@pytest.mark.parametrize("colour", [0, 1], ids=["sync", "async"])
def test_an_answer_that_took_two_requests_is_kept_as_one(verb: str, colour: int) -> None:
    it = scripted(BAD, GOOD, BAD, plugins=(DictCache(),), config=CACHED)
    ask = both_colours(it.llm, verb)[colour]
    options = {"include": "structured", "response_format": Person, "temperature": 0}
    first, second = ask("who?", **options), ask("who?", **options)
    wanted = Person(name="Al", age=3)
    assert first == second == ([wanted] if verb == "stream" else wanted)
    assert len(it.gateway.calls) == 2


def test_an_answer_that_does_not_fit_is_not_kept() -> None:
    it = scripted(BAD, plugins=(DictCache(),), config=CACHED)
    for requests in (1, 2):
        with pytest.raises(StructuredOutputError):
            it.llm.chat("who?", response_format=Person, temperature=0, structured_retries=0)
        assert len(it.gateway.calls) == requests


def test_another_form_is_another_answer() -> None:
    it = scripted(GOOD, plugins=(DictCache(),), config=CACHED)

    class Other(BaseModel):
        name: str

    it.llm.chat("who?", response_format=Person, temperature=0)
    it.llm.chat("who?", response_format=Other, temperature=0)
    it.llm.chat("who?", response_format=Person, temperature=0)
    assert len(it.gateway.calls) == 2
