"""Arguments as request fields: what is sent, renamed, clamped, emulated and dropped."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from hb_wire_openai import WireGateway
from heavenbase.errors import InputError, InputTypeError
from heavenbase.plugin import enforce_report

from .support import CUSTOM, DEEPSEEK, OPENAI, OPENROUTER, make_call, make_spec, prepared

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def fields(record: Any, **options: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The body beside model and messages, and the outcomes."""
    spec_fields = {name: options.pop(name) for name in ("model_record", "model_id", "args") if name in options}
    request, outcomes = prepared(make_spec(provider_record=record, **spec_fields), **options)
    body = dict(request.body)
    assert body.pop("messages")
    assert body.pop("model")
    return body, outcomes


def test_arguments_are_sent_as_they_are() -> None:
    body, outcomes = fields(CUSTOM, temperature=0, seed=42, top_k=5, made_up={"x": 1}, max_tokens=7)
    assert body == {"temperature": 0, "seed": 42, "top_k": 5, "made_up": {"x": 1}, "max_tokens": 7}
    assert set(outcomes.values()) == {"sent"}


def test_controls_never_reach_the_wire() -> None:
    body, outcomes = fields(CUSTOM, cache=False, timeout=3, max_retries=1, http_proxy="", on_lossy="allow", mock="x")
    assert body == {}
    assert outcomes == {}


def test_a_switch_of_another_wire_is_reported_and_not_sent() -> None:
    body, outcomes = fields(CUSTOM, prompt_caching=True)
    assert body == {}
    assert outcomes == {"prompt_caching": "dropped"}


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding"])
def test_a_header_that_frames_the_body_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=name):
        fields(CUSTOM, extra_headers={name: "1"})


def test_extra_body_is_merged_and_wins() -> None:
    body, outcomes = fields(CUSTOM, temperature=0, extra_body={"temperature": 1, "guided": {"a": 1}})
    assert body == {"temperature": 1, "guided": {"a": 1}}
    assert outcomes == {"temperature": "sent", "extra_body": "sent"}


def test_extra_body_adds_to_nested_fields() -> None:
    body, _ = fields(OPENROUTER, think=True, extra_body={"reasoning": {"effort": "low"}})
    assert body == {"reasoning": {"enabled": True, "effort": "low"}}


def test_extra_headers_and_query_are_on_the_request() -> None:
    request, outcomes = prepared(
        make_spec(headers={"x-title": "t", "x-api-key": "secret"}),
        extra_headers={"x-extra": "1"},
        extra_query={"api-version": "2026-01-01", "tag": ["a", "b"]},
    )
    assert request.url == "http://127.0.0.1:1/v1/chat/completions?api-version=2026-01-01&tag=a&tag=b"
    assert dict(request.headers) == {"content-type": "application/json", "x-title": "t", "x-extra": "1"}
    assert outcomes == {"extra_headers": "sent", "extra_query": "sent"}


@pytest.mark.parametrize("name", ["extra_body", "extra_headers", "extra_query"])
def test_extras_must_be_mappings(name: str) -> None:
    with pytest.raises(InputTypeError, match=f"{name} must be a mapping"):
        prepared(make_spec(), **{name: ["x"]})


def test_streams_ask_for_usage() -> None:
    body, _ = fields(CUSTOM, stream=True)
    assert body == {"stream": True, "stream_options": {"include_usage": True}}
    body, _ = fields(CUSTOM, stream=True, stream_options={"include_obfuscation": False})
    assert body["stream_options"] == {"include_usage": True, "include_obfuscation": False}


def test_streams_do_not_ask_where_the_provider_cannot() -> None:
    body, _ = fields({**CUSTOM, "capabilities": {"stream_usage": False}}, stream=True)
    assert body == {"stream": True}


def test_choices_about_tools_need_tools() -> None:
    body, outcomes = fields(CUSTOM, tools=[], tool_choice="auto", parallel_tool_calls=False)
    assert body == {}
    assert set(outcomes.values()) == {"dropped"}
    body, _ = fields(CUSTOM, tools=[TOOL], tool_choice="auto")
    assert body == {"tools": [TOOL], "tool_choice": "auto"}


