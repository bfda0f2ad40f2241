"""From arguments to fields: each is on the wire or in the report; tools, thinking, structure, vectors."""

from __future__ import annotations

from typing import Any

import pytest

from hb_testing.conformance.parameters import JSON_SCHEMA, SCHEMA, TOOLS
from hb_testing.prepared import Prepared, prepared
from heavenbase import errors

from .support import MODEL

PLAIN = {"model", "messages", "stream"}


def sent(model: str = MODEL, **options: Any) -> Prepared:
    return prepared(model, provider="mistral", **options)


@pytest.mark.parametrize(
    ("name", "value", "field", "outcome"),
    [
        ("temperature", 0.5, "temperature", "sent"),
        ("top_p", 0.5, "top_p", "sent"),
        ("top_k", 4, "top_k", "sent"),
        ("max_tokens", 7, "max_tokens", "sent"),
        ("max_completion_tokens", 7, "max_tokens", "renamed"),
        ("stop", "x", "stop", "sent"),
        ("stop", ["x", "y"], "stop", "sent"),
        ("seed", 7, "random_seed", "renamed"),
        ("presence_penalty", 0.5, "presence_penalty", "sent"),
        ("frequency_penalty", 0.5, "frequency_penalty", "sent"),
        ("repetition_penalty", 1.5, "repetition_penalty", "sent"),
        ("logprobs", True, "logprobs", "sent"),
        ("n", 1, "n", "sent"),
        ("metadata", {"a": "b"}, "metadata", "sent"),
        ("prediction", {"type": "content", "content": "x"}, "prediction", "sent"),
        ("prompt_cache_key", "x", "prompt_cache_key", "sent"),
        ("service_tier", "x", "service_tier", "sent"),
        ("safe_prompt", True, "safe_prompt", "sent"),
        ("prompt_mode", "reasoning", "prompt_mode", "sent"),
        ("guardrails", [], "guardrails", "sent"),
    ],
)
def test_g11_an_argument_is_a_field_of_mistral(name: str, value: Any, field: str, outcome: str) -> None:
    found = sent(**{name: value})
    assert found.body.keys() == PLAIN | {field}
    assert found.body[field] == value
    assert found.report == {name: outcome}


def test_a1_a_field_of_tomorrow_passes_where_it_is_allowed() -> None:
    found = sent(a_field_of_tomorrow=1, allow_unknown=True)
    assert found.body["a_field_of_tomorrow"] == 1
    assert found.report == {"a_field_of_tomorrow": "unknown"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("user", "u"),
        ("logit_bias", {"1": 1}),
        ("min_p", 0.1),
        ("store", True),
        ("verbosity", "low"),
        ("prompt_caching", True),
    ],
)
def test_what_the_wire_lacks_stays_at_home_and_is_told(name: str, value: Any) -> None:
    found = sent(**{name: value})
    assert found.body.keys() == PLAIN
    assert found.report == {name: "dropped"}


def test_extras_are_laid_over_the_request() -> None:
    found = sent(metadata={"a": 1}, extra_body={"metadata": {"b": 2}, "x": 1}, extra_query={"b": "2"})
    assert found.body["metadata"] == {"a": 1, "b": 2}
    assert found.body["x"] == 1
    assert found.url == "https://api.mistral.ai/v1/chat/completions?b=2"


def test_wrong_types_are_refused_by_name() -> None:
    with pytest.raises(errors.InputTypeError, match="max_tokens"):
        sent(max_tokens="many")
    with pytest.raises(errors.InputTypeError, match="extra_body"):
        sent(extra_body=[1])


# Tools

NAMED = {"type": "function", "function": {"name": "get_time"}}


def allowed(mode: str) -> dict[str, Any]:
    return {"type": "allowed_tools", "mode": mode, "tools": [{"type": "function", "name": "get_time"}]}


