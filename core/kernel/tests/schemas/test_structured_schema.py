"""Schemas for strict decoding, and for wires that lack keywords."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from heavenbase.structured import fit_schema, is_open, strict_schema, to_format, without_nulls

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "Full name", "minLength": 1},
        "age": {"type": "integer", "minimum": 0, "default": 18},
        "nick": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["name"],
}


def test_a_strict_schema_is_closed_and_asks_for_every_field() -> None:
    before = copy.deepcopy(PERSON)
    assert strict_schema(PERSON) == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "Full name (minLength: 1)"},
            "age": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]},
            "nick": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["name", "age", "nick"],
        "additionalProperties": False,
    }
    assert before == PERSON


def test_objects_inside_of_lists_choices_and_definitions_are_closed_too() -> None:
    inner = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    schema = {
        "type": "object",
        "properties": {
            "list": {"type": "array", "items": inner},
            "choice": {"oneOf": [inner, {"type": "null"}]},
            "tree": {"$ref": "#/$defs/Tree", "description": "dropped beside a reference"},
        },
        "required": ["list", "choice", "tree"],
        "$defs": {
            "Tree": {
                "type": "object",
                "properties": {"leaves": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
                "required": ["leaves"],
            }
        },
    }
    found = strict_schema(schema)
    assert found is not None
    closed = {**inner, "additionalProperties": False}
    assert found["properties"]["list"]["items"] == closed
    assert found["properties"]["choice"] == {"anyOf": [closed, {"type": "null"}]}
    assert found["properties"]["tree"] == {"$ref": "#/$defs/Tree"}
    assert found["$defs"]["Tree"]["additionalProperties"] is False


@pytest.mark.parametrize(
    "part",
    [
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "object"},
        {"type": "array"},
        {"type": "array", "prefixItems": [{"type": "string"}]},
        {"allOf": [{"type": "object", "properties": {}}, {"type": "object", "properties": {}}]},
        {"not": {"type": "string"}},
        {"$ref": "https://example.com/schema.json"},
        {},
    ],
    ids=str,
)
def test_what_cannot_be_spelled_out_is_not_strict_and_sent_as_it_is(part: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"x": part}, "required": ["x"]}
    assert is_open(schema)
    assert strict_schema(schema) is None
    assert to_format(schema).wire["json_schema"] == {"name": "answer", "schema": schema, "strict": False}


def test_choices_get_the_type_that_strict_decoding_asks_for() -> None:
    schema = {"type": "object", "properties": {"a": {"enum": ["x", "y"]}, "b": {"const": 1}}, "required": ["a", "b"]}
    found = strict_schema(schema)
    assert found is not None
    assert found["properties"] == {"a": {"enum": ["x", "y"], "type": "string"}, "b": {"const": 1, "type": "integer"}}


def test_formats_that_the_wire_does_not_know_are_told_in_words() -> None:
    schema = {
        "type": "object",
        "properties": {"day": {"type": "string", "format": "date"}, "home": {"type": "string", "format": "uri"}},
        "required": ["day", "home"],
    }
    found = strict_schema(schema)
    assert found is not None
    assert found["properties"]["day"] == {"type": "string", "format": "date"}
    assert found["properties"]["home"] == {"type": "string", "description": 'format: "uri"'}


def test_a_field_named_like_a_keyword_stays() -> None:
    schema = {"type": "object", "properties": {"default": {"type": "string"}, "title": {"type": "string"}}}
    found = strict_schema({**schema, "required": ["default", "title"]})
    assert found is not None
    assert list(found["properties"]) == ["default", "title"]


def test_keywords_that_a_wire_lacks_are_told_in_words() -> None:
    found = fit_schema(PERSON, {"minLength", "default", "minimum"}, closed=True)
    assert found["properties"]["name"] == {"type": "string", "description": "Full name (minLength: 1)"}
    assert found["properties"]["age"] == {"type": "integer", "description": "minimum: 0"}
    assert found["additionalProperties"] is False
    assert found["required"] == ["name"]


def test_nulls_that_stand_for_a_field_left_out_are_taken_away() -> None:
    assert without_nulls({"name": "Al", "age": None, "nick": None}, PERSON) == {"name": "Al", "nick": None}
    nested = {"type": "object", "properties": {"all": {"type": "array", "items": {"$ref": "#/$defs/P"}}},
              "$defs": {"P": PERSON}}  # fmt: skip
    assert without_nulls({"all": [{"name": "Al", "age": None}]}, nested) == {"all": [{"name": "Al"}]}
    choice = {"anyOf": [{"type": "string"}, PERSON]}
    assert without_nulls({"name": "Al", "age": None}, choice) == {"name": "Al"}


def test_nulls_that_are_asked_for_or_wrong_stay_to_be_judged() -> None:
    assert without_nulls({"name": None, "age": 1}, PERSON) == {"name": None, "age": 1}
    assert without_nulls({"extra": None}, PERSON) == {"extra": None}
