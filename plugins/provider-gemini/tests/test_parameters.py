"""From arguments to fields: each is on the wire or in the report; tools, thinking, structure, vectors, images."""

from __future__ import annotations

from typing import Any

import pytest

from hb_testing.conformance.parameters import JSON_SCHEMA, SCHEMA, TOOLS
from hb_testing.prepared import Prepared, prepared
from heavenbase import errors


def sent(model: str = "gemini-2.5-flash", **options: Any) -> Prepared:
    return prepared(model, provider="gemini", **options)


@pytest.mark.parametrize(
    ("name", "value", "field", "wire"),
    [
        ("temperature", 0.5, "temperature", 0.5),
        ("top_p", 0.5, "topP", 0.5),
        ("top_k", 4, "topK", 4),
        ("max_tokens", 7, "maxOutputTokens", 7),
        ("max_completion_tokens", 7, "maxOutputTokens", 7),
        ("stop", "x", "stopSequences", ["x"]),
        ("stop", ["x", "y"], "stopSequences", ["x", "y"]),
        ("seed", 7, "seed", 7),
        ("presence_penalty", 0.5, "presencePenalty", 0.5),
        ("frequency_penalty", 0.5, "frequencyPenalty", 0.5),
        ("logprobs", True, "responseLogprobs", True),
        ("top_logprobs", 3, "logprobs", 3),
        ("modalities", ["text", "image"], "responseModalities", ["TEXT", "IMAGE"]),
        ("media_resolution", "MEDIA_RESOLUTION_LOW", "mediaResolution", "MEDIA_RESOLUTION_LOW"),
    ],
)
def test_an_argument_is_a_field_of_the_generation_config(name: str, value: Any, field: str, wire: Any) -> None:
    found = sent(**{name: value})
    assert found.body["generationConfig"] == {field: wire}
    assert found.report == {name: "renamed"}


def test_a1_a_field_of_tomorrow_passes_where_it_is_allowed() -> None:
    found = sent(a_field_of_tomorrow=1, allow_unknown=True)
    assert found.body["generationConfig"]["a_field_of_tomorrow"] == 1
    assert found.report == {"a_field_of_tomorrow": "unknown"}


@pytest.mark.parametrize(
    ("name", "value", "field", "wire"),
    [
        ("safety_settings", [{"category": "c", "threshold": "t"}], "safetySettings", None),
        ("cached_content", "cachedContents/1", "cachedContent", None),
        ("service_tier", "flex", "serviceTier", None),
        ("service_tier", "auto", "serviceTier", "standard"),
        ("store", False, "store", None),
    ],
)
def test_an_argument_is_a_field_of_the_request(name: str, value: Any, field: str, wire: Any) -> None:
    assert sent(**{name: value}).body[field] == (value if wire is None else wire)


@pytest.mark.parametrize(
    ("name", "value", "outcome"),
    [
        ("user", "u", "dropped"),
        ("logit_bias", {"1": 1}, "dropped"),
        ("n", 1, "emulated"),
        ("metadata", {"a": "b"}, "dropped"),
        ("min_p", 0.1, "dropped"),
        ("verbosity", "low", "dropped"),
    ],
)
def test_what_the_wire_lacks_stays_at_home_and_is_told(name: str, value: Any, outcome: str) -> None:
    found = sent(**{name: value})
    assert found.body.keys() == {"contents"}
    assert found.report == {name: outcome}


def test_extra_body_is_merged_into_the_generation_config() -> None:
    found = sent(temperature=0.5, extra_body={"generationConfig": {"topK": 1}, "labels": {"a": "b"}})
    assert found.body["generationConfig"] == {"temperature": 0.5, "topK": 1}
    assert found.body["labels"] == {"a": "b"}


def test_extra_headers_and_query_are_sent() -> None:
    found = sent(extra_headers={"x-a": "1"}, extra_query={"b": "2"}, stream=True)
    assert found.headers["x-a"] == "1"
    assert found.url.endswith(":streamGenerateContent?alt=sse&b=2")


# Tools


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ("get_time", {"mode": "ANY", "allowedFunctionNames": ["get_time"]}),
        (
            {"type": "function", "function": {"name": "get_time"}},
            {"mode": "ANY", "allowedFunctionNames": ["get_time"]},
        ),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "get_time"}]},
            {"mode": "VALIDATED", "allowedFunctionNames": ["get_time"]},
        ),
    ],
)
def test_g06_h24_tool_choice_is_a_function_calling_config(choice: Any, config: dict[str, Any]) -> None:
    assert sent(tools=TOOLS, tool_choice=choice).body["toolConfig"] == {"functionCallingConfig": config}


