"""Which patterns reach the engine, and how they are spelt for it."""

from __future__ import annotations

import pytest

from hb_provider_local.schema import fit_pattern, fit_response_format, fit_schema
from heavenbase.errors import InputError


@pytest.mark.parametrize(
    ("pattern", "fitted"),
    [
        (r"^\d{3}$", "^[0-9]{3}$"),
        (r"^\w+@\w+\.com$", r"^[A-Za-z0-9_]+@[A-Za-z0-9_]+\.com$"),
        ("^[a-z]+$", "^[a-z]+$"),
        (r"^[\d.]+$", "^[0-9.]+$"),
        (r"^[\w\-]*$", r"^[A-Za-z0-9_\-]*$"),
        ("^(?:ab|c)+?$", "^(ab|c)+$"),
        ("^(red|blue)$", "^(red|blue)$"),
        ("^[A-Z]{2}-[0-9]{1,4}$", "^[A-Z]{2}-[0-9]{1,4}$"),
        (r"^\+\(x\)$", r"^\+\(x\)$"),
    ],
)
def test_patterns_that_the_engine_keeps(pattern: str, fitted: str) -> None:
    assert fit_pattern(pattern) == fitted


@pytest.mark.parametrize(
    "pattern",
    [
        "abc",  # not anchored
        "^a|b$",  # nor is this
        "^.*$",  # may be a quote, which would break the JSON
        "^[^a]+$",
        "^[ -~]+$",
        '^"$',
        "^[\\\\]$",
        r"^a\nb$",
        "^(?=x)y$",
        "^(?<name>a)$",
        r"^\bword$",
        r"^(a)\1$",
        "^x^y$",
        "^a**$",
        "^(a$",
        "^é$",
        "^a\\$",
    ],
)
def test_patterns_that_would_break_the_answer_or_be_dropped_with_noise_are_left_out(pattern: str) -> None:
    assert fit_pattern(pattern) is None


def test_what_was_left_out_is_named_and_the_rest_stays() -> None:
    schema = {
        "type": "object",
        "properties": {
            "pattern": {"type": "string", "pattern": r"^\d$"},
            "code": {"type": "string", "pattern": "abc", "minLength": 2},
            "list": {"type": "array", "items": {"anyOf": [{"type": "string", "pattern": ".*"}, {"type": "null"}]}},
        },
        "required": ["pattern"],
        "$defs": {"X": {"type": "string", "enum": ["pattern", "^"], "default": {"pattern": "x"}}},
    }
    fitted, lost = fit_schema(schema)
    assert lost == ["#/properties/code/pattern", "#/properties/list/items/anyOf/0/pattern"]
    assert fitted["properties"]["pattern"] == {"type": "string", "pattern": "^[0-9]$"}
    assert fitted["properties"]["code"] == {"type": "string", "minLength": 2}
    assert fitted["$defs"] == schema["$defs"]
    assert schema["properties"]["code"]["pattern"] == "abc"  # type: ignore[index]


def test_response_formats_without_a_schema_pass() -> None:
    assert fit_response_format({"type": "json_object"}) == ({"type": "json_object"}, [])
    assert fit_response_format({"type": "text"}) == ({"type": "text"}, [])


@pytest.mark.parametrize(
    "wrong",
    [
        "json",
        {},
        {"type": "xml"},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": {"name": "x"}},
        {"type": "json_schema", "json_schema": {"schema": True}},
    ],
)
def test_malformed_response_formats_are_refused(wrong: object) -> None:
    with pytest.raises(InputError):
        fit_response_format(wrong)
