"""response_format: the wire's own schemas, or an instruction in the system prompt."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

import heavenbase as hb
from hb_gateway_anthropic.structured import wire_schema
from hb_testing.server import LoopbackServer
from heavenbase.errors import InputError, InputTypeError, UnknownNameError

from .support import ADAPTIVE, ANTHROPIC, BUDGET, OLD, USER, body_of, fields_of, make_spec

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
CLOSED = {**SCHEMA, "additionalProperties": False}
FORMAT = {"type": "json_schema", "json_schema": {"name": "thing", "strict": True, "schema": SCHEMA}}


@pytest.mark.parametrize("given", [FORMAT, {"type": "json_schema", "schema": SCHEMA}, SCHEMA])
@pytest.mark.parametrize("model", [BUDGET, ADAPTIVE])
def test_a_schema_is_the_wires_own_where_the_model_keeps_to_it(given: Any, model: str) -> None:
    body, outcomes = fields_of(model=model, response_format=given)
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": CLOSED}}
    assert outcomes == {"response_format": "renamed"}
    assert "system" not in body


def test_g09_a_schema_is_told_to_other_models_behind_the_callers_own_prompt() -> None:
    messages = [{"role": "system", "content": "be brief"}, USER]
    body, outcomes = fields_of(model=OLD, response_format=FORMAT, messages=messages)
    assert body["system"].startswith("be brief\n\n")
    assert json.dumps(SCHEMA, separators=(",", ":")) in body["system"]
    assert "output_config" not in body
    assert outcomes == {"response_format": "emulated"}
    assert body_of(model=OLD, response_format=FORMAT)["system"].startswith("Answer with one JSON value")


def test_the_instruction_is_a_block_of_its_own_behind_marked_blocks() -> None:
    marked = {"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}}
    messages = [{"role": "system", "content": [marked]}, USER]
    system = body_of(model=OLD, response_format=FORMAT, messages=messages)["system"]
    assert system[0] == marked
    assert str(SCHEMA["required"]).replace("'", '"') in system[1]["text"]


def test_a_json_object_is_asked_for_in_words() -> None:
    body, outcomes = fields_of(response_format={"type": "json_object"})
    assert "JSON object" in body["system"]
    assert outcomes == {"response_format": "emulated"}


def test_text_is_what_the_wire_answers_in() -> None:
    assert fields_of(response_format={"type": "text"}) == ({"max_tokens": 64000}, {"response_format": "emulated"})


def test_an_open_schema_cannot_be_kept_to_and_is_told() -> None:
    schema = {"type": "object", "additionalProperties": {"type": "string"}}
    body, outcomes = fields_of(response_format=schema)
    assert "output_config" not in body
    assert outcomes == {"response_format": "emulated"}


def test_a_property_of_that_name_is_no_open_schema() -> None:
    schema = {"type": "object", "properties": {"additionalProperties": {"type": "string"}}}
    assert "output_config" in fields_of(response_format=schema)[0]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("json", UnknownNameError),
        (3, InputTypeError),
        ({"type": "json_schema"}, InputError),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, InputError),
        ({"type": "json_schema", "json_schema": "x"}, InputError),
    ],
)
def test_what_is_no_format_is_refused(given: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="response_format"):
        fields_of(response_format=given)


def test_schemas_are_closed_and_constraints_are_told_in_words() -> None:
    given = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 1, "maximum": 9, "description": "how many"},
            "s": {"type": "string", "maxLength": 3},
            "l": {"type": "array", "minItems": 2, "items": {"type": "object", "properties": {}}},
            "o": {"oneOf": [{"$ref": "#/$defs/d"}, {"type": "null"}]},
        },
        "$defs": {"d": {"type": ["object", "null"], "properties": {"x": {"type": "string", "format": "date"}}}},
    }
    assert wire_schema(given) == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "n": {"type": "integer", "description": "how many (minimum: 1, maximum: 9)"},
            "s": {"type": "string", "description": "maxLength: 3"},
            "l": {
                "type": "array",
                "items": {"type": "object", "properties": {}, "additionalProperties": False},
                "description": "minItems: 2",
            },
            "o": {"anyOf": [{"$ref": "#/$defs/d"}, {"type": "null"}]},
        },
        "$defs": {
            "d": {
                "type": ["object", "null"],
                "properties": {"x": {"type": "string", "format": "date"}},
                "additionalProperties": False,
            }
        },
    }


def test_a_schema_that_contains_itself_is_told() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"first": {"$ref": "#/$defs/node"}}, "$defs": {"node": node}}
    body, outcomes = fields_of(response_format=schema)
    assert "output_config" not in body
    assert outcomes == {"response_format": "emulated"}
    flat = {**schema, "$defs": {"node": {"type": "object", "properties": {"n": {"type": "integer"}}}}}
    assert fields_of(response_format=flat)[1] == {"response_format": "renamed"}


def test_a_form_of_another_provider_is_dropped() -> None:
    body, outcomes = fields_of(response_format={"type": "grammar", "grammar": "x"})
    assert body == {"max_tokens": 64000}
    assert outcomes == {"response_format": "dropped"}


def test_a_provider_that_refuses_schemas_gets_the_instruction() -> None:
    record = {**ANTHROPIC, "parameters": [{"drop": {"response_format": "no schemas here"}}]}
    body, outcomes = fields_of(make_spec(provider_record=record), response_format=FORMAT)
    assert "output_config" not in body
    assert "JSON schema" in body["system"]
    assert outcomes == {"response_format": "emulated"}


class Thing(BaseModel):
    a: int
    b: list[str] = []


@pytest.mark.parametrize("model", [OLD, BUDGET])
@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        '```json\n{"a": 1}\n```',
        'Here {as you asked} it is: {"a": 1}. Anything else?',
    ],
)
def test_g09_what_the_model_wrote_around_the_json_is_left_out(server: LoopbackServer, model: str, text: str) -> None:
    with hb.Kernel() as kernel:
        llm = hb.LLM(
            model=model, provider="anthropic", base_url=server.url("anthropic"), api_key="k", cache=False, kernel=kernel
        )
        server.reply(text=text)
        assert llm.chat("x", response_format=Thing, include="structured") == Thing(a=1)
        assert server.request_count == 1