def test_g06_without_tool_choice_there_is_no_tool_config() -> None:
    body = sent(tools=TOOLS).body
    assert "toolConfig" not in body
    [tools] = body["tools"]
    first = tools["functionDeclarations"][0]
    assert first["name"] == "get_weather"
    assert first["parametersJsonSchema"]["properties"] == {"city": {"type": "string"}}


# Thinking


@pytest.mark.parametrize(
    ("model", "options", "config", "outcome"),
    [
        ("gemini-2.5-flash", {"think": True}, {"includeThoughts": True}, "renamed"),
        ("gemini-2.5-flash", {"think": False}, {"thinkingBudget": 0}, "renamed"),
        ("gemini-2.5-pro", {"think": False}, {"thinkingBudget": 128}, "emulated"),
        ("gemini-3-flash-preview", {"think": False}, {"thinkingLevel": "minimal"}, "emulated"),
        ("gemini-3.1-pro-preview", {"think": False}, {"thinkingLevel": "low"}, "emulated"),
        ("gemini-2.5-flash", {"reasoning_effort": "low"}, {"includeThoughts": True, "thinkingBudget": 1024}, "renamed"),
        ("gemini-2.5-flash", {"reasoning_effort": "none"}, {"includeThoughts": False, "thinkingBudget": 0}, "renamed"),
        ("gemini-2.5-pro", {"reasoning_effort": "max"}, {"includeThoughts": True, "thinkingBudget": 32768}, "renamed"),
        (
            "gemini-3-pro-preview",
            {"reasoning_effort": "minimal"},
            {"includeThoughts": True, "thinkingLevel": "low"},
            "clamped",
        ),
        (
            "gemini-flash-latest",
            {"reasoning_effort": "xhigh"},
            {"includeThoughts": True, "thinkingLevel": "high"},
            "clamped",
        ),
        ("gemini-2.5-flash", {"reasoning_max_tokens": 99}, {"includeThoughts": True, "thinkingBudget": 99}, "renamed"),
        ("gemini-2.5-pro", {"reasoning_max_tokens": 9}, {"includeThoughts": True, "thinkingBudget": 128}, "clamped"),
        ("gemini-2.5-flash", {"reasoning_exclude": True}, {"includeThoughts": False}, "renamed"),
    ],
)
def test_thinking_is_told_as_the_model_has_it(
    model: str, options: dict[str, Any], config: dict[str, Any], outcome: str
) -> None:
    found = sent(model, **options)
    assert found.body["generationConfig"]["thinkingConfig"] == config
    assert found.report[next(iter(options))] == outcome


@pytest.mark.parametrize("model", ["gemini-2.0-flash", "gemma-3-27b-it"])
def test_a_model_that_does_not_think_is_not_told_to(model: str) -> None:
    found = sent(model, think=True, reasoning_effort="low")
    assert "generationConfig" not in found.body
    assert found.report == {"think": "emulated", "reasoning_effort": "dropped"}


def test_a_thinking_config_of_the_callers_own_counts_more() -> None:
    found = sent(think=True, thinking_config={"thinkingBudget": 5})
    assert found.body["generationConfig"]["thinkingConfig"] == {"includeThoughts": True, "thinkingBudget": 5}


# Structured output


def test_g08_a_schema_is_a_response_json_schema() -> None:
    config = sent(response_format=JSON_SCHEMA).body["generationConfig"]
    assert config == {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}


def test_g08_older_models_get_a_response_schema() -> None:
    nested = {
        "type": "object",
        "properties": {
            "who": {"$ref": "#/$defs/Person"},
            "when": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
            "kind": {"const": "x"},
            "tags": {"type": "array", "items": {"type": ["string", "null"]}},
        },
        "required": ["who"],
        "$defs": {"Person": {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}}},
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "n", "schema": nested}}
    config = sent("gemini-2.0-flash", response_format=wanted).body["generationConfig"]
    found = config["responseSchema"]
    assert config["responseMimeType"] == "application/json"
    assert found["type"] == "OBJECT"
    assert found["properties"]["who"]["properties"] == {"age": {"type": "INTEGER", "minimum": 0}}
    assert found["properties"]["when"] == {"type": "STRING", "format": "date-time", "nullable": True}
    assert found["properties"]["kind"] == {"type": "STRING", "enum": ["x"]}
    assert found["properties"]["tags"] == {"type": "ARRAY", "items": {"type": "STRING", "nullable": True}}
    assert found["required"] == ["who"]


