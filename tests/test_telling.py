"""What each provider tells beside text is told, whole and streamed, in both colours, in dicts, files and the cache."""

from __future__ import annotations

import asyncio
import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest

import heavenbase as hb
from hb_testing.conformance.rig import environment
from heavenbase.cache import rows
from heavenbase.config.config import Config
from heavenbase.details import Details
from heavenbase.http.transport.protocol import HTTPResponse
from heavenbase.kernel import Kernel
from heavenbase.types import Completion, ParameterReport
from tests.telling import TELLINGS, Telling
from tests.told import KEYS, SETTINGS, WIRES, Given, server_events


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
        cached = rows.completion_of(kept)
        assert cached.rate_limits == found.rate_limits
        cached.details = replace(cached.details or Details(), rate_limits=None)
        assert cached.details == telling.expected
    talk = hb.LLMSession(telling.told.llm)
    answers(telling)  # puts the stream into the transport
    _ = [*talk.stream("q", **telling.asked)]
    talk.save(tmp_path / "session.json")
    [*_, message] = hb.LLMSession.load(tmp_path / "session.json", telling.told.llm).messages
    assert ("rate_limits" in message) is (telling.limits is not None)
    for name in telling.fields - {"rate_limits"}:
        assert message[name] == told[name], name


def test_b12_limits_of_a_cached_answer_are_those_of_the_moment_when_it_came(tmp_path: Path) -> None:
    given, told = Given(), next(it for it in WIRES if it.name == "openai")
    settings = {**SETTINGS, "heavenbase.llm.cache.enabled": True}
    environ = environment(**KEYS, HEAVENBASE_HOME=str(tmp_path))
    with Kernel(Config.from_dict(settings, environ=environ), transport=given) as kernel:
        llm = hb.LLM(model=told.model, provider="openai", kernel=kernel)
        headers = (("content-type", "application/json"), ("x-ratelimit-remaining-requests", "7"))
        given.answer = HTTPResponse(200, headers, json.dumps(told.text).encode())
        first, again = llm.complete("q", temperature=0), llm.complete("q", temperature=0)
        assert (first.cached, again.cached, given.sent) == (False, True, 1)
        assert first.rate_limits == again.rate_limits == hb.RateLimits(hb.RateLimit(remaining=7))
        assert again.to_dict()["rate_limits"] == {"requests": {"remaining": 7}}
        given.answer = HTTPResponse(
            200, (("content-type", told.content_type), headers[1]), server_events(told.streams[0])
        )
        for _ in range(2):
            chunks = list(llm.stream("r", include="chunk", temperature=0))
            assert chunks[0].rate_limits == first.rate_limits
        assert given.sent == 2
        talk = hb.LLMSession(llm)
        talk.send("q", temperature=0)
        assert talk.messages[-1]["rate_limits"] == {"requests": {"remaining": 7}}
        given.answer = HTTPResponse(200, headers, json.dumps(told.text).encode())
        report = llm.complete([*talk.messages, {"role": "user", "content": "and?"}]).report
        assert report is not None
        assert "rate_limits" not in str(report.entries)  # what hb itself adds goes back to nobody
