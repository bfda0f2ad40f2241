"""What an answer tells beside its words: values, limits from headers, gathering, the way through pickles and caches."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import pytest

import heavenbase as hb
from heavenbase.cache import rows
from heavenbase.details import Details
from heavenbase.gather import Gathering, whole_chunk
from heavenbase.ledger.limits import rate_limits
from heavenbase.types import Choice, ChoiceDelta, Chunk, Completion, ParameterReport, ToolCall, ToolCallDelta

NOW = 1_700_000_000.0
CALL: Any = SimpleNamespace(messages=[], spec=SimpleNamespace(model_id="m"))


def full(**changes: Any) -> Completion:
    details = Details(
        citations=[hb.Citation(0, 2, url="https://a.example", title="A", quote="hi")],
        logprobs=[hb.TokenLogprob("hi", -0.1, [hb.TokenLogprob("ho", -2.0)], [104, 105])],
        filters=[hb.FilterResult("hate", filtered=False, severity="safe")],
        audio=[hb.Audio(b"\x00\xff", "wav", "hi", "audio_1", NOW)],
        others=[Choice(1, "ho", tool_calls=[ToolCall("c1", "f")], finish_reason="tool_calls",
                       details=Details(citations=[hb.Citation(url="https://b.example")]))],
    )  # fmt: skip
    return Completion("hi", finish_reason="stop", details=details, **changes)


@pytest.mark.parametrize(
    ("header", "bucket", "field", "value"),
    [
        ("x-ratelimit-limit-requests: 60", "requests", "limit", 60),
        ("x-ratelimit-remaining-tokens: 149,984", "tokens", "remaining", 149984),
        ("x-ratelimit-reset-requests: 6m0s", "requests", "reset", 360.0),
        ("x-ratelimit-reset-tokens: 1m2.5s", "tokens", "reset", 62.5),
        ("x-ratelimit-reset-tokens: 9ms", "tokens", "reset", 0.009),
        ("x-ratelimit-reset-requests: 13.8", "requests", "reset", 13.8),
        ("anthropic-ratelimit-input-tokens-remaining: 7", "input_tokens", "remaining", 7),
        ("anthropic-ratelimit-output-tokens-reset: 2023-11-14T22:13:30Z", "output_tokens", "reset", 10.0),
        ("x-ratelimit-reset: 1700000030000", "requests", "reset", 30.0),
        ("x-rate-limit-reset: 1700000030", "requests", "reset_at", NOW + 30),
        ("X-RateLimit-Reset: Tue, 14 Nov 2023 22:13:21 GMT", "requests", "reset", 1.0),
        ("x-ratelimit-remaining-tokens-minute: 5", "tokens", "remaining", 5),
        ("x-ratelimit-limit-req-minute: 6", "requests", "limit", 6),
        ("ratelimit: limit=100, remaining=50, reset=5", "requests", "remaining", 50),
        ('ratelimit: "default";r=50;t=30', "requests", "reset", 30.0),
        ("x-ms-ratelimit-remaining-requests: 3", "requests", "remaining", 3),
        ("x-trial-endpoint-call-limit: 40", "requests", "limit", 40),
        ("x-trial-endpoint-call-remaining: 7", "requests", "remaining", 7),
        ("x-endpoint-monthly-call-limit: 1000", "requests", "limit", 1000),
        ("ratelimitbysize-remaining: 12", "tokens", "remaining", 12),
        ("x-ratelimitbysize-limit-minute: 12", "tokens", "limit", 12),
        ("x-tokenlimit-remaining: 9", "tokens", "remaining", 9),
        ("x-ratelimit-limit-tokens-prompt: 60000", "input_tokens", "limit", 60000),
        ("x-ratelimit-remaining-tokens-generated: 5", "output_tokens", "remaining", 5),
        ("x-ratelimit-reset-requests-day: 33011.38", "requests", "reset", 33011.38),
        ("x-ratelimit-reset-requests: 1d2h", "requests", "reset", 93600.0),
    ],
)
def test_b12_rate_limits_are_read_in_every_usual_form(header: str, bucket: str, field: str, value: Any) -> None:
    name, _, text = header.partition(": ")
    found = rate_limits([(b"content-type", b"x"), (name.encode(), text.encode())], NOW)
    assert found is not None
    assert getattr(getattr(found, bucket), field) == pytest.approx(value)


@pytest.mark.parametrize(
    "header",
    [
        "content-length: 5",
        "x-ratelimit-reset: never",
        "x-ratelimit-over-limit: no",
        "x-max-tokenlimits: 5",
        "x-ratelimit-limit: ",
        "x-ratelimit-reset: nan",
        f"x-ratelimit-reset: {'9' * 400}h",
    ],
)
def test_b12_what_says_no_limit_is_none(header: str) -> None:
    name, _, text = header.partition(": ")
    assert rate_limits([(name.encode(), text.encode())], NOW) is None


def test_b12_limits_for_a_long_window_or_of_another_kind_stand_under_their_own_names() -> None:
    headers = [
        (b"x-trial-endpoint-call-limit", b"40"),
        (b"x-endpoint-monthly-call-limit", b"1000"),
        (b"anthropic-priority-input-tokens-remaining", b"8"),
        (b"anthropic-ratelimit-unified-5h-reset", b"1700000030"),
    ]
    found = rate_limits(headers, NOW)
    assert found == hb.RateLimits(
        hb.RateLimit(40),
        others={
            "requests_month": hb.RateLimit(1000),
            "input_tokens_priority": hb.RateLimit(remaining=8),
            "requests_unified_5h": hb.RateLimit(reset=30.0, reset_at=NOW + 30),
        },
    )


def test_b12_limits_are_read_when_asked_for_and_headers_stay_behind() -> None:
    answer = Completion("hi", created_at=NOW, elapsed=1.0)
    answer._heard = [(b"set-cookie", b"secret"), (b"x-ratelimit-remaining-requests", b"2")]
    assert b"secret" not in pickle.dumps(answer)
    assert answer.rate_limits == hb.RateLimits(hb.RateLimit(remaining=2))
    assert answer.to_dict()["rate_limits"] == {"requests": {"remaining": 2}}
    assert "rate_limits" not in answer.message


def test_b12_details_stand_under_their_names() -> None:
    answer = full()
    assert (answer.citations[0].url, answer.logprobs[0].top[0].token, answer.filters[0].category) == (
        "https://a.example", "ho", "hate")  # fmt: skip
    data = answer.to_dict()
    assert data["citations"] == [
        {"start": 0, "end": 2, "kind": "url", "title": "A", "url": "https://a.example", "quote": "hi"}
    ]
    assert data["audio"][0]["data"] == "AP8="
    assert [choice["text"] for choice in data["choices"]] == ["hi", "ho"]
    assert [choice["index"] for choice in answer.message["choices"]] == [0, 1]
    assert "citations" not in Completion("x").to_dict()
    assert Chunk("x", details=answer.details).to_dict()["citations"] == data["citations"]


def test_b12_details_come_back_from_pickles_and_the_cache() -> None:
    answer = full()
    assert pickle.loads(pickle.dumps(answer)) == answer  # noqa: S301
    kept = rows.encode_completion(answer, None, ParameterReport(), {})
    assert rows.completion_of(kept).details == answer.details
    chunk = whole_chunk(answer)
    kept = rows.encode_completion(answer, [chunk], ParameterReport(), {})
    (again,) = rows.chunks_of(kept)
    assert again.details == chunk.details
    gathering = Gathering()
    gathering.feed(again)
    assert gathering.completion(CALL).details == answer.details


def test_b1_pieces_of_other_choices_never_mix() -> None:
    gathering = Gathering()
    for index, text in ((1, "x"), (2, "!"), (1, "y")):
        piece = ChoiceDelta(text, tool_calls=[ToolCallDelta(0, f"c{index}", "f", "{}")], index=index)
        gathering.feed(Chunk(text.upper() if index == 1 else "", details=Details(others=[piece])))
    gathering.feed(Chunk(finish_reason="stop", details=Details(others=[ChoiceDelta(finish_reason="length", index=2)])))
    answer = gathering.completion(CALL)
    assert (answer.text, answer.tool_calls) == ("XY", [])
    assert [(it.index, it.text, it.finish_reason) for it in answer.choices] == [
        (0, "XY", "stop"), (1, "xy", "other"), (2, "!", "length")]  # fmt: skip
    assert [call.id for call in answer.choices[1].tool_calls] == ["c1"]


def test_b12_sounds_are_joined_by_their_id() -> None:
    pieces = [hb.Audio(b"a", id="1"), hb.Audio(b"b", transcript="he"), hb.Audio(transcript="y", expires_at=5.0)]
    whole = Details.merged([Details(audio=[piece]) for piece in [*pieces, hb.Audio(b"c", id="2")]])
    assert whole.audio == [hb.Audio(b"ab", None, "hey", "1", 5.0), hb.Audio(b"c", id="2")]


def test_b12_a_category_that_was_filtered_stays_so() -> None:
    verdicts = [hb.FilterResult("hate", filtered=True), hb.FilterResult("hate", filtered=False)]
    whole = Details.merged([Details(filters=[verdict]) for verdict in verdicts])
    assert whole.filters == verdicts[:1]


def test_b12_calls_of_free_text_and_doubtful_ones_come_back_from_the_cache_as_such() -> None:
    calls = [ToolCall("c1", "shell", "ls -l", type="custom"), ToolCall("c2", "f", "{}", reason="unsure")]
    answer = Completion("", tool_calls=calls, finish_reason="tool_calls")
    answer.details = Details(others=[Choice(1, tool_calls=calls)])
    chunk = whole_chunk(answer)
    kept = rows.encode_completion(answer, [chunk], ParameterReport(), {})
    again = rows.completion_of(kept)
    assert again.tool_calls == calls
    assert again.choices[1].tool_calls == calls
    [piece] = rows.chunks_of(kept)
    assert piece.tool_calls is not None
    assert [it.type for it in piece.tool_calls] == ["custom", None]
