"""hb's options about thinking: what switches it off, and the nearest step."""

from __future__ import annotations

from typing import Any

import pytest

from heavenbase.types import ParameterReport
from heavenbase.wires import asked_thoughts, nearest_step, thinking_off, thoughts_hidden


@pytest.mark.parametrize(
    ("args", "explicit", "expected"),
    [
        ({}, (), False),
        ({"think": True}, ("think",), False),
        ({"think": False}, (), True),
        ({"think": False, "reasoning_effort": "low"}, (), True),
        ({"think": False, "reasoning_effort": "low"}, ("reasoning_effort",), False),
        ({"think": False, "reasoning_max_tokens": 9}, ("reasoning_max_tokens",), False),
        ({"think": False, "reasoning_effort": "low"}, ("think", "reasoning_effort"), True),
    ],
)
def test_an_amount_that_the_caller_gives_beats_an_inherited_switch(
    args: dict[str, Any], explicit: tuple[str, ...], expected: bool
) -> None:
    assert thinking_off(args, frozenset(explicit)) is expected
    assert thoughts_hidden(args, frozenset(explicit)) is expected


def test_an_amount_that_the_wire_does_not_have_beats_nothing() -> None:
    args = {"think": False, "reasoning_max_tokens": 9}
    assert thinking_off(args, frozenset(args.keys() - {"think"}), ("reasoning_effort",))


def test_the_step_none_is_a_switch_where_the_wire_has_it_so() -> None:
    assert not thinking_off({"reasoning_effort": "none"}, frozenset())
    assert thinking_off({"reasoning_effort": "none"}, frozenset(), by_step=True)
    assert thoughts_hidden({"reasoning_effort": "none"}, frozenset(), by_step=True)


def test_excluded_thoughts_are_hidden_though_the_model_thinks() -> None:
    assert thoughts_hidden({"reasoning_exclude": True}, frozenset())


def test_a_switch_makes_the_other_options_void_and_the_report_says_so() -> None:
    report = ParameterReport()
    args = {"think": False, "reasoning_effort": "low", "temperature": 1, "reasoning_exclude": None}
    assert asked_thoughts(args, frozenset(), report) == ({"think": False}, True)
    assert report.entries["reasoning_effort"].reason == "think=False switches thinking off"
    assert asked_thoughts({**args, "think": True}, frozenset(), report) == (
        {"think": True, "reasoning_effort": "low"},
        False,
    )


def test_a_model_that_does_not_think_obeys_the_switch_and_loses_the_rest() -> None:
    report = ParameterReport()
    args = {"think": True, "reasoning_effort": "low"}
    assert asked_thoughts(args, frozenset(), report, thinks=False) == ({}, False)
    assert {name: entry.outcome for name, entry in report.entries.items()} == {
        "think": "emulated",
        "reasoning_effort": "dropped",
    }


@pytest.mark.parametrize(
    ("step", "steps", "expected"),
    [
        ("medium", ("low", "medium"), "medium"),
        ("minimal", ("low", "high"), "low"),
        ("max", ("low", "high"), "high"),
        ("medium", ("low", "high"), "low"),
        ("medium", ("high", "low"), "low"),
        ("xhigh", ("low", "medium", "high", "max"), "high"),
        ("deep", ("low", "high"), "high"),
        ("low", ("gentle", "wild"), "wild"),
        (3, ("low", "high"), "high"),
    ],
)
def test_of_two_steps_that_are_equally_near_it_is_the_weaker(step: Any, steps: tuple[str, ...], expected: str) -> None:
    assert nearest_step(step, steps) == expected
