"""What gateways read of answers: counts, finish reasons, arguments, vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from heavenbase.call import Call
from heavenbase.errors import ResponseShapeError
from heavenbase.types import FinishReason, ParameterReport, Usage
from heavenbase.wires import (
    arguments_object,
    arguments_text,
    count,
    finish_reason,
    known_usage,
    parsed_arguments,
    read_vector,
    read_vectors,
    rest,
)

WORDS: dict[str, FinishReason] = {"end": "stop", "max": "length"}


@pytest.mark.parametrize(("value", "expected"), [(3, 3), (3.0, 3), (0, 0)])
def test_a_whole_number_is_a_count(value: Any, expected: int) -> None:
    assert count(value) == expected


@pytest.mark.parametrize("value", [None, True, -1, 2**53, 1.5, "3", float("inf"), float("nan"), [], {}])
def test_anything_else_is_no_count(value: Any) -> None:
    assert count(value) is None


def test_buckets_are_disjoint_and_never_below_nothing() -> None:
    assert rest(10, 3, None) == 7
    assert rest(10, 30) == 0
    assert rest(None, 3) is None


def test_a_usage_without_counts_is_none() -> None:
    assert known_usage(Usage()) is None
    assert known_usage(Usage(0)) == Usage(0)


@pytest.mark.parametrize(
    ("raw", "has_calls", "expected"),
    [
        ("end", False, "stop"),
        ("end", True, "tool_calls"),
        ("max", True, "length"),
        ("new", True, "other"),
        (None, False, "other"),
        (["end"], False, "other"),
    ],
)
def test_a_finish_reason_is_never_invented(raw: Any, has_calls: bool, expected: str) -> None:
    assert finish_reason(WORDS, raw, has_calls) == expected


def test_arguments_are_text_as_they_were_or_compact_json() -> None:
    assert arguments_text('{ "a": 1}') == '{ "a": 1}'
    assert arguments_text({"a": ["ä"]}) == '{"a":["ä"]}'
    assert arguments_text(None) == arguments_text({}) == ""


def test_text_that_is_no_json_is_no_argument() -> None:
    assert parsed_arguments(" ") == {}
    assert parsed_arguments("[1]") == [1]
    assert parsed_arguments("{") is None
    assert parsed_arguments("[" * 100_000) is None


@pytest.mark.parametrize("written", ["[1]", "{", "nul"])
def test_arguments_that_are_no_object_travel_as_text_and_are_reported(written: str) -> None:
    report = ParameterReport()
    assert arguments_object('{"a":1}', report) == {"a": 1}
    assert report.entries == {}
    assert arguments_object(written, report) == {"arguments": written}
    assert report.entries["tool_calls"].reason == "arguments that are no JSON object travel as text"


def vectors(make_call: Callable[..., Call], rows: Any) -> list[list[float]]:
    call = make_call(inputs=["a", "b"])
    return read_vectors(call, rows, "rows", lambda row, place: read_vector(call, row, f"`rows[{place}]`"))


def test_there_is_one_vector_of_floats_per_input(make_call: Callable[..., Call]) -> None:
    assert vectors(make_call, [[1, 2.5], [0.5, 1.0]]) == [[1.0, 2.5], [0.5, 1.0]]


def test_a_request_may_carry_fewer_inputs_than_the_call(make_call: Callable[..., Call]) -> None:
    assert read_vectors(make_call(inputs=["a", "b"]), [[1.0]], "rows", lambda row, place: row, wanted=1) == [[1.0]]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (None, "`rows` is missing, not a list"),
        ([[1.0]], "2 inputs got 1 vectors"),
        ([[1.0], [1.0, 2.0]], "differ in length"),
        ([[1.0], []], r"`rows\[1\]` is an empty list, not a list of numbers"),
        ([[1.0], [True]], "holds something else than numbers"),
        ([[1.0], [float("inf")]], "not finite"),
    ],
)
def test_wrong_vectors_are_an_error_that_says_what_is_wrong(
    rows: Any, told: str, make_call: Callable[..., Call]
) -> None:
    with pytest.raises(ResponseShapeError, match=told):
        vectors(make_call, rows)
