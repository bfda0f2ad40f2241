"""hb's options about thinking as `thinking` and `output_config.effort`."""

from __future__ import annotations

from typing import Any

import pytest

from heavenbase.errors import InputError, InputTypeError
from heavenbase.types import Message

from .support import ADAPTIVE, BUDGET, EITHER, NEWEST, OLD, USER, WEATHER, fields_of, make_spec

ENABLED = {"type": "enabled", "budget_tokens": 8192}
MOST = 128_000
SUMMARIZED = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    ("model", "options", "fields"),
    [
        (BUDGET, {"think": True}, {"thinking": ENABLED, "max_tokens": 64000}),
        (BUDGET, {"reasoning_effort": "low"}, {"thinking": {**ENABLED, "budget_tokens": 2048}, "max_tokens": 64000}),
        (BUDGET, {"reasoning_max_tokens": 5000}, {"thinking": {**ENABLED, "budget_tokens": 5000}, "max_tokens": 64000}),
        (BUDGET, {"reasoning_max_tokens": 9}, {"thinking": {**ENABLED, "budget_tokens": 1024}, "max_tokens": 64000}),
        (BUDGET, {"think": False}, {"max_tokens": 64000}),
        (BUDGET, {"reasoning_effort": "none"}, {"max_tokens": 64000}),
        (BUDGET, {}, {"max_tokens": 64000}),
        (
            "claude-opus-4-5",
            {"reasoning_effort": "max"},
            {
                "thinking": {**ENABLED, "budget_tokens": 24576},
                "output_config": {"effort": "high"},
                "max_tokens": 64000,
            },
        ),
        (EITHER, {"think": True}, {"thinking": {"type": "adaptive"}, "max_tokens": MOST}),
        (
            EITHER,
            {"reasoning_max_tokens": 3000},
            {"thinking": {**ENABLED, "budget_tokens": 3000}, "max_tokens": MOST},
        ),
        (
            EITHER,
            {"reasoning_effort": "xhigh"},
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}, "max_tokens": MOST},
        ),
        (
            ADAPTIVE,
            {"reasoning_effort": "xhigh"},
            {"thinking": SUMMARIZED, "output_config": {"effort": "xhigh"}, "max_tokens": MOST},
        ),
        (
            ADAPTIVE,
            {"think": True, "reasoning_exclude": True},
            {"thinking": {"type": "adaptive", "display": "omitted"}, "max_tokens": MOST},
        ),
        (ADAPTIVE, {"think": False}, {"max_tokens": MOST}),
        ("claude-opus-5", {"think": False}, {"thinking": {"type": "disabled"}, "max_tokens": MOST}),
        ("claude-sonnet-5-5", {"think": False}, {"thinking": {"type": "between_tools"}, "max_tokens": MOST}),
        (NEWEST, {"think": False}, {"max_tokens": MOST}),
        (NEWEST, {}, {"max_tokens": MOST}),
        (OLD, {"think": True}, {"max_tokens": 8192}),
        ("glm-5.2", {"think": False}, {"thinking": {"type": "disabled"}, "max_tokens": 8192}),
    ],
)
def test_options_become_fields(model: str, options: dict[str, Any], fields: dict[str, Any]) -> None:
    body, outcomes = fields_of(model=model, **options)
    assert body == fields
    assert options.keys() <= outcomes.keys()


@pytest.mark.parametrize(
    ("model", "options", "outcomes"),
    [
        (BUDGET, {"think": True}, {"think": "renamed"}),
        (BUDGET, {"think": False}, {"think": "emulated"}),
        (BUDGET, {"reasoning_exclude": True}, {"reasoning_exclude": "emulated"}),
        (OLD, {"think": True, "reasoning_effort": "low"}, {"think": "dropped", "reasoning_effort": "dropped"}),
        (OLD, {"think": False}, {"think": "emulated"}),
        (NEWEST, {"think": False}, {"think": "emulated"}),
        (ADAPTIVE, {"reasoning_effort": "minimal"}, {"reasoning_effort": "clamped"}),
        (
            ADAPTIVE,
            {"think": True, "reasoning_max_tokens": 2000},
            {"think": "renamed", "reasoning_max_tokens": "dropped"},
        ),
        (
            "claude-opus-5",
            {"think": False, "reasoning_effort": "low"},
            {"think": "renamed", "reasoning_effort": "dropped"},
        ),
    ],
)
def test_what_became_of_them(model: str, options: dict[str, Any], outcomes: dict[str, str]) -> None:
    assert fields_of(model=model, **options)[1] == outcomes


