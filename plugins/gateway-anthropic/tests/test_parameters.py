"""Arguments as request fields: what is sent, renamed, clamped, emulated and dropped."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from hb_gateway_anthropic import AnthropicGateway
from heavenbase.errors import InputError, InputTypeError, LossyRequestError
from heavenbase.plugin import enforce_report

from .support import (
    ADAPTIVE,
    ANTHROPIC,
    BUDGET,
    EITHER,
    NEWEST,
    OLD,
    WEATHER,
    body_of,
    fields_of,
    make_call,
    make_spec,
    prepared,
)

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
EACH: dict[str, Any] = {
    "temperature": 0.5,
    "top_p": 0.5,
    "top_k": 5,
    "max_tokens": 7,
    "max_completion_tokens": 7,
    "stop": ["x"],
    "stop_sequences": ["x"],
    "seed": 1,
    "n": 2,
    "user": "u-1",
    "safety_identifier": "u-1",
    "metadata": {"user_id": "u-1"},
    "service_tier": "default",
    "tools": [dict(WEATHER)],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}},
    "think": True,
    "reasoning_effort": "high",
    "reasoning_max_tokens": 3000,
    "reasoning_exclude": True,
    "thinking": {"type": "enabled", "budget_tokens": 2000},
    "output_config": {"effort": "low"},
    "prompt_caching": True,
    "cache_control": {"type": "ephemeral"},
    "betas": ["a-2026-01-01"],
    "container": "c",
    "inference_geo": "eu",
    "speed": "fast",
    "extra_body": {"made_up": 1},
    "extra_headers": {"x-made-up": "1"},
    "extra_query": {"made": "up"},
    "made_up": 1,
    "frequency_penalty": 0.5,
    "presence_penalty": 0.5,
    "repetition_penalty": 1.5,
    "logit_bias": {"1": 2},
    "logprobs": True,
    "top_logprobs": 2,
    "min_p": 0.1,
    "top_a": 0.1,
    "verbosity": "low",
    "modalities": ["text"],
    "audio": {"voice": "x"},
    "prediction": {"type": "content", "content": "x"},
    "store": True,
    "stream_options": {"include_usage": True},
    "web_search_options": {},
    "functions": [{"name": "f"}],
    "function_call": "auto",
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "reasoning": {"effort": "low"},
    "include_reasoning": True,
}


@pytest.mark.parametrize("model", [OLD, BUDGET, EITHER, ADAPTIVE, NEWEST, "glm-5.2"])
@pytest.mark.parametrize("name", EACH)
def test_each_parameter_alone_is_on_the_wire_or_in_the_report(name: str, model: str) -> None:
    options = {name: EACH[name]}
    if name in ("tool_choice", "parallel_tool_calls"):
        options["tools"] = [dict(WEATHER)]
    request, entries = prepared(make_spec(model=model), **options)
    entry = entries[name]
    plain = body_of(make_spec(model=model))
    if entry.outcome == "sent" and name not in ("extra_body", "extra_headers", "extra_query"):
        assert request.body[name] == EACH[name]
    elif entry.outcome == "renamed":
        assert entry.wire is not None
        place: Any = {**request.body, **request.headers}
        if name != "prompt_caching":
            for step in entry.wire.split("."):
                assert step in place
                place = place[step]
        else:
            assert request.body == plain  # nothing here is worth a mark
    elif entry.outcome in ("dropped", "emulated", "clamped"):
        assert entry.reason
    # Whoever sets a limit for thoughts wants some, also where they cannot be limited.
    if entry.outcome == "dropped" and name not in ("tool_choice", "parallel_tool_calls", "reasoning_max_tokens"):
        assert request.body == plain


def test_all_parameters_together_are_all_reported() -> None:
    _, entries = prepared(**{**EACH, "max_tokens": 5000, "max_completion_tokens": 5000})
    assert set(EACH) <= entries.keys()


def test_the_least_request() -> None:
    body, outcomes = fields_of()
    assert body == {"max_tokens": 64000}
    assert outcomes == {}


def test_a_stream_says_so() -> None:
    assert fields_of(stream=True)[0] == {"max_tokens": 64000, "stream": True}


def test_controls_never_reach_the_wire() -> None:
    body, outcomes = fields_of(cache=False, timeout=3, max_retries=1, http_proxy="", on_lossy="allow", mock="x")
    assert body == {"max_tokens": 64000}
    assert outcomes == {}


def test_what_hb_does_not_know_is_sent_as_it_is() -> None:
    body, outcomes = fields_of(made_up={"x": 1}, context_management={"edits": []})
    assert body == {"max_tokens": 64000, "made_up": {"x": 1}, "context_management": {"edits": []}}
    assert set(outcomes.values()) == {"sent"}


def test_what_the_wire_lacks_is_no_loss_where_it_asks_for_nothing() -> None:
    _, outcomes = fields_of(n=1, frequency_penalty=0, presence_penalty=0.0, logprobs=False, store=False, logit_bias={})
    assert set(outcomes.values()) == {"emulated"}


def test_extra_body_is_merged_and_wins() -> None:
    body, outcomes = fields_of(temperature=0, extra_body={"temperature": 1, "seed": 3})
    assert body == {"max_tokens": 64000, "temperature": 1, "seed": 3}
    assert outcomes == {"temperature": "sent", "extra_body": "sent"}


def test_extra_body_adds_to_nested_fields() -> None:
    body, _ = fields_of(model=EITHER, reasoning_effort="low", extra_body={"output_config": {"x": 1}})
    assert body["output_config"] == {"effort": "low", "x": 1}


@pytest.mark.parametrize("name", ["extra_body", "extra_headers", "extra_query", "metadata"])
def test_extras_must_be_mappings(name: str) -> None:
    with pytest.raises(InputTypeError, match=f"{name} must be a mapping"):
        prepared(None, **{name: ["x"]})


def test_betas_join_those_of_a_header() -> None:
    request, entries = prepared(betas=["b", "c"], extra_headers={"Anthropic-Beta": "a"})
    assert request.headers["Anthropic-Beta"] == "a,b,c"
    assert (entries["betas"].outcome, entries["betas"].wire) == ("renamed", "anthropic-beta")
    assert prepared(betas="b")[0].headers["anthropic-beta"] == "b"


# Limits


@pytest.mark.parametrize("value", [True, "7", 7.0])
def test_a_limit_must_be_a_number_of_tokens(value: Any) -> None:
    with pytest.raises(InputTypeError, match="max_tokens must be a whole number"):
        prepared(max_tokens=value)


def test_either_name_of_the_limit_will_do() -> None:
    assert fields_of(max_tokens=7) == ({"max_tokens": 7}, {"max_tokens": "sent"})
    assert fields_of(max_completion_tokens=7) == ({"max_tokens": 7}, {"max_completion_tokens": "renamed"})
    body, outcomes = fields_of(max_completion_tokens=7, max_tokens=9)
    assert body == {"max_tokens": 9}
    assert outcomes == {"max_tokens": "sent", "max_completion_tokens": "dropped"}


def test_a_limit_of_the_caller_beats_an_inherited_one_of_the_other_name() -> None:
    body, _ = fields_of(make_spec(args={"max_tokens": 1024}), max_completion_tokens=7)
    assert body == {"max_tokens": 7}


# Stops, people, tiers


@pytest.mark.parametrize(
    ("stop", "sent", "outcome"),
    [
        ("x", ["x"], "renamed"),
        (["a", "b"], ["a", "b"], "renamed"),
        (["a", "\n"], ["a"], "clamped"),
        ("\n\n", None, "dropped"),
    ],
)
def test_stops(stop: Any, sent: Any, outcome: str) -> None:
    body, outcomes = fields_of(stop=stop)
    assert body.get("stop_sequences") == sent
    assert outcomes == {"stop": outcome}


@pytest.mark.parametrize(
    ("options", "metadata", "outcomes"),
    [
        ({"user": "u"}, {"user_id": "u"}, {"user": "renamed"}),
        (
            {"user": "u", "safety_identifier": "v"},
            {"user_id": "u"},
            {"user": "renamed", "safety_identifier": "dropped"},
        ),
        ({"metadata": {"user_id": "u", "x": 1}}, {"user_id": "u"}, {"metadata": "clamped"}),
        ({"metadata": {"x": 1}}, None, {"metadata": "dropped"}),
    ],
)
def test_who_asks(options: dict[str, Any], metadata: Any, outcomes: dict[str, str]) -> None:
    body, found = fields_of(**options)
    assert body.get("metadata") == metadata
    assert found == outcomes


@pytest.mark.parametrize(
    ("tier", "sent", "outcome"),
    [("auto", "auto", "sent"), ("default", "standard_only", "renamed"), ("flex", None, "dropped")],
)
def test_tiers(tier: str, sent: str | None, outcome: str) -> None:
    body, outcomes = fields_of(service_tier=tier)
    assert body.get("service_tier") == sent
    assert outcomes == {"service_tier": outcome}


# Sampling


def test_sampling_is_as_the_model_has_it() -> None:
    given: dict[str, Any] = {"temperature": 0.3, "top_p": 0.9, "top_k": 5}
    assert fields_of(model=OLD, **given)[0] == {"max_tokens": 8192, **given}
    body, outcomes = fields_of(model=BUDGET, **given)
    assert body == {"max_tokens": 64000, "temperature": 0.3, "top_k": 5}
    assert outcomes["top_p"] == "dropped"
    body, outcomes = fields_of(model=ADAPTIVE, **given)
    assert body == {"max_tokens": 128000}
    assert set(outcomes.values()) == {"dropped"}


def test_of_temperature_and_top_p_the_callers_own_stays() -> None:
    body, outcomes = fields_of(make_spec(model=BUDGET, args={"temperature": 0}), top_p=0.5)
    assert body == {"max_tokens": 64000, "top_p": 0.5}
    assert outcomes == {"temperature": "dropped", "top_p": "sent"}


def test_a_temperature_above_the_limit_is_clamped() -> None:
    body, outcomes = fields_of(model=OLD, temperature=1.7)
    assert (body["temperature"], outcomes) == (1, {"temperature": "clamped"})


def test_what_a_model_does_anyhow_is_no_loss() -> None:
    body, outcomes = fields_of(model=ADAPTIVE, temperature=1, top_p=1)
    assert body == {"max_tokens": 128000}
    assert set(outcomes.values()) == {"emulated"}


def test_a_model_that_thinks_by_budget_samples_as_it_sees_fit() -> None:
    body, outcomes = fields_of(model=BUDGET, think=True, temperature=0.2, top_k=3)
    assert body.keys() == {"max_tokens", "thinking"}
    assert (outcomes["temperature"], outcomes["top_k"]) == ("dropped", "dropped")
    body, _ = fields_of(model=BUDGET, think=True, top_p=0.97)
    assert body["top_p"] == 0.97


# The provider's rules

RULES = MappingProxyType(
    {
        **ANTHROPIC,
        "parameters": [
            {"rename": {"verbosity_level": "verbosity_wire"}},
            {"models": ["m-*"], "drop": {"temperature": "no temperature", "stop": "no stop"}},
            {"clamp": {"top_k": {"max": 9}, "top_p": {"min": 0.1}, "mode": {"map": {"wild": "calm"}}}},
        ],
    }
)


def test_rules_of_the_provider_rename_drop_and_clamp() -> None:
    spec = make_spec(model="m-1", provider_record=RULES)
    body, outcomes = fields_of(
        spec, temperature=0, stop=["x"], top_k=20, top_p=0.0, mode="wild", verbosity_level="x", max_tokens=5
    )
    assert body == {"max_tokens": 5, "top_k": 9, "top_p": 0.1, "mode": "calm", "verbosity_wire": "x"}
    assert outcomes == {
        "temperature": "dropped",
        "stop": "dropped",
        "top_k": "clamped",
        "top_p": "clamped",
        "mode": "clamped",
        "verbosity_level": "renamed",
        "max_tokens": "sent",
    }


def test_rules_may_name_the_wires_fields_too() -> None:
    record = {**ANTHROPIC, "parameters": [{"drop": {"stop_sequences": "no stops"}}]}
    body, outcomes = fields_of(make_spec(provider_record=record), stop=["x"])
    assert body == {"max_tokens": 64000}
    assert outcomes["stop"] == "dropped"


# What a loss means


def test_inherited_defaults_are_dropped_in_silence_and_the_callers_guarantees_are_not() -> None:
    call = make_call(make_spec(args={"seed": 42}))
    AnthropicGateway().prepare(call)
    enforce_report(call)
    call = make_call(make_spec(), stop="\n")
    AnthropicGateway().prepare(call)
    with pytest.raises(LossyRequestError, match="stop is dropped"):
        enforce_report(call)


def test_the_caller_is_told_before_sending_when_a_budget_leaves_no_answer() -> None:
    with pytest.raises(InputError, match="must be below max_tokens"):
        prepared(max_tokens=2000, thinking={"type": "enabled", "budget_tokens": 2000})
    with pytest.raises(InputError, match="must be below max_tokens"):
        prepared(max_tokens=2000, reasoning_max_tokens=3000)


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("claude-2.1", 4_096),
        ("claude-3-opus-20240229", 4_096),
        ("claude-3-5-haiku-latest", 8_192),
        ("claude-3-7-sonnet-latest", 64_000),
        ("claude-sonnet-4-20250514", 64_000),
        ("claude-opus-4-1", 32_000),
        ("claude-sonnet-4-5", 64_000),
        ("claude-opus-4-6", 128_000),
        ("claude-sonnet-5", 128_000),
        ("claude-haiku-5", 64_000),
        ("claude-opus-7", 64_000),
        ("claude-next", 64_000),
        ("MiniMax-M2", 8_192),
    ],
)
def test_c9_without_a_limit_the_models_own_is_sent(model: str, most: int) -> None:
    assert fields_of(model=model, think=False)[0]["max_tokens"] == most
    assert fields_of(model=model, max_tokens=77)[0]["max_tokens"] == 77


def test_c9_what_a_model_or_provider_declares_counts_more_and_thoughts_are_fitted_into_it() -> None:
    record = {**ANTHROPIC, "capabilities": {"max_output_tokens": 4000}}
    body, outcomes = fields_of(make_spec(provider_record=record), think=True)
    assert (body["max_tokens"], body["thinking"]["budget_tokens"]) == (4000, 3000)
    assert outcomes["think"] == "clamped"
