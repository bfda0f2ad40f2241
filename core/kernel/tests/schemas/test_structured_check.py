"""JSON values against JSON schemas."""

from __future__ import annotations

from typing import Any

import pytest

from heavenbase.structured import problems

FITS: list[tuple[Any, Any]] = [
    (1, {"type": "integer"}),
    (1.0, {"type": "integer"}),
    (1, {"type": "number"}),
    (None, {"type": ["string", "null"]}),
    ("a", {"enum": ["a", 1]}),
    (1.0, {"const": 1}),
    ({"a": 1}, {"properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}),
    ({"a": 1, "x": "y"}, {"properties": {"a": True}, "additionalProperties": {"type": "string"}}),
    ({"x-1": 1}, {"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": False}),
    ([1, "a", "b"], {"prefixItems": [{"type": "integer"}], "items": {"type": "string"}}),
    ([1, 2, 3], {"minItems": 3, "maxItems": 3, "uniqueItems": True, "contains": {"const": 2}}),
    ([1, True], {"uniqueItems": True}),
    ("abc", {"minLength": 3, "maxLength": 3, "pattern": "^a"}),
    ("abc", {"pattern": r"\p{L}+"}),
    (0.3, {"multipleOf": 0.1, "minimum": 0, "exclusiveMaximum": 1}),
    ("x", {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
    ("x", {"oneOf": [{"type": "integer"}, {"type": "string"}]}),
    (5, {"allOf": [{"minimum": 1}, {"maximum": 9}], "not": {"const": 7}}),
    ({"kind": "a", "a": 1}, {"if": {"properties": {"kind": {"const": "a"}}}, "then": {"required": ["a"]}}),
    ({"n": {"n": {}}}, {"type": "object", "properties": {"n": {"$ref": "#"}}}),
    (1, {"$ref": "#"}),
    (1, {"$ref": "https://example.com/x"}),
    ("anything", {"format": "date", "unknownKeyword": 1}),
]

FAILS: list[tuple[Any, Any, str]] = [
    (True, {"type": "integer"}, "the answer must be integer, not boolean"),
    (1, {"const": True}, "must be True, not 1"),
    ("c", {"enum": ["a", "b"]}, "must be one of 'a', 'b', not 'c'"),
    ({"a": {"b": "x"}}, {"properties": {"a": {"properties": {"b": {"type": "null"}}}}}, "a.b must be null, not string"),
    ({}, {"required": ["a"]}, "has no field 'a'"),
    ({"b": 1}, {"additionalProperties": False}, "must not have the field 'b'"),
    ({"b": 1}, {"properties": {"b": False}}, "b is not allowed"),
    ({"b": 1}, {"propertyNames": {"pattern": "^a"}}, "b must match ^a"),
    ([{"a": 1}, {}], {"items": {"required": ["a"]}}, "1 has no field 'a'"),
    ([1, 1], {"uniqueItems": True}, "must not repeat 1"),
    ([1], {"contains": {"const": 2}}, "has 0 items"),
    ([1], {"minItems": 2}, "must have at least 2 items, not 1"),
    ("ab", {"minLength": 3}, "must have at least 3 characters, not 2"),
    ({}, {"minProperties": 1}, "must have at least 1 fields, not 0"),
    (11, {"maximum": 10}, "must be at most 10, not 11"),
    (10, {"exclusiveMaximum": 10}, "must be less than 10"),
    (7, {"multipleOf": 2}, "must be a multiple of 2"),
    (1, {"anyOf": [{"type": "string"}, {"minimum": 2}]}, "must be"),
    (1, {"oneOf": [{"minimum": 0}, {"type": "integer"}]}, "more than one"),
    (1, {"not": {"type": "integer"}}, "what it must not be"),
    ({"kind": "b"}, {"if": {"required": ["x"]}, "else": {"required": ["y"]}}, "has no field 'y'"),
    ({"a": 1}, {"dependentRequired": {"a": ["b"]}}, "has 'a' but not 'b'"),
    ({"p": {"q": 1}}, {"properties": {"p": {"$ref": "#/$defs/a~1b"}}, "$defs": {"a/b": {"maxProperties": 0}}},
     "p must have at most 0 fields"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "schema"), FITS, ids=str)
def test_values_that_fit_have_no_problems(value: Any, schema: Any) -> None:
    assert problems(value, schema) == []


@pytest.mark.parametrize(("value", "schema", "said"), FAILS, ids=str)
def test_problems_say_where_and_what(value: Any, schema: Any, said: str) -> None:
    found = problems(value, schema)
    assert found
    assert said in found[0]
