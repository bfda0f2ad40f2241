"""Schemas of tools' arguments, as every wire takes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from heavenbase.errors import InputError, ToolArgsError
from heavenbase.schemas.arguments import fitting, tool_schema
from heavenbase.schemas.lenient import CUT, read_object
from heavenbase.tools.options import prepare_tools
from heavenbase.types import ParameterReport

TEXT = {"type": "string"}
EMPTY = {"type": "object", "properties": {}}
A, B = {"a": TEXT}, {"b": TEXT}


def one(**fields: Any) -> dict[str, Any]:
    return {"type": "object", **fields}


KIND_X = one(properties={"kind": {"const": "x"}, **A}, required=["kind", "a"])
KIND_Y = one(properties={"kind": {"const": "y"}}, required=["kind"])


@pytest.mark.parametrize(
    ("given", "wanted", "says"),
    [
        ({}, EMPTY, ""),
        ({"type": "object"}, EMPTY, ""),
        ({"type": "object", "properties": None, "required": None}, EMPTY, ""),
        ({"type": ["object", "null"], "properties": A}, one(properties=A), ""),
        ({"properties": A, "required": ["a"]}, one(properties=A, required=["a"]), ""),
        (
            one(properties={**A, **B}, anyOf=[{"required": ["a"]}, {"required": ["b"]}]),
            one(properties={**A, **B}),
            'arguments must fit: {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}',
        ),
        (
            {"oneOf": [KIND_X, KIND_Y]},
            one(properties={"kind": {"anyOf": [{"const": "x"}, {"const": "y"}]}, **A}, required=["kind"]),
            f"arguments must fit: {json.dumps({'oneOf': [KIND_X, KIND_Y]})}",
        ),
        (
            {"allOf": [{"$ref": "#/$defs/P"}, one(properties=B, required=["b"])], "$defs": {"P": one(properties=A)}},
            one(properties={**A, **B}, required=["b"], **{"$defs": {"P": one(properties=A)}}),
            "",
        ),
        (
            {"$ref": "#/$defs/P", "$defs": {"P": one(properties=A, required=["a"])}},
            one(properties=A, required=["a"], **{"$defs": {"P": one(properties=A, required=["a"])}}),
            "",
        ),
        (one(properties=A, enum=[{"a": "x"}]), one(properties=A), 'arguments must fit: {"enum": [{"a": "x"}]}'),
        (
            one(properties=A, **{"not": {"required": ["a"]}}),
            one(properties=A),
            'arguments must fit: {"not": {"required": ["a"]}}',
        ),
        (
            one(properties={"x": {"type": "array"}, "y": True, "z": {"type": "array", "items": True}}),
            one(properties={"x": {"type": "array", "items": {}}, "y": {}, "z": {"type": "array", "items": {}}}),
            "",
        ),
    ],
)
def test_c4_a_root_is_an_object_that_names_its_fields(given: dict[str, Any], wanted: dict[str, Any], says: str) -> None:
    assert tool_schema(given, "w") == (wanted, says)
    assert tool_schema(wanted, "w") == (wanted, "")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"type": "string"}, "a schema of string; the arguments of a tool are an object"),
        ({"$ref": "#/$defs/None"}, "refer to '#/.defs/None'"),
        ({"$ref": "https://example.com/schema.json"}, "refer to 'https"),
        ({"$ref": "#"}, "refer to '#'"),
        ({"$ref": "#/$defs/N", "$defs": {"N": {"anyOf": [{"$ref": "#/$defs/N"}]}}}, "nested too deep"),
    ],
)
def test_c4_what_no_wire_can_take_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=f"tool 'w'.*{says}"):
        tool_schema(given, "w")


def prepared(parameters: Any, run: Any = None, **more: Any) -> tuple[Any, Any, ParameterReport]:
    """The function on the wire, the tool that runs, and the report."""
    args = {"tools": [{"type": "function", "run": run, "function": {"name": "w", "parameters": parameters, **more}}]}
    report = ParameterReport()
    runners = prepare_tools("complete", args, {}, report, is_async_call=False)
    return args["tools"][0]["function"], runners.get("w"), report  # type: ignore[attr-defined]


def test_c4_what_is_changed_is_reported_and_arguments_are_checked_against_the_schema_as_given() -> None:
    given = one(properties={**A, **B}, anyOf=[{"required": ["a"]}, {"required": ["b"]}])
    wire, runner, report = prepared(given, run=lambda **_: "r", description="Does it")
    assert wire["description"] == 'Does it (arguments must fit: {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]})'
    assert report.entries["tools.parameters"].outcome == "emulated"
    assert runner.bind({"a": "x"}) == ([], {"a": "x"})
    with pytest.raises(ToolArgsError, match='arguments: "a" is a required property'):
        runner.bind({})
    wire, _, report = prepared(one(properties=A))
    assert wire["parameters"] == one(properties=A)
    assert report.entries == {}


def test_c4_strict_tools_are_closed_and_nulls_for_what_is_left_out_are_taken_out_again() -> None:
    wire, runner, _ = prepared(one(properties={**A, **B}, required=["a"]), run=lambda **_: "r", strict=True)
    assert wire["parameters"]["required"] == ["a", "b"]
    assert wire["parameters"]["additionalProperties"] is False
    assert runner.bind({"a": "x", "b": None}) == ([], {"a": "x"})
    wire, _, report = prepared(one(properties={"x": {"type": "object"}}), strict=True)
    assert "strict" not in wire
    assert report.entries["strict"].outcome == "dropped"


def test_c4_a_schema_that_cannot_be_used_checks_nothing() -> None:
    assert fitting({"a": 1}, {"properties": {"a": {"$ref": "https://example.com/x"}}}) == {"a": 1}


@pytest.mark.parametrize(
    "text",
    [
        '{"path": "/tmp/x", "n": 1200, "deep": {"a": [1, 2, {"b": "c"}], "t": true}, "z": null}',
        "{'path': '/tmp/x', 'n': 1200, 'deep': {'a': [1, 2]}, 'z': None}",
        '```json\n{"path": "/tmp/x", "n": 1200}\n```',
        '{path: "/tmp/x", n: 1200}',
        r'{"path": "say \"hi\" {now}", "n": 1.5e10}',
    ],
)
def test_h8_every_beginning_of_arguments_is_known_to_be_cut_off(text: str) -> None:
    whole = read_object(text)
    assert whole is not None
    for end in range(1, len(text)):
        found = read_object(text[:end])
        assert found is None or CUT in found[1] or found[0] == whole[0], text[:end]