# The provider's rules

RULES = MappingProxyType(
    {
        "parameters": [
            {"rename": {"max_tokens": "max_completion_tokens"}},
            {"models": ["o*"], "drop": {"temperature": "no temperature", "stop": "no stop"}},
            {"clamp": {"n": {"max": 1}, "top_p": {"min": 0.1, "max": 0.9}, "mode": {"map": {"wild": "calm"}}}},
        ]
    }
)


def test_rules_rename_drop_and_clamp() -> None:
    call = make_call(
        make_spec(provider_record=RULES, model_id="o3"), max_tokens=5, temperature=0, n=3, top_p=0.0, mode="wild"
    )
    request = WireGateway().prepare(call)
    assert {k: v for k, v in request.body.items() if k not in ("model", "messages")} == {
        "max_completion_tokens": 5,
        "n": 1,
        "top_p": 0.1,
        "mode": "calm",
    }
    entries = call.context.report.entries
    assert (entries["max_tokens"].outcome, entries["max_tokens"].wire) == ("renamed", "max_completion_tokens")
    assert (entries["temperature"].outcome, entries["temperature"].reason) == ("dropped", "no temperature")
    assert {entries[name].outcome for name in ("n", "top_p", "mode")} == {"clamped"}


def test_rules_of_other_models_do_not_apply() -> None:
    body, outcomes = fields(RULES, model_id="gpt-4o", temperature=0, n=1, top_p=0.5, mode="calm")
    assert body == {"temperature": 0, "n": 1, "top_p": 0.5, "mode": "calm"}
    assert set(outcomes.values()) == {"sent"}


def test_both_names_of_one_limit() -> None:
    body, outcomes = fields(RULES, max_tokens=5, max_completion_tokens=9)
    assert body == {"max_completion_tokens": 9}
    assert outcomes["max_tokens"] == "dropped"


def test_our_own_defaults_are_dropped_in_silence_and_the_callers_are_not() -> None:
    spec = make_spec(provider_record=RULES, model_id="o3", args={"temperature": 0})
    call = make_call(spec)
    WireGateway().prepare(call)
    enforce_report(call)
    call = make_call(spec, stop=["x"])
    WireGateway().prepare(call)
    with pytest.raises(ValueError, match="stop is dropped"):
        enforce_report(call)


# Thinking


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({"think": False}, {"reasoning_effort": "none"}),
        ({"think": True}, {}),
        ({"think": True, "reasoning_effort": "high"}, {"reasoning_effort": "high"}),
        ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        ({"reasoning_max_tokens": 5}, {}),
        ({}, {}),
    ],
)
def test_thinking_by_a_field_of_its_own(options: dict[str, Any], body: dict[str, Any]) -> None:
    assert fields(OPENAI, **options)[0] == body


@pytest.mark.parametrize(
    ("options", "reasoning"),
    [
        ({"think": False}, {"enabled": False}),
        ({"think": True}, {"enabled": True}),
        ({"reasoning_effort": "low"}, {"enabled": True, "effort": "low"}),
        ({"think": True, "reasoning_max_tokens": 9}, {"enabled": True, "max_tokens": 9}),
        ({"reasoning_max_tokens": 9, "reasoning_effort": "low"}, {"enabled": True, "max_tokens": 9}),
        ({"think": True, "reasoning_exclude": True}, {"enabled": True, "exclude": True}),
        ({"think": False, "reasoning_exclude": True}, {"enabled": False}),
    ],
)
def test_thinking_by_a_reasoning_object(options: dict[str, Any], reasoning: dict[str, Any]) -> None:
    assert fields(OPENROUTER, **options)[0] == {"reasoning": reasoning}


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({"think": False}, {"thinking": {"type": "disabled"}}),
        ({"think": True}, {"thinking": {"type": "enabled"}}),
        ({"reasoning_effort": "high"}, {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
        ({"reasoning_max_tokens": 9}, {"thinking": {"type": "enabled", "budget_tokens": 9}}),
    ],
)
def test_thinking_by_a_type(options: dict[str, Any], body: dict[str, Any]) -> None:
    assert fields(DEEPSEEK, **options)[0] == body


