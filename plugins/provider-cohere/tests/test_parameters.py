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
    return prepared(model, provider="cohere", **options)


@pytest.mark.parametrize(
    ("name", "value", "field", "wire", "outcome"),
    [
        ("temperature", 0.5, "temperature", 0.5, "sent"),
        ("top_p", 0.5, "p", 0.5, "renamed"),
        ("top_p", 1.0, "p", 0.99, "clamped"),
        ("top_k", 4, "k", 4, "renamed"),
        ("top_k", 900, "k", 500, "clamped"),
        ("max_tokens", 7, "max_tokens", 7, "sent"),
        ("max_completion_tokens", 7, "max_tokens", 7, "renamed"),
        ("stop", "x", "stop_sequences", ["x"], "renamed"),
        ("stop", ["x", "y"], "stop_sequences", ["x", "y"], "renamed"),
        ("stop", list("abcdef"), "stop_sequences", list("abcde"), "clamped"),
        ("seed", 7, "seed", 7, "sent"),
        ("presence_penalty", 0.5, "presence_penalty", 0.5, "sent"),
        ("frequency_penalty", -1, "frequency_penalty", 0, "clamped"),
        ("logprobs", True, "logprobs", True, "sent"),
        ("documents", [{"data": {"text": "x"}}], "documents", [{"data": {"text": "x"}}], "sent"),
        ("citation_options", {"mode": "off"}, "citation_options", {"mode": "off"}, "sent"),
        ("safety_mode", "STRICT", "safety_mode", "STRICT", "sent"),
        ("priority", 3, "priority", 3, "sent"),
    ],
)
def test_g11_an_argument_is_a_field_of_cohere(name: str, value: Any, field: str, wire: Any, outcome: str) -> None:
    found = sent(**{name: value})
    assert found.body.keys() == PLAIN | {field}
    assert found.body[field] == wire
    assert found.report == {name: outcome}


def test_a1_a_field_of_tomorrow_passes_where_it_is_allowed() -> None:
    found = sent(a_field_of_tomorrow=1, allow_unknown=True)
    assert found.body["a_field_of_tomorrow"] == 1
    assert found.report == {"a_field_of_tomorrow": "unknown"}


@pytest.mark.parametrize(
    ("name", "value", "outcome"),
    [
        ("user", "u", "dropped"),
        ("logit_bias", {"1": 1}, "dropped"),
        ("n", 2, "dropped"),
        ("n", 1, "emulated"),
        ("metadata", {"a": "b"}, "dropped"),
        ("min_p", 0.1, "dropped"),
        ("verbosity", "low", "dropped"),
        ("tool_choice", "auto", "emulated"),
        ("stop", [], "emulated"),
    ],
)
def test_what_the_wire_lacks_stays_at_home_and_is_told(name: str, value: Any, outcome: str) -> None:
    found = sent(**{name: value})
    assert found.body.keys() == PLAIN
    assert found.report == {name: outcome}


def test_extras_are_laid_over_the_request() -> None:
    found = sent(
        think=True,
        extra_body={"thinking": {"token_budget": 5}, "x": 1},
        extra_headers={"x-a": "1"},
        extra_query={"b": "2"},
    )
    assert found.body["thinking"] == {"type": "enabled", "token_budget": 5}
    assert found.body["x"] == 1
    assert found.headers["x-a"] == "1"
    assert found.url.endswith("/chat?b=2")


def test_wrong_types_are_refused_by_name() -> None:
    with pytest.raises(errors.InputTypeError, match="max_tokens"):
        sent(max_tokens="many")
    with pytest.raises(errors.InputTypeError, match="extra_body"):
        sent(extra_body=[1])
    with pytest.raises(errors.InputTypeError, match="reasoning_max_tokens"):
        sent(reasoning_max_tokens="many")


# Tools


def allowed(mode: str) -> dict[str, Any]:
    return {"type": "allowed_tools", "mode": mode, "tools": [{"type": "function", "name": "get_time"}]}


@pytest.mark.parametrize(
    ("choice", "word", "names", "outcome"),
    [
        ("auto", None, 3, "emulated"),
        ("none", "NONE", 3, "renamed"),
        ("required", "REQUIRED", 3, "renamed"),
        ("any", "REQUIRED", 3, "renamed"),
        ("get_time", "REQUIRED", 1, "emulated"),
        ({"type": "function", "function": {"name": "get_time"}}, "REQUIRED", 1, "emulated"),
        (allowed("required"), "REQUIRED", 1, "emulated"),
        (allowed("auto"), None, 1, "emulated"),
    ],
)
def test_g06_tool_choice_of_cohere(choice: Any, word: str | None, names: int, outcome: str) -> None:
    found = sent(tools=TOOLS, tool_choice=choice)
    assert found.body.get("tool_choice") == word
    assert len(found.body["tools"]) == names
    assert found.report["tool_choice"] == outcome
    if names == 1:
        assert found.body["tools"][0]["function"]["name"] == "get_time"


def test_g06_a_model_that_knows_no_choice_is_not_told_of_one() -> None:
    assert sent("command-r", tools=TOOLS, tool_choice="required").report["tool_choice"] == "dropped"
    without = sent("command-r", tools=TOOLS, tool_choice="none")
    assert without.body.keys() == PLAIN
    assert without.report["tool_choice"] == "emulated"


