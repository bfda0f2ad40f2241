"""The values that travel: usage sums, tool calls, reports, plain data."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from decimal import Context, Inexact, localcontext
from typing import Any

import pytest

from heavenbase.errors import ToolArgsError
from heavenbase.types import (
    Attempt,
    Chunk,
    Completion,
    Embedding,
    ImageResult,
    ParameterReport,
    Record,
    ToolCall,
    ToolCallDelta,
    Usage,
)


def test_unknown_usage_is_none_and_never_zero() -> None:
    usage = Usage()
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (None, None, None)
    assert usage.to_dict() == {}
    assert Usage(0, 0).total_tokens == 0


def test_usage_buckets_are_disjoint_and_the_wires_sums_derived() -> None:
    usage = Usage(10, 5, cache_read=100, cache_write=20, reasoning=7)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (130, 12, 142)
    assert usage.to_dict() == {
        "prompt_tokens": 130,
        "completion_tokens": 12,
        "total_tokens": 142,
        "input": 10,
        "output": 5,
        "cache_read": 100,
        "cache_write": 20,
        "reasoning": 7,
    }


def test_usage_adds_up_and_costs_stay_decimal() -> None:
    total = Usage(1, 2, cost="0.1", currency="USD") + Usage(3, None, reasoning=4, cost="0.2", currency="USD")
    assert total == Usage(4, 2, reasoning=4, cost="0.3", currency="USD")
    assert Usage() + Usage() == Usage()


def test_the_sum_of_costs_is_exact_whatever_the_callers_context_is() -> None:
    with localcontext(Context(prec=3, traps=[Inexact])):
        total = Usage(1, cost="1.234567", currency="USD") + Usage(2, cost="2.000001", currency="USD")
    assert total == Usage(3, cost="3.234568", currency="USD")


@pytest.mark.parametrize(
    "other",
    [
        Usage(1),
        Usage(1, cost="2", currency="EUR"),
        Usage(1, cost="much", currency="USD"),
        Usage(1, cost="1e-9999999", currency="USD"),
    ],
)
def test_half_of_a_cost_is_none(other: Usage) -> None:
    told = Usage(1, cost="1", currency="USD")
    assert told + other == other + told == Usage(2)


def test_arguments_of_a_tool_call_parse_or_say_why_not() -> None:
    assert ToolCall("a", "add", '{"x": 1}').parse() == {"x": 1}
    assert ToolCall("a", "add", " ").parse() == {}
    with pytest.raises(ToolArgsError, match="'add' are not JSON"):
        ToolCall("a", "add", '{"x": ').parse()
    with pytest.raises(ToolArgsError, match="'add' are list, not an object"):
        ToolCall("a", "add", "[1]").parse()
    with pytest.raises(ToolArgsError, match="not JSON"):
        ToolCall("a", "add", '{"x":' + "[" * 100_000).parse()


def test_a_repaired_tool_call_keeps_the_original() -> None:
    call = ToolCall("a", "add", "{}", original="{", changes=("closed a bracket",))
    assert call.repaired
    assert not ToolCall("a", "add").repaired
    assert call.to_dict() == {"id": "a", "type": "function", "function": {"name": "add", "arguments": "{}"}}


def test_each_parameter_ends_in_exactly_one_outcome() -> None:
    report = ParameterReport()
    report.sent("seed", "stop")
    report.renamed("max_tokens", "max_completion_tokens")
    report.clamped("temperature", "at most 1")
    report.emulated("schema", "in the prompt")
    report.dropped("seed", "unknown there")
    outcomes = ("sent", "renamed", "clamped", "emulated", "dropped")
    assert {outcome: report.names(outcome) for outcome in outcomes} == {  # type: ignore[arg-type]
        "sent": ["stop"],
        "renamed": ["max_tokens"],
        "clamped": ["temperature"],
        "emulated": ["schema"],
        "dropped": ["seed"],
    }
    assert [entry.name for entry in report.lossy()] == ["seed", "temperature"]
    assert report.to_dict()["max_tokens"] == {
        "name": "max_tokens",
        "outcome": "renamed",
        "wire": "max_completion_tokens",
    }


def test_content_wraps_thinking_in_tags_and_the_message_keeps_it_apart() -> None:
    answer = Completion("42", reasoning="6 * 7", tool_calls=[ToolCall("a", "add")], reasoning_parts=[{"sig": "x"}])
    assert answer.content == "<think>\n6 * 7\n</think>\n42"
    assert answer.message == {
        "role": "assistant",
        "content": "42",
        "reasoning_content": "6 * 7",
        "reasoning_parts": [{"sig": "x"}],
        "tool_calls": [ToolCall("a", "add").to_dict()],
    }
    assert Completion("42").content == str(Completion("42")) == "42"


def test_every_value_is_plain_data_without_its_nones() -> None:
    answer = Completion("x", usage=Usage(1, 2), attempts=[Attempt("p", "m", "g")], report=ParameterReport())
    plain = json.loads(json.dumps(answer.to_dict()))
    assert plain["usage"]["total_tokens"] == 3
    assert plain["attempts"] == [{"provider": "p", "model": "m", "gateway": "g", "started": 0.0, "maybe_billed": False}]
    assert "id" not in plain
    chunk = Chunk("a", tool_calls=[ToolCallDelta(0, "i", "n", "{}")])
    assert json.loads(json.dumps(chunk.to_dict()))["tool_calls"] == [
        {"index": 0, "id": "i", "name": "n", "arguments": "{}"}
    ]


def test_the_length_of_vectors_is_known_when_there_is_one() -> None:
    assert Embedding([[1.0, 2.0]]).dim == 2
    assert Embedding([]).dim is None
    assert ImageResult([]).to_dict() == {"images": [], "cached": False, "attempts": [], "hops": []}


@pytest.mark.parametrize(
    ("made", "late"),
    [
        (Chunk("hi"), ("completion", "messages")),
        (ParameterReport({}, frozenset({"odd"})), ("strange",)),
        (Completion("hi", report=ParameterReport()), ("pending", "max_tool_turns")),
    ],
)
def test_a_pickle_of_a_release_with_fewer_fields_has_the_defaults_of_the_others(
    made: Any, late: tuple[str, ...]
) -> None:
    for name in late:
        delattr(made, name)
    read = pickled(made)
    assert [getattr(read, name) for name in late] == [getattr(type(made)(), name) for name in late]
    assert repr(read)
    assert read == pickled(read)


def test_a_frozen_record_with_a_dictionary_is_pickled() -> None:
    made = Mark("here")
    assert pickled(made) == made


@dataclass(frozen=True)
class Mark(Record):
    name: str
    place: int = 0


def pickled(value: Record) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301  # its own
