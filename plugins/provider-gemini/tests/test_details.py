"""Where sources stand in the text of an answer, and what becomes of answers with several candidates."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hb_provider_gemini.details import citations_of, details_of
from heavenbase.errors import ContentFiltered

from .support import Replay, answering, ask, events, saying

WEB = [{"web": {"uri": "https://a.example", "title": "A"}}]


def cited(parts: list[dict[str, Any]], **segment: Any) -> tuple[int | None, int | None]:
    support = {"segment": segment, "groundingChunkIndices": [0]}
    [found] = citations_of([{"groundingMetadata": {"groundingChunks": WEB, "groundingSupports": [support]}}], parts)
    return found.start, found.end


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=6), st.data())
def test_b12_bytes_of_a_part_are_characters_of_the_answer(texts: list[str], data: st.DataObject) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    place = data.draw(st.integers(0, len(texts) - 1))
    text = texts[place]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    first, last = (len(text[:n].encode()) for n in (start, end))
    before = sum(map(len, texts[:place]))
    parts = [{"text": it} for it in texts]
    segment = {"startIndex": first, "endIndex": last, "partIndex": place}
    if text:
        assert cited(parts, **segment) == (start + before, end + before)
        if end > start:
            assert cited(parts, **segment, text=text[start:end]) == (start + before, end + before)


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ({"endIndex": 3, "text": "dé"}, (3, 5)),  # the part is not said, and is not the first
        ({"startIndex": 4, "endIndex": 7, "text": "dé", "partIndex": 2}, (3, 5)),  # counted over all of the text
        ({"startIndex": 90, "endIndex": 99, "text": "dé", "partIndex": 2}, (3, 5)),  # counted by something else
        ({"startIndex": 90, "endIndex": 99, "text": "nowhere"}, (None, None)),
        ({"startIndex": 90, "endIndex": 99}, (None, None)),
        ({"startIndex": 5, "endIndex": 2}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_b12_words_are_looked_for_where_counts_lead_elsewhere(segment: Any, expected: Any) -> None:
    assert cited([{"text": "thought", "thought": True}, {"text": "äbc"}, {"text": "dé"}], **segment) == expected


@pytest.mark.parametrize(
    "said",
    [
        {"groundingMetadata": {"groundingChunks": [None, 3, {"web": 1}], "groundingSupports": [1, {"segment": 3}]}},
        {"groundingMetadata": {"groundingSupports": [{"segment": {}, "groundingChunkIndices": [0, -1, "x"]}]}},
        {"groundingMetadata": [], "citationMetadata": {"citationSources": [4]}, "urlContextMetadata": "x"},
        {"logprobsResult": {"chosenCandidates": "x"}, "safetyRatings": [None]},
        {"logprobsResult": {"chosenCandidates": 3, "topCandidates": [1]}},
    ],
)
def test_b12_what_is_malformed_is_passed_over(said: Any) -> None:
    assert details_of(said, [{"text": "hi"}]) is None


def test_b12_a_source_that_is_said_twice_is_told_once() -> None:
    first = {"groundingMetadata": {"groundingChunks": WEB}}
    support = {"segment": {"endIndex": 2, "text": "hi"}, "groundingChunkIndices": [0]}
    second = {"groundingMetadata": {"groundingChunks": WEB, "groundingSupports": [support]}}
    third = {"groundingMetadata": {"groundingSupports": [support]}}
    [found] = citations_of([first, second, third], [{"text": "hi"}])
    assert (found.start, found.end, found.url) == (0, 2, "https://a.example")


def test_b1_n_is_asked_for_and_fewer_may_come() -> None:
    part = {"text": "hi"}
    replay = Replay(answering(saying(part)))
    assert len(ask("chat", replay, n=2).choices) == 1
    assert replay.body()["generationConfig"]["candidateCount"] == 2
    assert len(ask("stream", Replay(events(saying(part))), n=2).choices) == 1


def test_b1_a_candidate_that_failed_does_not_take_the_first_along() -> None:
    failed = {"index": 1, "finishReason": "MALFORMED_FUNCTION_CALL", "content": {}}
    answer = saying({"text": "hi"})
    answer["candidates"].append(failed)
    for mode, response in (("chat", answering(answer)), ("stream", events(answer))):
        found = ask(mode, Replay(response), n=2)
        assert [(it.text, it.finish_reason) for it in found.choices] == [("hi", "stop"), ("", "other")]
        assert found.choices[1].raw_finish_reason == "MALFORMED_FUNCTION_CALL"


def test_b12_a_prompt_that_was_blocked_says_for_what() -> None:
    ratings = [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "HIGH", "blocked": True}]
    blocked = {"promptFeedback": {"blockReason": "SAFETY", "safetyRatings": ratings}}
    for mode, response in (("chat", answering(blocked)), ("stream", events(blocked))):
        with pytest.raises(ContentFiltered) as caught:
            ask(mode, Replay(response))
        assert caught.value.partial is not None
        [verdict] = caught.value.partial.filters
        assert (verdict.on, verdict.filtered, verdict.severity) == ("prompt", True, "HIGH")


def test_b7_counts_of_a_stream_are_put_together() -> None:
    first = saying({"text": "h"}, finish=None, usageMetadata={"promptTokenCount": 9, "cachedContentTokenCount": 4})
    last = saying({"text": "i"}, usageMetadata={"candidatesTokenCount": 2, "totalTokenCount": 11})
    usage = ask("stream", Replay(events(first, last))).usage
    assert usage is not None
    assert (usage.input, usage.cache_read, usage.output, usage.total_tokens) == (5, 4, 2, 11)


def test_b11_parts_of_googles_own_tools_go_back_where_no_thoughts_are_wanted() -> None:
    parts = [
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
        {"text": "It is 1."},
    ]
    pieces = [saying(part, finish="STOP" if part is parts[-1] else None) for part in parts]
    for mode, response in (("chat", answering(saying(*parts))), ("stream", events(*pieces))):
        answer = ask(mode, Replay(response), think=False)
        [kept] = answer.message["reasoning_parts"]
        assert kept["value"] == parts


RUN = {"executableCode": {"language": "PYTHON", "code": "1"}}
QUOTED = {"retrievedContext": {"text": "Paris is the capital."}}


def test_b12_the_end_of_a_run_of_googles_own_tools_is_not_that_of_the_answer() -> None:
    """As the server streams it: a search that stops, and text behind it whose sources count on."""
    supports = [{"segment": {"endIndex": 6, "text": "Paris."}, "groundingChunkIndices": [1]}]
    pieces = [
        saying(RUN, groundingMetadata={}),
        saying({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}, finish=None),
        saying({"text": "Paris"}, finish=None),
        saying({"text": "."}),
    ]
    pieces[0]["candidates"][0]["groundingMetadata"] = {"groundingChunks": [{"retrievedContext": {"text": "other"}}]}
    last = {"groundingChunks": [QUOTED], "groundingSupports": supports}
    pieces[-1]["candidates"][0]["groundingMetadata"] = last
    answer = ask("stream", Replay(events(*pieces)))
    assert (answer.text, answer.finish_reason) == ("Paris.", "stop")
    assert [(it.start, it.end, it.quote) for it in answer.citations] == [
        (None, None, "other"),
        (0, 6, "Paris is the capital."),
    ]
    [kept] = answer.message["reasoning_parts"]
    assert [next(iter(part)) for part in kept["value"]] == ["executableCode", "codeExecutionResult", "text"]


def test_b12_an_answer_may_end_with_a_run_of_googles_own_tools() -> None:
    answer = ask("stream", Replay(events(saying({"text": "so"}, finish=None), saying(RUN, usageMetadata=COUNTS))))
    assert (answer.text, answer.finish_reason, answer.raw_finish_reason) == ("so", "stop", "STOP")
    assert answer.usage is not None
    assert answer.usage.total_tokens == 5


COUNTS = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