@pytest.mark.parametrize(
    ("choice", "wire", "names", "outcome"),
    [
        ("auto", "auto", 3, "sent"),
        ("none", "none", 3, "sent"),
        ("required", "any", 3, "renamed"),
        ("any", "any", 3, "renamed"),
        ("get_time", NAMED, 3, "sent"),
        (NAMED, NAMED, 3, "sent"),
        (allowed("required"), "any", 1, "emulated"),
        (allowed("auto"), "auto", 1, "emulated"),
    ],
)
def test_g06_tool_choice_of_mistral(choice: Any, wire: Any, names: int, outcome: str) -> None:
    found = sent(tools=TOOLS, tool_choice=choice, parallel_tool_calls=False)
    assert found.body["tool_choice"] == wire
    assert len(found.body["tools"]) == names
    assert found.body["parallel_tool_calls"] is False
    assert found.report["tool_choice"] == outcome


def test_g06_an_unknown_tool_is_refused() -> None:
    with pytest.raises(errors.UnknownNameError, match="get_time"):
        sent(tools=TOOLS, tool_choice="get_tima")


def test_tools_that_mistral_runs_pass() -> None:
    found = sent(tools=[{"type": "web_search"}, TOOLS[0]])
    assert found.body["tools"][0] == {"type": "web_search"}
    assert found.body["tools"][1]["function"]["name"] == "get_weather"


# Thinking


@pytest.mark.parametrize(
    ("model", "options", "effort", "outcome"),
    [
        (MODEL, {"think": True}, "high", "renamed"),
        (MODEL, {"think": False}, "none", "renamed"),
        (MODEL, {"reasoning_effort": "low"}, "low", "sent"),
        (MODEL, {"reasoning_max_tokens": 99}, None, "dropped"),
        (MODEL, {"reasoning_exclude": True}, None, "emulated"),
        ("magistral-medium-latest", {"think": True}, None, "emulated"),
        ("magistral-medium-latest", {"think": False}, None, "emulated"),
        ("magistral-medium-latest", {"reasoning_effort": "low"}, None, "dropped"),
        ("ministral-8b-latest", {"think": True}, None, "emulated"),
        ("ministral-8b-latest", {"reasoning_effort": "low"}, None, "dropped"),
    ],
)
def test_thinking_is_told_as_the_model_has_it(
    model: str, options: dict[str, Any], effort: str | None, outcome: str
) -> None:
    found = sent(model, **options)
    assert found.body.get("reasoning_effort") == effort
    assert found.report[next(iter(options))] == outcome


# Structured output


def test_g08_g09_a_schema_is_a_json_schema_of_mistral() -> None:
    found = sent(response_format=JSON_SCHEMA)
    wanted = found.body["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"]["name"] == "weather"
    assert wanted["json_schema"]["schema"] == SCHEMA
    assert found.report == {"response_format": "sent"}


def test_g09_an_endpoint_that_keeps_to_json_alone_is_told_the_schema() -> None:
    key = "heavenbase.llm.providers.mistral.capabilities.structured"
    found = sent(response_format=JSON_SCHEMA, settings={key: "json_object"})
    assert found.body["response_format"] == {"type": "json_object"}
    assert "degrees" in found.body["messages"][0]["content"]
    assert found.report == {"response_format": "emulated"}


# Embeddings


@pytest.mark.parametrize(
    ("name", "value", "field", "outcome"),
    [
        ("dimensions", 256, "output_dimension", "renamed"),
        ("output_dimension", 256, "output_dimension", "sent"),
        ("output_dtype", "int8", "output_dtype", "sent"),
        ("encoding_format", "base64", "encoding_format", "sent"),
        ("encoding_format", "float", "encoding_format", "sent"),
        ("metadata", {"a": "b"}, "metadata", "sent"),
    ],
)
def test_g11_parameters_of_mistral_embeddings_land_on_their_names(
    name: str, value: Any, field: str, outcome: str
) -> None:
    found = sent("codestral-embed", verb="embed", content={"inputs": ["a", "b"]}, **{name: value})
    assert found.url == "https://api.mistral.ai/v1/embeddings"
    assert found.body == {"model": "codestral-embed", "input": ["a", "b"], field: value}
    assert found.report == {name: outcome}


def test_g11_what_embeddings_of_mistral_lack_is_told() -> None:
    assert sent("mistral-embed", verb="embed", user="u").report == {"user": "dropped"}


def test_an_empty_list_of_stops_asks_for_none() -> None:
    found = sent(stop=[])
    assert found.body.keys() == PLAIN
    assert found.report == {"stop": "emulated"}
