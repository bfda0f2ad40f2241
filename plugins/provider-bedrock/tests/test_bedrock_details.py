"""What Converse tells beside text, whole and streamed: citations, verdicts of guardrails."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from hb_provider_bedrock.responses import completion
from hb_provider_bedrock.streams import ConverseStream
from heavenbase.gather import Gathering
from heavenbase.types import Citation, Completion, FilterResult

CALL: Any = SimpleNamespace(
    messages=[],
    spec=SimpleNamespace(provider="bedrock", model_id="m", gateway="bedrock"),
    context=SimpleNamespace(report=None),
)


def streamed(*events: dict[str, Any]) -> Completion:
    state, gathering = ConverseStream(CALL, False, lambda event: None), Gathering()
    for event in events:
        chunk = state.take(event)
        if chunk is not None:
            gathering.feed(chunk)
    return gathering.completion(CALL)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (
            {"documentChar": {"documentIndex": 1, "start": 3, "end": 4}},
            {"kind": "document", "document": 1, "source_start": 3, "source_end": 4, "unit": "characters"},
        ),
        (
            {"documentPage": {"documentIndex": 0, "start": 1, "end": 2}},
            {"kind": "document", "document": 0, "source_start": 1, "source_end": 2, "unit": "pages"},
        ),
        ({"web": {"url": "https://a.example", "domain": "a.example"}}, {"url": "https://a.example"}),
    ],
)
def test_b12_citations_stand_over_the_text_of_their_block(location: Any, expected: Any) -> None:
    raw = {"title": "T", "sourceContent": [{"text": "quo"}, {"text": "te"}], "location": location}
    cited = {"citationsContent": {"content": [{"text": "def"}], "citations": [raw]}}
    message = {"role": "assistant", "content": [{"text": "abc "}, cited, {"text": "."}]}
    whole = completion(CALL, {"output": {"message": message}, "stopReason": "end_turn"}, False)
    pieces = streamed(
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "abc "}}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": "de"}}},
        {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"citation": raw}}},
        {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": "f"}}},
        {"contentBlockStop": {"contentBlockIndex": 1}},
        {"contentBlockDelta": {"contentBlockIndex": 2, "delta": {"text": "."}}},
        {"contentBlockStop": {"contentBlockIndex": 2}},
        {"messageStop": {"stopReason": "end_turn"}},
    )
    for answer in (whole, pieces):
        assert answer.text == "abc def."
        assert answer.citations == [Citation(4, 7, title="T", quote="quote", **expected)]
        assert answer.reasoning_parts[0]["value"][1] == cited
        assert answer.reasoning_parts[0]["is_kept"]


def test_b12_what_guardrails_found() -> None:
    prompt = {"contentPolicy": {"filters": [{"type": "HATE", "confidence": "LOW", "action": "NONE", "detected": True}]}}
    answered = {
        "topicPolicy": {"topics": [{"name": "money", "type": "DENY", "action": "BLOCKED"}]},
        "contextualGroundingPolicy": {"filters": [{"type": "GROUNDING", "score": 0.5, "action": "NONE"}]},
    }
    trace = {"guardrail": {"inputAssessment": {"g": prompt}, "outputAssessments": {"g": [answered]}}}
    message = {"role": "assistant", "content": [{"text": "no"}]}
    decoded = {"output": {"message": message}, "stopReason": "guardrail_intervened", "trace": trace}
    expected = [
        FilterResult("HATE", "prompt", False, True, "LOW"),
        FilterResult("money", "answer", True),
        FilterResult("GROUNDING", "answer", False, score=0.5),
    ]
    stop = {"messageStop": {"stopReason": "guardrail_intervened"}}
    for answer in (completion(CALL, decoded, False), streamed(stop, {"metadata": {"trace": trace}})):
        assert answer.filters == expected


def test_b11_what_a_tool_of_the_provider_brought_goes_back_whole() -> None:
    use = {"toolUseId": "s", "name": "nova_code_interpreter", "type": "server_tool_use"}
    result = {"toolUseId": "s", "type": "nova_code_interpreter_result", "status": "success"}
    pieces = [[{"text": "1"}], [{"text": "2"}], [{"json": {"exitCode": 0}}]]
    answer = streamed(
        {"contentBlockStart": {"contentBlockIndex": 0, "start": {"toolUse": use}}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"toolUse": {"input": '{"snippet": "12"}'}}}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"contentBlockStart": {"contentBlockIndex": 1, "start": {"toolResult": result}}},
        *({"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"toolResult": piece}}} for piece in pieces),
        {"contentBlockStop": {"contentBlockIndex": 1}},
        {"contentBlockDelta": {"contentBlockIndex": 2, "delta": {"text": "12"}}},
        {"messageStop": {"stopReason": "end_turn"}},
    )
    [kept] = answer.reasoning_parts
    assert kept["value"] == [
        {"toolUse": {**use, "input": {"snippet": "12"}}},
        {"toolResult": {**result, "content": [{"text": "12"}, {"json": {"exitCode": 0}}]}},
        {"text": "12"},
    ]
