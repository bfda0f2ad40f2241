"""What each provider tells beside text is told, whole and streamed, in both colours, in dicts, files and the cache."""

from __future__ import annotations

import asyncio
import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

import heavenbase as hb
from heavenbase.cache import rows
from heavenbase.details import Details
from heavenbase.types import Completion, ParameterReport
from tests.telling import TELLINGS, Telling


def answers(telling: Telling) -> list[object]:
    """What the provider's answer is read as: whole and streamed, in both colours."""
    telling.told.headers = tuple(telling.headers.items())
    return list(telling.told.every(telling.answer, telling.events, **telling.asked))


def without_moments(limits: hb.RateLimits | None) -> hb.RateLimits | None:
    """Limits without when they begin anew, which the clock says."""
    for limit in (limits.requests, limits.tokens, limits.input_tokens, limits.output_tokens) if limits else ():
        if limit is not None:
            limit.reset_at = None
    return limits


FIELDS = ("citations", "logprobs", "choices", "rate_limits", "filters", "audio")
EVERY = pytest.mark.parametrize("telling", TELLINGS, ids=lambda it: it.told.name)


@EVERY
def test_b12_what_a_provider_tells_is_the_same_whole_and_streamed(telling: Telling) -> None:
    for found in answers(telling):
        assert isinstance(found, Completion), found
        found.details = replace(found.details or Details(), rate_limits=None)
        assert found.details == telling.expected
        assert found.text == "Ärger 日本"
        assert found.id == telling.answer.get("id")


@EVERY
def test_b12_limits_are_told_where_the_provider_has_them(telling: Telling) -> None:
    for found in answers(telling):
        assert isinstance(found, Completion), found
        assert without_moments(found.rate_limits) == telling.limits


@EVERY
def test_b12_the_first_chunk_of_a_stream_has_the_limits(telling: Telling) -> None:
    told = telling.told
    told.headers = tuple(telling.headers.items())
    for first, *others in (
        told.streamed(telling.events, **telling.asked),
        asyncio.run(told.astreamed(telling.events, **telling.asked)),
    ):
        assert ("rate_limits" in first.to_dict()) is (telling.limits is not None)
        assert without_moments(first.rate_limits) == telling.limits
        assert [chunk.rate_limits for chunk in others if chunk.kind == "delta"] == [None] * (len(others) - 1)
        assert "".join(chunk.text for chunk in (first, *others) if chunk.kind == "delta") == "Ärger 日本"
    answers(telling)
    assert "" not in list(told.llm.stream("q", **telling.asked))


@EVERY
def test_b12_what_was_told_comes_back_from_dicts_pickles_the_cache_and_sessions(
    telling: Telling, tmp_path: Path
) -> None:
    for found in answers(telling)[:2]:
        assert isinstance(found, Completion), found
        _ = found.rate_limits
        told = found.to_dict()
        assert {name for name in FIELDS if name in told} == telling.fields
        json.dumps(told)
        again = pickle.loads(pickle.dumps(found))  # noqa: S301
        assert again.to_dict() == told
        kept = rows.encode_completion(found, None, found.report or ParameterReport(), {})
        assert rows.completion_of(kept).details == telling.expected
    talk = hb.LLMSession(telling.told.llm)
    answers(telling)  # puts the stream into the transport
    _ = [*talk.stream("q", **telling.asked)]
    talk.save(tmp_path / "session.json")
    [*_, message] = hb.LLMSession.load(tmp_path / "session.json", telling.told.llm).messages
    for name in telling.fields - {"rate_limits"}:
        assert message[name] == told[name], name