def test_thinking_where_nothing_is_known() -> None:
    body, outcomes = fields(CUSTOM, think=False)
    assert (body, outcomes) == ({}, {"think": "emulated"})
    body, outcomes = fields(CUSTOM, reasoning_effort="low")
    assert (body, outcomes) == ({"reasoning_effort": "low"}, {"reasoning_effort": "sent"})
    body, outcomes = fields(CUSTOM, args={"reasoning_effort": "high"})
    assert (body, outcomes) == ({}, {"reasoning_effort": "dropped"})
    body, outcomes = fields(CUSTOM, reasoning_exclude=True, reasoning_max_tokens=5)
    assert (body, outcomes) == ({}, {"reasoning_exclude": "emulated", "reasoning_max_tokens": "dropped"})


@pytest.mark.parametrize("record", [OPENAI, OPENROUTER, DEEPSEEK])
def test_an_inherited_think_false_yields_to_a_step_that_the_caller_gives(record: Any) -> None:
    body, _ = fields(record, args={"think": False}, reasoning_effort="low")
    assert "none" not in str(body)
    assert "low" in str(body)
    assert "False" not in str(body)
    assert "disabled" not in str(body)


@pytest.mark.parametrize("record", [OPENAI, OPENROUTER, DEEPSEEK])
def test_the_callers_own_think_false_beats_an_inherited_step(record: Any) -> None:
    body, outcomes = fields(record, args={"reasoning_effort": "high"}, think=False)
    assert "high" not in str(body)
    assert outcomes["reasoning_effort"] == "dropped"
    assert outcomes["think"] == "renamed"


def test_rules_are_compared_with_what_thinking_became() -> None:
    record = {
        **OPENAI,
        "parameters": [
            {"unless": {"reasoning_effort": ["none"]}, "drop": {"temperature": "it reasons"}},
            {"when": {"reasoning_effort": ["none"]}, "drop": {"stop": "odd"}},
        ],
    }
    assert fields(record, temperature=0, stop=["x"])[0] == {"stop": ["x"]}
    assert fields(record, temperature=0, stop=["x"], think=False)[0] == {"temperature": 0, "reasoning_effort": "none"}


def test_a_model_that_cannot_be_told_not_to_think() -> None:
    record = {**OPENAI, "parameters": [{"clamp": {"reasoning_effort": {"map": {"none": "low"}}}}]}
    assert fields(record, think=False) == ({"reasoning_effort": "low"}, {"think": "emulated"})
    record = {**OPENAI, "parameters": [{"drop": {"reasoning_effort": "has none"}}]}
    body, outcomes = fields(record, think=False)
    assert body == {}
    assert outcomes["think"] == "emulated"


@pytest.mark.parametrize(
    ("steps", "given", "sent"),
    [
        (["low", "high"], "max", "high"),
        (["low", "high"], "minimal", "low"),
        (["none", "low"], "none", "none"),
        (["default"], "high", "default"),
        (False, "high", None),
        (True, "high", "high"),
    ],
)
def test_steps_are_those_that_the_model_has(steps: Any, given: str, sent: str | None) -> None:
    model = {"capabilities": {"reasoning_efforts": steps}}
    body, outcomes = fields(OPENAI, model_record=model, reasoning_effort=given)
    assert body.get("reasoning_effort") == sent
    assert outcomes["reasoning_effort"] == ("dropped" if sent is None else "sent" if sent == given else "clamped")
    body, _ = fields(OPENROUTER, model_record=model, reasoning_effort=given)
    assert body["reasoning"].get("effort") == sent


def test_a_model_may_have_a_control_of_its_own() -> None:
    body, _ = fields(OPENAI, model_record={"thinking_control": "extra_body_thinking_type"}, think=True)
    assert body == {"thinking": {"type": "enabled"}}