def test_an_inherited_think_false_yields_to_a_step_that_the_caller_gives() -> None:
    body, _ = fields_of(make_spec(model=BUDGET, args={"think": False}), reasoning_effort="low")
    assert body["thinking"]["budget_tokens"] == 2048


def test_the_callers_own_think_false_beats_an_inherited_step() -> None:
    body, outcomes = fields_of(make_spec(model=BUDGET, args={"reasoning_effort": "high"}), think=False)
    assert "thinking" not in body
    assert outcomes == {"reasoning_effort": "dropped", "think": "emulated"}


# The limit is for thoughts and answer together


def test_a_limit_of_the_caller_is_kept_and_thoughts_are_fitted_into_it() -> None:
    body, outcomes = fields_of(model=BUDGET, think=True, max_tokens=4096)
    assert (body["max_tokens"], body["thinking"]["budget_tokens"]) == (4096, 3072)
    assert outcomes["max_tokens"] == "sent"
    assert outcomes["think"] == "clamped"


def test_a_limit_that_leaves_no_room_switches_thoughts_off() -> None:
    body, outcomes = fields_of(model=BUDGET, think=True, max_tokens=500)
    assert body == {"max_tokens": 500}
    assert outcomes == {"think": "dropped", "max_tokens": "sent"}


def test_an_inherited_limit_grows() -> None:
    body, outcomes = fields_of(make_spec(model=BUDGET, args={"max_tokens": 1024}), think=True)
    assert body["max_tokens"] == 9216
    assert outcomes["max_tokens"] == "clamped"


# The wire's own words


def test_the_wires_own_thinking_is_sent_as_it_is() -> None:
    own = {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}
    body, outcomes = fields_of(model=BUDGET, thinking=own, think=True)
    assert (body["thinking"], body["max_tokens"]) == (own, 64000)
    assert (outcomes["thinking"], outcomes["think"]) == ("sent", "dropped")
    assert fields_of(model=NEWEST, thinking={"type": "disabled"})[0]["thinking"] == {"type": "disabled"}


def test_effort_goes_into_output_config_beside_what_the_caller_put_there() -> None:
    body, _ = fields_of(model=EITHER, reasoning_effort="low", output_config={"x": 1})
    assert body["output_config"] == {"effort": "low", "x": 1}
    body, _ = fields_of(model=EITHER, reasoning_effort="low", output_config={"effort": "max"})
    assert body["output_config"] == {"effort": "max"}


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"reasoning_effort": "huge"}, InputError, "steps: none, minimal, low"),
        ({"reasoning_max_tokens": "9"}, InputTypeError, "must be a number"),
        ({"thinking": "yes"}, InputTypeError, "must be a mapping"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        fields_of(model=BUDGET, **options)


# Tools


def test_a_round_that_began_without_thoughts_goes_on_without() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages: list[Message] = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": "x"},
    ]
    body, outcomes = fields_of(model=BUDGET, think=True, messages=messages, tools=[dict(WEATHER)])
    assert "thinking" not in body
    assert outcomes["think"] == "dropped"
    body, _ = fields_of(model=ADAPTIVE, think=True, messages=messages, tools=[dict(WEATHER)])
    assert body["thinking"] == SUMMARIZED


@pytest.mark.parametrize("choice", ["required", "get_weather"])
def test_a_forced_call_and_a_budget_exclude_each_other(choice: str) -> None:
    body, outcomes = fields_of(model=BUDGET, think=True, tools=[dict(WEATHER)], tool_choice=choice)
    assert "tool_choice" not in body
    assert outcomes["tool_choice"] == "dropped"
    body, outcomes = fields_of(model=ADAPTIVE, think=True, tools=[dict(WEATHER)], tool_choice=choice)
    assert body["tool_choice"]["type"] in ("any", "tool")
    assert outcomes["tool_choice"] == "renamed"