def test_g06_an_unknown_tool_is_refused() -> None:
    with pytest.raises(errors.UnknownNameError, match="get_time"):
        sent(tools=TOOLS, tool_choice="get_tima")


def test_tools_are_strict_together_or_not_at_all() -> None:
    strict = [{**tool, "function": {**tool["function"], "strict": True}} for tool in TOOLS]
    found = sent(tools=strict[:2])
    assert found.body["strict_tools"] is True
    assert "strict" not in found.body["tools"][0]["function"]
    assert sent(tools=[strict[0], TOOLS[1]]).report["strict"] == "dropped"
    without_parameters = sent(tools=strict)
    assert "strict_tools" not in without_parameters.body
    assert without_parameters.report["strict"] == "dropped"


# Thinking


@pytest.mark.parametrize(
    ("options", "field", "outcome"),
    [
        ({"think": True}, {"type": "enabled"}, "renamed"),
        ({"think": False}, {"type": "disabled"}, "renamed"),
        ({"reasoning_effort": "none"}, {"type": "disabled"}, "renamed"),
        ({"reasoning_effort": "low"}, {"type": "enabled", "token_budget": 1024}, "renamed"),
        ({"reasoning_effort": "high"}, {"type": "enabled"}, "emulated"),
        ({"reasoning_effort": "immense"}, {"type": "enabled"}, "clamped"),
        ({"reasoning_max_tokens": 99}, {"type": "enabled", "token_budget": 99}, "renamed"),
        ({"thinking": {"type": "disabled"}}, {"type": "disabled"}, "sent"),
    ],
)
def test_thinking_is_told_as_the_wire_has_it(options: dict[str, Any], field: dict[str, Any], outcome: str) -> None:
    found = sent(**options)
    assert found.body["thinking"] == field
    assert found.report[next(iter(options))] == outcome


def test_a_model_that_does_not_think_is_not_told_to() -> None:
    found = sent("command-a-03-2025", think=True, reasoning_effort="low")
    assert found.body.keys() == PLAIN
    assert found.report == {"think": "emulated", "reasoning_effort": "dropped"}


# Structured output


def test_g08_g09_a_schema_is_a_schema_of_cohere() -> None:
    found = sent(response_format=JSON_SCHEMA)
    assert found.body["response_format"] == {"type": "json_object", "schema": SCHEMA}
    assert found.report == {"response_format": "sent"}


def test_g09_keywords_that_cohere_refuses_are_told_in_words() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer", "minimum": 3}}, "required": ["a"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    [field] = sent(response_format=wanted).body["response_format"]["schema"]["properties"].values()
    assert "minimum" not in field
    assert "3" in field["description"]


def test_g09_beside_tools_the_model_is_told_the_schema() -> None:
    found = sent(response_format=JSON_SCHEMA, tools=TOOLS)
    assert "response_format" not in found.body
    assert "degrees" in found.body["messages"][0]["content"]
    assert found.report["response_format"] == "emulated"


def test_json_alone_is_a_json_object() -> None:
    found = sent(response_format={"type": "json_object"})
    assert found.body["response_format"] == {"type": "json_object"}
    assert found.report == {"response_format": "sent"}


# Embeddings


def vectors(model: str = "embed-v4", **options: Any) -> Prepared:
    return sent(model, verb="embed", content={"inputs": ["a", "b"]}, **options)


def test_g11_vectors_of_cohere_are_of_documents_where_nothing_is_said() -> None:
    found = vectors()
    assert found.url == "https://api.cohere.com/v2/embed"
    assert found.body == {
        "model": "embed-v4.0",
        "texts": ["a", "b"],
        "input_type": "search_document",
        "embedding_types": ["float"],
    }
    assert found.report == {}


@pytest.mark.parametrize(
    ("name", "value", "field", "wire", "outcome"),
    [
        ("input_type", "search_query", "input_type", "search_query", "sent"),
        ("input_type", "classification", "input_type", "classification", "sent"),
        ("task_type", "RETRIEVAL_QUERY", "input_type", "search_query", "renamed"),
        ("truncate", "START", "truncate", "START", "sent"),
        ("truncate", True, "truncate", "END", "sent"),
        ("truncate", False, "truncate", "NONE", "sent"),
        ("dimensions", 256, "output_dimension", 256, "renamed"),
        ("output_dimension", 256, "output_dimension", 256, "renamed"),
        ("encoding_format", "base64", "embedding_types", ["base64"], "renamed"),
        ("encoding_format", "float", "embedding_types", ["float"], "emulated"),
        ("embedding_types", ["int8"], "embedding_types", ["int8"], "sent"),
        ("embedding_types", ["int8", "float"], "embedding_types", ["int8"], "clamped"),
        ("max_tokens", 9, "max_tokens", 9, "sent"),
    ],
)
def test_g11_parameters_of_cohere_embeddings_land_on_their_names(
    name: str, value: Any, field: str, wire: Any, outcome: str
) -> None:
    found = vectors(**{name: value})
    assert found.body[field] == wire
    assert found.report == {name: outcome}


def test_g11_what_embeddings_of_cohere_lack_is_told() -> None:
    assert vectors(user="u", encoding_format="morse").report == {"user": "dropped", "encoding_format": "dropped"}
    found = vectors("embed-english-v3.0", dimensions=256)
    assert "output_dimension" not in found.body
    assert found.report == {"dimensions": "dropped"}
