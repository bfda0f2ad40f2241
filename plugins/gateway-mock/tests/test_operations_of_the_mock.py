"""What the mock answers beside calls, for those who test what they build on it."""

from __future__ import annotations

import asyncio

import pytest

import heavenbase as hb
from heavenbase.errors import InputError, RateLimitError


def test_v2_the_script_says_what_is_counted() -> None:
    assert int(hb.LLM("mock").count_tokens("one two", system="three")) == 3
    assert int(hb.LLM("mock", mock={"usage": {"prompt_tokens": 42}}).count_tokens("one")) == 42


def test_v3_the_script_lists_models() -> None:
    llm = hb.LLM("mock", mock={"models": ["a", "b"]})
    assert [model.id for model in llm.models()] == ["a", "b"]
    assert asyncio.run(llm.amodels(limit=1)).has_more


def test_v4_the_script_scores_documents() -> None:
    llm = hb.LLM("mock", mock={"scores": [0.1, 0.9]})
    assert [one.index for one in llm.rerank("q", ["a", "b"])] == [1, 0]
    with pytest.raises(InputError, match="2 scores for 1"):
        llm.rerank("q", ["a"])


def test_v5_an_operation_fails_as_the_script_says_and_sees_what_is_asked() -> None:
    seen = []

    def script(kind: str, subject: object) -> dict[str, object]:
        seen.append((kind, subject))
        return {}

    llm = hb.LLM("mock", mock=script)
    assert len(llm.models(limit=3)) == 1
    assert llm.files.upload(b"x", "a.txt").id
    assert [kind for kind, _ in seen] == ["models", "files.upload"]
    assert seen[0][1] == 3
    failing = hb.LLM("mock", mock={"error": RateLimitError("busy", status=429)}, max_retries=0)
    for ask in (failing.models, lambda: failing.rerank("q", ["a"]), lambda: failing.files.list()):
        with pytest.raises(RateLimitError):
            ask()
