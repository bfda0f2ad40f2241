"""HeuristicGate: what it rejects, in which order, and its knobs."""

from __future__ import annotations

from typing import Any

import pytest

import hb_compose as c
from hb_compose.gates import REFUSALS
from heavenbase.errors import InputError

REQUEST = c.CompletionRequest("hi")  # type: ignore[arg-type]
CALL = c.ToolUseBlock("a", "get_time")


def accepts(text: str = "", gate: c.HeuristicGate | None = None, *, tokens: int | None = 50, **fields: Any) -> bool:
    response = c.CompletionResponse.of_text(text, usage=c.TokenUsage(output=tokens), **fields)
    return (gate or c.HeuristicGate()).accept(REQUEST, response)


def test_h21_four_tokens_are_rejected_and_five_accepted() -> None:
    assert not accepts("it is 42", tokens=4)
    assert accepts("it is 42", tokens=5)
    assert accepts("42", c.HeuristicGate(min_output_tokens=1), tokens=1)
    assert accepts("an answer whose tokens nobody counted", tokens=None)
    assert not accepts("", tokens=None)


@pytest.mark.parametrize("pattern", REFUSALS)
@pytest.mark.parametrize("change", [str, str.upper, str.lower, lambda it: it.replace("'", "\u2019")])
def test_h21_refusals_are_seen_in_any_case_and_with_any_apostrophe(pattern: str, change: Any) -> None:
    assert not accepts(f"Well, {change(pattern)} help you with that.")


def test_h21_a_refusal_is_words_and_stands_at_the_head() -> None:
    assert accepts("Hanoi cannot be reached by this train, but by the next one.")
    assert accepts(f"{'The answer is long and good. ' * 10}That is all that I cannot leave out.")
    assert not accepts(f"{'The answer is long. ' * 20}I cannot say more.", c.HeuristicGate(refusal_window=None))


def test_h21_a_tool_call_is_accepted_even_at_max_tokens() -> None:
    at_limit = c.CompletionResponse((CALL,), "max_tokens", c.TokenUsage(output=1))
    assert c.HeuristicGate().accept(REQUEST, at_limit)
    assert not c.HeuristicGate(accept_tool_calls=False).accept(REQUEST, at_limit)


def test_h21_every_knob_can_be_set() -> None:
    long = "an answer that is long enough"
    assert not accepts(long, stop_reason="max_tokens")
    assert accepts(long, c.HeuristicGate(escalate_on_max_tokens=False), stop_reason="max_tokens")
    assert not accepts(long, stop_reason="refusal")
    assert not accepts(long, stop_reason="content_filter")
    assert accepts(long, c.HeuristicGate(escalate_on_refusal=False), stop_reason="refusal")
    assert not accepts("Das weiß ich nicht.", c.HeuristicGate(refusal_patterns=["weiß ich nicht"]))
    assert accepts("I cannot help you with that.", c.HeuristicGate(refusal_patterns=["weiß ich nicht"]))
    assert accepts("", c.HeuristicGate(min_output_tokens=0), tokens=0)


@pytest.mark.parametrize(
    "knobs",
    [
        {"min_output_tokens": -1},
        {"min_output_tokens": "5"},
        {"min_output_tokens": None},
        {"refusal_patterns": [10**5000]},
        {"accept_tool_calls": 1},
        {"refusal_patterns": "I cannot"},
        {"refusal_patterns": [""]},
        {"refusal_window": 0},
    ],
)
def test_knobs_that_make_no_sense_are_refused(knobs: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(knobs)).removesuffix("s")[:15].replace("_", "[_ ]")):
        c.HeuristicGate(**knobs)


def test_gates_are_known_by_their_method() -> None:
    assert isinstance(c.HeuristicGate(), c.ConfidenceGate)
    assert not isinstance(object(), c.ConfidenceGate)
