"""JSON values against JSON schemas."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from heavenbase.errors import InputError
from heavenbase.schemas.arguments import tool_schema
from heavenbase.schemas.check import DEPTH, Checker, tries
from heavenbase.structured import problems, without_nulls
from heavenbase.structured.format import to_format

from ..support import scripted

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
    ("abc", {"pattern": "(?P<open"}),
    ({"a": 1}, {"properties": {"a": {"type": "any"}}, "required": ["a", 1], "patternProperties": {"[": False}}),
    ("half \ud800", {"type": "string", "minLength": 6}),
    ("anything", {"format": "date", "unknownKeyword": 1}),
]

FAILS: list[tuple[Any, Any, str]] = [
    (True, {"type": "integer"}, "the answer: true is not of type \"integer\""),
    (1, {"const": True}, "true was expected"),
    ("c", {"enum": ["a", "b"]}, '"c" is not one of "a" or "b"'),
    ({"a": {"b": "x"}}, {"properties": {"a": {"properties": {"b": {"type": "null"}}}}},
     'a.b: "x" is not of type "null"'),
    ({}, {"required": ["a"]}, '"a" is a required property'),
    ({"b": 1}, {"properties": {"a": True}, "additionalProperties": False}, "('b' was unexpected)"),
    ({"b": 1}, {"properties": {"b": False}}, "b: False schema does not allow 1"),
    ({"b": 1}, {"propertyNames": {"pattern": "^a"}}, '"b" does not match "^a"'),
    ([{"a": 1}, {}], {"items": {"required": ["a"]}}, '1: "a" is a required property'),
    ([1, 1], {"uniqueItems": True}, "[1,1] has non-unique elements"),
    ([1], {"contains": {"const": 2}}, "None of [1] are valid under the given schema"),
    ([1], {"minItems": 2}, "[1] has less than 2 items"),
    ("ab", {"minLength": 3}, '"ab" is shorter than 3 characters'),
    ({}, {"minProperties": 1}, "{} has less than 1 property"),
    (11, {"maximum": 10}, "11 is greater than the maximum of 10"),
    (10, {"exclusiveMaximum": 10}, "10 is greater than or equal to the maximum of 10"),
    (7, {"multipleOf": 2}, "7 is not a multiple of 2"),
    (1, {"anyOf": [{"type": "string"}, {"minimum": 2}]}, "1 is less than the minimum of 2"),
    (1, {"oneOf": [{"minimum": 0}, {"type": "integer"}]}, "more than one"),
    (1, {"not": {"type": "integer"}}, "is not allowed for 1"),
    ({"kind": "b"}, {"if": {"required": ["x"]}, "else": {"required": ["y"]}}, '"y" is a required property'),
    ({"a": 1}, {"dependentRequired": {"a": ["b"]}}, '"b" is a required property'),
    ({"p": {"q": 1}}, {"properties": {"p": {"$ref": "#/$defs/a~1b"}}, "$defs": {"a/b": {"maxProperties": 0}}},
     'p: {"q":1} has more than 0 properties'),
]  # fmt: skip


@pytest.mark.parametrize(("value", "schema"), FITS, ids=str)
def test_values_that_fit_have_no_problems(value: Any, schema: Any) -> None:
    assert problems(value, schema) == []


@pytest.mark.parametrize(("value", "schema", "said"), FAILS, ids=str)
def test_problems_say_where_and_what(value: Any, schema: Any, said: str) -> None:
    found = problems(value, schema)
    assert found
    assert said in found[0]


def test_the_likeliest_alternative_is_told() -> None:
    person = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}
    schema = {"anyOf": [{"type": "null"}, {**person, "required": ["name", "age"]}]}
    assert problems({"name": 1}, schema) == [
        'the answer: "age" is a required property',
        'name: 1 is not of type "string"',
    ]
    deeper = {"properties": {"who": schema}}
    assert problems({"who": {"name": "Al", "age": "x"}}, deeper) == ['who.age: "x" is not of type "integer"']


def test_schemas_of_earlier_drafts_are_read_as_such() -> None:
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}, {"type": "integer"}]}
    assert problems(["a", 1, None], schema) == []
    assert problems([1], schema) == ['0: 1 is not of type "string"']


@pytest.mark.parametrize(
    "reference", ["https://127.0.0.1:9/x", "file:///etc/hostname", "other.json", "#/$defs/missing", "#missing"]
)
def test_a_reference_that_leads_out_of_the_schema_or_nowhere_is_refused_before_anything_is_sent(reference: str) -> None:
    schema = {"type": "object", "properties": {"a": {"items": {"$ref": reference}}}}
    made = scripted("hello")
    for form in (schema, {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}):
        with pytest.raises(InputError, match="the JSON schema cannot be used"):
            made.llm.complete("hi", response_format=form)
    assert made.gateway.calls == []
    with pytest.raises(InputError):
        problems(1, schema)


def test_values_nested_too_deeply_are_told() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    assert problems(value, {"items": {"$ref": "#"}}) == [f"the answer: is nested deeper than {DEPTH}"]
    assert without_nulls(value, {"items": {"$ref": "#"}}) is value


def nested(depth: int, last: Any) -> tuple[Any, Any]:
    """A value of alternatives in alternatives, of which the last fits, and its schema."""
    alternatives = [
        {
            "type": "object",
            "properties": {
                "child": {"$ref": "#/$defs/node"},
                "kind": {"const": f"k{number}"},
                "note": {"type": "string"},
            },
            "required": ["kind"],
        }
        for number in range(5)
    ]
    value = last
    for _ in range(depth):
        value = {"child": value, "kind": "k4", "note": None}
    return value, {"$defs": {"node": {"oneOf": alternatives}}, "$ref": "#/$defs/node"}


def test_alternatives_in_alternatives_take_time_in_proportion() -> None:
    fitting = {"kind": "k4"}
    cleaned = without_nulls(*nested(40, fitting))
    assert json.dumps(cleaned).count("note") == 0
    assert problems(cleaned, nested(40, fitting)[1]) == []
    problem, *_ = problems(without_nulls(*nested(40, {"kind": "k4", "note": 1})), nested(1, 1)[1])
    assert problem == ".".join(["child"] * 40) + '.note: 1 is not of type "string"'
    times = []
    for depth in (10, 20, 40):
        value, schema = nested(depth, {"kind": "k9"})
        started = perf_counter()
        assert problems(without_nulls(value, schema), schema)
        times.append(perf_counter() - started)
    # Far from 5 ** 10, whatever the machine does meanwhile.
    assert times[-1] < 100 * times[0] + 0.5


def test_many_wrong_items_are_told_one_by_one() -> None:
    found = problems([{"kind": 1}] * 2000, {"items": {"anyOf": [{"type": "null"}, {"required": ["a"]}]}})
    assert len(found) == 2000
    assert found[-1] == '1999: "a" is a required property'


def deep(depth: int, wrap: Callable[[Any], Any], inner: Any) -> Any:
    for _ in range(depth):
        inner = wrap(inner)
    return inner


WRAPS: dict[str, Callable[[Any], Any]] = {
    "properties": lambda inner: {"type": "object", "properties": {"a": inner}},
    "items": lambda inner: {"type": "array", "items": inner},
    "anyOf": lambda inner: {"anyOf": [inner, {"type": "null"}]},
    "allOf": lambda inner: {"allOf": [inner]},
    "not": lambda inner: {"not": inner},
    "const": lambda inner: {"const": inner},
}


@pytest.mark.parametrize("depth", [100, 250, 600, 5_000, 100_000])
@pytest.mark.parametrize("wrap", WRAPS)
def test_c8_schemas_nested_too_deep_are_refused_as_such_at_every_door(wrap: str, depth: int) -> None:
    schema = {"type": "object", "properties": {"a": deep(depth, WRAPS[wrap], {"type": "string"})}}
    doors: list[Callable[[], Any]] = [
        lambda: problems({"a": None}, schema),
        lambda: without_nulls({"a": None}, schema),
        lambda: tries({"a": None}, schema),
        lambda: to_format(schema).compile(),
        lambda: to_format({"type": "json_schema", "json_schema": {"schema": schema}}).compile(),
        lambda: tool_schema(schema, "t"),
    ]
    said = []
    for door in doors:
        try:
            door()
        except InputError as error:
            said.append(str(error))
    assert all("cannot be used" in text or "too deep" in text for text in said)
    assert bool(said) is (depth > 250) or depth == 250


@pytest.mark.parametrize(
    "schema",
    [
        {"type": object},
        {"properties": [1]},
        {"anyOf": 5, "type": "object"},
        {"type": "object", "required": 7, "properties": 9},
        {"$ref": {"$ref": "#"}, "items": "x"},
        {"enum": 3, "$defs": [], "type": "object"},
        {"$id": "::::", "type": "object"},
        {"$schema": {"$ref": "#"}, "contains": {"pattern": "(?<x>a)"}, "minContains": 1},
        {"$defs": {"": {"required": ["x", ["y"]]}}, "allOf": -1},
        {"type": "object", "properties": {"a": {"multipleOf": 10**400, "maxLength": 10**400, "maximum": -(10**400)}}},
        {"type": "object", "properties": {"a": {"pattern": "(" * 10_000}, "b": {"pattern": "(a{9}{9}{9}{9}){9999}"}}},
    ],
    ids=str,
)
def test_c8_odd_schemas_are_used_as_far_as_they_go_or_refused_and_raise_nothing_else(schema: dict[str, Any]) -> None:
    for value in ({"a": 10**400, "b": None}, {"a": 1e308}, 10**4000, float("inf"), [["a"]], None):
        for door in (problems, without_nulls, tries):
            with suppress(InputError):
                door(value, schema)
    for form in (schema, {"type": "json_schema", "json_schema": {"schema": schema}}):
        with suppress(InputError):
            to_format(form).compile()
    with suppress(InputError):
        tool_schema(schema, "t")


def test_c8_a_dialect_of_somebodys_own_is_checked_as_the_latest_draft_in_every_part() -> None:
    schema = {"$schema": "https://schemas.example/mine", "properties": {"a": {"type": "string"}}}
    assert problems({"a": None}, schema) == ['a: null is not of type "string"']
    assert without_nulls({"a": None, "b": None}, schema) == {"b": None}


SUITE = os.environ.get("HB_JSON_SCHEMA_SUITE", "")


@pytest.mark.skipif(
    not SUITE,
    reason="set HB_JSON_SCHEMA_SUITE to a checkout of https://github.com/json-schema-org/JSON-Schema-Test-Suite",
)
def test_c8_the_official_suite_of_draft_2020_12_is_answered_without_a_mistake() -> None:
    remotes, wrong, count = Path(SUITE, "remotes"), [], 0
    documents = {
        f"http://localhost:1234/{file.relative_to(remotes).as_posix()}": json.loads(file.read_text("utf-8"))
        for file in sorted(remotes.rglob("*.json"))
        if "draft2020-12" in file.parts or file.parent == remotes
    }
    for file in sorted(Path(SUITE, "tests", "draft2020-12").glob("*.json")):
        for group in json.loads(file.read_text("utf-8")):
            checker = Checker(group["schema"], documents)
            for case in group["tests"]:
                count += 1
                found = checker.problems(case["data"])
                if bool(found) is case["valid"]:
                    wrong.append((file.name, group["description"], case["description"], found))
    assert count >= 1299
    assert wrong == []
