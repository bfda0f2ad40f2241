"""Tools and tool_choice as this wire wants them."""

from __future__ import annotations

from typing import Any

import pytest

from heavenbase.errors import InputError, InputTypeError, UnknownNameError

from .support import BUDGET, NEWEST, OLD, WEATHER, fields_of, prepared

FUNCTION = WEATHER["function"]
NATIVE = {"name": "get_weather", "description": "The weather of a city", "input_schema": FUNCTION["parameters"]}


def tools(*items: Any, **options: Any) -> tuple[dict[str, Any], dict[str, str]]:
    return fields_of(tools=list(items), **options)


@pytest.mark.parametrize(
    "item",
    [
        dict(WEATHER),
        dict(FUNCTION),
        {"type": "function", **FUNCTION},
        {"name": "get_weather", "description": "The weather of a city", "schema": FUNCTION["parameters"]},
        {**NATIVE},
    ],
)
def test_a_tool_in_any_shape(item: dict[str, Any]) -> None:
    body, outcomes = tools(item)
    assert body["tools"] == [NATIVE]
    assert "tool_choice" not in body
    assert outcomes == {"tools": "renamed"}


def test_a_tool_without_parameters_has_an_empty_schema() -> None:
    body, _ = tools({"type": "function", "function": {"name": "now"}})
    assert body["tools"] == [{"name": "now", "input_schema": {"type": "object", "properties": {}}}]


def test_marks_and_other_fields_of_the_wire_stay_on_a_tool() -> None:
    body, _ = tools({**WEATHER, "cache_control": {"type": "ephemeral"}, "defer_loading": True})
    assert body["tools"] == [{**NATIVE, "cache_control": {"type": "ephemeral"}, "defer_loading": True}]


def test_strict_is_kept_where_the_model_keeps_to_schemas() -> None:
    strict = {"type": "function", "function": {**FUNCTION, "strict": True}}
    assert tools(strict, model=BUDGET)[0]["tools"][0]["strict"] is True
    body, outcomes = tools(strict, model=OLD)
    assert "strict" not in body["tools"][0]
    assert outcomes["strict"] == "dropped"


def test_the_providers_own_tools_pass() -> None:
    own = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    body, _ = tools(own, dict(WEATHER), tool_choice="web_search")
    assert body["tools"] == [own, NATIVE]
    assert body["tool_choice"] == {"type": "tool", "name": "web_search"}


NAMED = {"type": "tool", "name": "get_weather"}


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ("any", {"type": "any"}),
        ("get_weather", NAMED),
        ({"type": "function", "function": {"name": "get_weather"}}, NAMED),
        ({"type": "function", "name": "get_weather"}, NAMED),
        ({"type": "tool", "name": "get_weather"}, NAMED),
        ({"type": "any", "disable_parallel_tool_use": True}, {"type": "any", "disable_parallel_tool_use": True}),
        (None, None),
    ],
)
def test_h24_g06_tool_choice(choice: Any, sent: Any) -> None:
    body, outcomes = tools(dict(WEATHER), tool_choice=choice)
    assert body.get("tool_choice") == sent
    assert outcomes.get("tool_choice") == (None if choice is None else "renamed")


@pytest.mark.parametrize(
    ("options", "choice", "outcome"),
    [
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}, "renamed"),
        ({"parallel_tool_calls": True}, {"type": "auto", "disable_parallel_tool_use": False}, "renamed"),
        (
            {"parallel_tool_calls": False, "tool_choice": "required"},
            {"type": "any", "disable_parallel_tool_use": True},
            "renamed",
        ),
        ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}, "dropped"),
    ],
)
def test_parallel_calls(options: dict[str, Any], choice: Any, outcome: str) -> None:
    body, outcomes = tools(dict(WEATHER), **options)
    assert body["tool_choice"] == choice
    assert outcomes["parallel_tool_calls"] == outcome


def test_a_model_that_cannot_be_forced_is_not() -> None:
    body, outcomes = tools(dict(WEATHER), model=NEWEST, tool_choice="required")
    assert "tool_choice" not in body
    assert outcomes["tool_choice"] == "dropped"


def test_choices_need_tools() -> None:
    body, outcomes = fields_of(tools=[], tool_choice="auto", parallel_tool_calls=False)
    assert body == {"max_tokens": 64000}
    assert set(outcomes.values()) == {"dropped"}


def test_a_choice_that_the_wire_does_not_know_is_dropped() -> None:
    body, outcomes = tools(dict(WEATHER), tool_choice={"type": "allowed_tools", "tools": []})
    assert "tool_choice" not in body
    assert outcomes["tool_choice"] == "dropped"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"tools": "get_weather"}, InputTypeError, "must be a list"),
        ({"tools": ["get_weather"]}, InputTypeError, "tool 0 is str"),
        ({"tools": [{"type": "function", "function": {}}]}, InputError, "tool 0 has no name"),
        ({"tools": [dict(WEATHER)], "tool_choice": 3}, InputTypeError, "must be a word"),
        ({"tools": [dict(WEATHER)], "tool_choice": "get_wether"}, UnknownNameError, "get_weather"),
        ({"tools": [dict(WEATHER)], "tool_choice": {"type": "tool", "name": "x"}}, UnknownNameError, "auto, none"),
    ],
)
def test_what_is_no_tool_is_refused(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        prepared(**options)
