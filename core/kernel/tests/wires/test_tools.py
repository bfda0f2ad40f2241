"""Tools and tool_choice, ids of calls, and limits, as all wires read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from heavenbase.call import Call
from heavenbase.errors import InputError, InputTypeError, UnknownNameError
from heavenbase.types import ParameterReport
from heavenbase.wires import (
    Choice,
    ToolIds,
    as_tool,
    function_of,
    given_tools,
    named_arguments,
    note_other_choice,
    note_parallel,
    object_schema,
    read_choice,
    token_limit,
)

ALLOWED = "allowed_tools"
FIND = {"type": "function", "function": {"name": "find"}}


def told(report: ParameterReport) -> dict[str, tuple[str, str | None]]:
    return {name: (entry.outcome, entry.reason or entry.wire) for name, entry in report.entries.items()}


def test_without_tools_what_was_said_about_them_is_lost() -> None:
    report = ParameterReport()
    assert given_tools({"tools": [], "tool_choice": "auto", "parallel_tool_calls": False}, report) == []
    assert told(report) == {
        "tools": ("dropped", "the list is empty"),
        "tool_choice": ("dropped", "there are no tools"),
        "parallel_tool_calls": ("dropped", "there are no tools"),
    }
    assert given_tools({}, ParameterReport()) == []


def test_tools_are_any_iterable_but_text() -> None:
    report = ParameterReport()
    assert given_tools({"tools": (FIND,)}, report) == [FIND]
    assert report.entries == {}
    with pytest.raises(InputTypeError, match="tools must be a list of tools, not str"):
        given_tools({"tools": "find"}, report)
    with pytest.raises(InputTypeError, match="tool 2 is str, not a mapping"):
        as_tool("find", 2)


def test_a_tool_is_a_function_with_a_name_in_either_shape() -> None:
    assert function_of(FIND, 0) is FIND["function"]
    flat = {"name": "find", "input_schema": {"required": ["a"]}}
    assert function_of(flat, 0) is flat
    assert object_schema(flat) == {"type": "object", "properties": {}, "required": ["a"]}
    with pytest.raises(InputError, match="tool 1 has no name; of functions alone"):
        function_of({"type": "web"}, 1, "; of functions alone")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("auto", Choice("auto")),
        ("none", Choice("none")),
        ("required", Choice("any")),
        ({"type": "any"}, Choice("any")),
        ("find", Choice("tool", ("find",))),
        (FIND, Choice("tool", ("find",))),
        ({"type": "tool", "name": "find"}, Choice("tool", ("find",))),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [FIND]},
            Choice("allowed", ("find",), True, "allowed_tools"),
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"tools": ["find"]}},
            Choice("allowed", ("find",), False, "allowed_tools"),
        ),
        ({"type": "web"}, Choice("other", type="web")),
    ],
)
def test_a_choice_is_read_in_every_shape(given: Any, expected: Choice) -> None:
    assert read_choice(given, ["find", None]) == expected


def test_a_choice_of_what_there_is_not_is_an_error() -> None:
    with pytest.raises(UnknownNameError, match="auto, none, required or the name of a tool"):
        read_choice("fnid", ["find", None])
    with pytest.raises(InputTypeError, match="tool_choice must be a word, a name or a mapping, not int"):
        read_choice(3, ["find"])


def test_what_a_wire_cannot_say_about_tools_is_reported() -> None:
    report = ParameterReport()
    note_other_choice(Choice("other", type="web"), report)
    note_parallel({"parallel_tool_calls": True}, report)
    assert told(report)["tool_choice"] == ("dropped", "the wire has no choice of the type 'web'")
    assert told(report)["parallel_tool_calls"][0] == "emulated"
    note_parallel({"parallel_tool_calls": False}, report)
    assert told(report)["parallel_tool_calls"][0] == "dropped"
    note_parallel({}, report)


def test_ids_have_the_characters_of_the_wire_and_each_is_used_once() -> None:
    ids = ToolIds("a-z0-9_", 20)
    ids.begin(["kept"])
    assert ids.of_result("kept") == "kept"
    ids.begin()
    assert [ids.of_call("kept"), ids.of_call("a:b"), ids.of_call("a;b"), ids.of_call("")] == [
        "kept_2",
        "a_b",
        "a_b_2",
        "call",
    ]
    assert ids.of_result("a;b") == "a_b_2"
    assert ids.of_result("c:d") == "c_d"


def test_long_ids_stay_within_the_limit_and_apart() -> None:
    ids = ToolIds("a-z0-9_", 20)
    long = ["x" * 30 + "a", "x" * 30 + "b", "x" * 30 + "b"]
    made = [ids.of_call(one) for one in long]
    assert len(set(made)) == 3
    assert all(len(one) <= 20 for one in made)
    assert ids.of_result(long[0]) == made[0]


def test_our_default_limit_yields_to_the_other_name_and_a_given_one_does_not(make_call: Callable[..., Call]) -> None:
    args = {"max_tokens": 5, "max_completion_tokens": 9, "seed": None, "extra_body": {"a": 1}}
    assert named_arguments(make_call(**args)) == {"max_completion_tokens": 9}
    assert named_arguments(make_call(explicit=["max_tokens"], **args)) == {
        "max_tokens": 5,
        "max_completion_tokens": 9,
    }


def test_the_limit_is_the_first_that_is_given_under_the_name_of_the_wire() -> None:
    report = ParameterReport()
    assert token_limit({"max_tokens": 5, "max_completion_tokens": 9}, "limit", report) == 5
    assert told(report) == {
        "max_tokens": ("renamed", "limit"),
        "max_completion_tokens": ("dropped", "max_tokens is given too"),
    }
    report = ParameterReport()
    assert token_limit({"max_tokens": 5}, "max_tokens", report) == 5
    assert told(report) == {"max_tokens": ("sent", "max_tokens")}
    assert token_limit({}, "limit", report) is None


@pytest.mark.parametrize("value", [True, 1.5, "9"])
def test_a_limit_is_a_whole_number(value: Any) -> None:
    with pytest.raises(InputTypeError, match="max_tokens must be a whole number of tokens"):
        token_limit({"max_tokens": value}, "limit", ParameterReport())
