"""Values: dotted keys, typed text, references."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavenbase.config import Config, interpolate, join_key, split_key
from heavenbase.config.check import coerce
from heavenbase.config.values import format_value, from_toml, parse_value, to_toml
from heavenbase.errors import ConfigError, MissingCredential

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**300), 10**300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
PLAIN = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
NAMES = st.text(st.characters(exclude_characters="\"'", exclude_categories=["Cs"]), min_size=1, max_size=8)


@given(PLAIN)
def test_typed_text_reads_back_what_was_written(value: object) -> None:
    found = parse_value(format_value(value))
    assert found == value
    assert type(found) is type(value)


@given(st.text())
def test_text_that_is_no_typed_value_stays_as_it_is(text: str) -> None:
    found = parse_value(text)
    if isinstance(found, str) and not text.strip().startswith('"'):
        assert found == text


@given(st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False))
def test_a_variable_carries_any_value_into_a_free_argument(value: object) -> None:
    environ = {"HEAVENBASE_HOME": "/nonexistent", "HEAVENBASE_LLM__DEFAULT_ARGS__EXTRA": format_value(value)}
    config = Config.load(environ=environ, project_dir="/nonexistent")
    assert config.get("heavenbase.llm.default_args.extra") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("null", None),
        ("NULL", None),
        ("3", 3),
        ("-3", -3),
        ("0.5", 0.5),
        ("1e3", 1000.0),
        ("007", "007"),
        ("+5", "+5"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1e999", "1e999"),
        ("[NaN]", "[NaN]"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("٣", "٣"),
        ("", ""),
        ("off", "off"),
        ('{"a": [1]}', {"a": [1]}),
        ("{not json", "{not json"),
        ("[" * 100_000, "[" * 100_000),
        ('"3"', "3"),
        (" 3 ", 3),
    ],
)
def test_typed_text(text: str, value: object) -> None:
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("5.6", "heavenbase.llm.presets.p.model", "5.6"),
        ("true", "heavenbase.llm.presets.p.model", "true"),
        ("yes", "heavenbase.llm.cache.enabled", True),
        ("0", "heavenbase.llm.cache.enabled", False),
        ("maybe", "heavenbase.llm.cache.enabled", "maybe"),
        ("86400", "heavenbase.llm.cache.namespaces.text.ttl_seconds", 86400),
        ("null", "heavenbase.llm.cache.namespaces.text.ttl_seconds", None),
        ("12345678", "heavenbase.llm.providers.p.api_key", "12345678"),
        ("null", "heavenbase.llm.providers.p.api_key", None),
        ("1", "heavenbase.llm.default_args.top_k", 1),
        ("1", "no.such.key", 1),
    ],
)
def test_text_for_a_key_gets_the_type_that_the_key_wants(text: str, key: str, value: object) -> None:
    found = coerce(text, split_key(key))
    assert found == value
    assert type(found) is type(value)


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_dotted_keys_read_back_their_names(names: list[str]) -> None:
    assert split_key(join_key(names)) == tuple(names)


@pytest.mark.parametrize("key", [".", "a.", ".a", "a..b", 'a."b', 'a."b"c', "a b"])
def test_a_malformed_key_is_an_error(key: str) -> None:
    with pytest.raises(ConfigError, match="not a dotted key"):
        split_key(key)


@given(PLAIN.filter(lambda value: "${null}" not in repr(value)))
def test_null_survives_the_way_through_toml(value: object) -> None:
    assert from_toml(to_toml(value)) == value


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("plain $5 {x} $HOME", "plain $5 {x} $HOME"),
        ("${env:A}", "1"),
        ("${env:A,x}", "1"),
        ("${env:NO,x}", "x"),
        ("${env:NO,}", ""),
        ("${env:NO,a,b}", "a,b"),
        ("${env:EMPTY,x}", "x"),
        ("${env:A}-${env:B}", "1-2"),
        ("$${env:A}", "${env:A}"),
        ("a$${b", "a${b"),
        ("${env:TRICK}", "${env:A}"),
    ],
)
def test_references_are_replaced(value: str, result: str) -> None:
    environ = {"A": "1", "B": "2", "EMPTY": "", "TRICK": "${env:A}"}
    assert interpolate(value, "some.key", environ) == result


@pytest.mark.parametrize("value", ["${env:NO}", "${env:EMPTY}", "Bearer ${env:NO}", "${env:A}${env:NO}"])
def test_an_unset_or_empty_variable_without_default_is_a_missing_credential(value: str) -> None:
    with pytest.raises(MissingCredential, match=r"variable (NO|EMPTY) is (not set|empty) and some\.key needs it"):
        interpolate(value, "some.key", {"A": "1", "EMPTY": ""})


@pytest.mark.parametrize(
    "value",
    [
        "${VAR}",
        "${}",
        "${env:}",
        "${env:A B}",
        "${file:x}",
        "${env:A",
        "${env:A,${env:B}}",
        "x${null}",
        "${null}${null}",
    ],
)
def test_anything_else_in_a_reference_is_an_error_and_never_a_value(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^some\.key: "):
        interpolate(value, "some.key", {"A": "1", "B": "2"})
    with pytest.raises(ConfigError, match="api_key"):
        Config.from_dict({"heavenbase.llm.providers.p.api_key": value})


@given(st.text())
def test_no_text_makes_interpolation_fail_in_another_way(text: str) -> None:
    try:
        found = interpolate(text, "some.key", {})
    except ConfigError:
        return
    assert "${env:" not in found or "$${" in text