def test_json_alone_is_a_mime_type() -> None:
    found = sent(response_format={"type": "json_object"})
    assert found.body["generationConfig"] == {"responseMimeType": "application/json"}
    assert found.report == {"response_format": "renamed"}


@pytest.mark.parametrize(("model", "options"), [("gemma-3-27b-it", {}), ("gemini-2.5-flash", {"tools": TOOLS})])
def test_where_the_endpoint_keeps_to_no_schema_the_model_is_told(model: str, options: dict[str, Any]) -> None:
    found = sent(model, response_format=JSON_SCHEMA, **options)
    assert "generationConfig" not in found.body
    assert "degrees" in str(found.body.get("systemInstruction", found.body["contents"]))
    assert found.report["response_format"] == "emulated"


# Embeddings


def test_g11_parameters_of_embeddings_land_on_their_names() -> None:
    options = {"task_type": "retrieval_document", "title": "T", "dimensions": 8}
    found = sent("gemini-embedding-001", verb="embed", content={"inputs": ["a", "b"]}, **options)
    assert found.url.endswith("/models/gemini-embedding-001:batchEmbedContents")
    assert found.body["requests"] == [
        {
            "model": "models/gemini-embedding-001",
            "content": {"parts": [{"text": text}]},
            "taskType": "RETRIEVAL_DOCUMENT",
            "title": "T",
            "outputDimensionality": 8,
        }
        for text in ("a", "b")
    ]


def test_g11_input_type_of_other_wires_is_understood() -> None:
    found = sent("gemini-embedding-001", verb="embed", input_type="search_query")
    assert found.body["requests"][0]["taskType"] == "RETRIEVAL_QUERY"


# Images


def test_image_models_are_asked_for_both_modalities() -> None:
    found = sent("gemini-2.5-flash-image", verb="imagen", size="1920x1080", n=2)
    config = found.body["generationConfig"]
    assert config["responseModalities"] == ["TEXT", "IMAGE"]
    assert config["imageConfig"] == {"aspectRatio": "16:9", "imageSize": "2K"}
    assert "2 separate images" in found.body["contents"][0]["parts"][0]["text"]
    assert found.report == {"size": "clamped", "n": "emulated"}


def test_imagen_has_an_endpoint_of_its_own() -> None:
    found = sent("imagen-4.0-generate-001", verb="imagen", n=2, aspect_ratio="3:4", output_format="jpeg")
    assert found.url.endswith("/models/imagen-4.0-generate-001:predict")
    assert found.body == {
        "instances": [{"prompt": "Hello"}],
        "parameters": {"sampleCount": 2, "aspectRatio": "3:4", "outputOptions": {"mimeType": "image/jpeg"}},
    }


def test_a8_parameters_of_imagen_have_the_names_of_the_wire() -> None:
    asked = {"person_generation": "allow_adult", "negativePrompt": "x", "output_compression_quality": 5, "seed": 3}
    found = sent("imagen-4.0-generate-001", verb="imagen", output_format="jpeg", **asked)
    assert found.body["parameters"] == {
        "personGeneration": "allow_adult",
        "negativePrompt": "x",
        "outputOptions": {"mimeType": "image/jpeg", "compressionQuality": 5},
        "seed": 3,
    }


def test_wrong_types_are_refused_by_name() -> None:
    with pytest.raises(errors.InputTypeError, match="max_tokens"):
        sent(max_tokens="many")
    with pytest.raises(errors.InputTypeError, match="extra_body"):
        sent(extra_body=[1])


@pytest.mark.parametrize(
    ("model", "verb", "kind"),
    [
        ("imagen-4.0-generate-001", "complete", errors.UnsupportedError),
        ("gemini-embedding-001", "complete", errors.UnsupportedError),
        ("imagen-4.0-generate-001", "embed", errors.EmbeddingsNotSupported),
        ("gemini-embedding-001", "imagen", errors.ImageGenerationNotSupported),
    ],
)
def test_g12_what_a_model_is_not_for_is_refused_with_another_that_is(
    model: str, verb: Any, kind: type[errors.HBError]
) -> None:
    with pytest.raises(kind, match="use a model such as"):
        sent(model, verb=verb)
