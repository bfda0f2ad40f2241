"""What providers forbid of parameters, and what callers add past them."""

from __future__ import annotations

from typing import Any

import pytest

from heavenbase.call import Call, CallContext
from heavenbase.errors import InputError, InputTypeError
from heavenbase.http.rules import apply_rules, extras, keep_ruled, merge_extra
from heavenbase.kernel import Kernel
from heavenbase.secrets import Secret
from heavenbase.spec import LLMSpec, Timeouts
from heavenbase.types import ParameterReport

NAMES: dict[str, Any] = {
    "preset": None,
    "model": "m",
    "model_id": "m",
    "provider": "p",
    "gateway": "g",
    "requested_gateway": "g",
}


def ruled(fields: dict[str, Any], *rules: dict[str, Any], **options: Any) -> dict[str, tuple[str, str | None]]:
    report = ParameterReport()
    spec = LLMSpec(**NAMES, provider_record={"parameters": list(rules)})
    apply_rules(spec, fields, report, **options)
    return {name: (entry.outcome, entry.reason or entry.wire) for name, entry in report.entries.items()}


def test_one_bound_alone_clamps() -> None:
    fields: dict[str, Any] = {"least": 0.0, "most": 3, "both": -1, "word": "wild", "flag": True, "fine": 0.5}
    clamp = {
        "least": {"min": 0.1},
        "most": {"max": 1},
        "both": {"min": 0, "max": 2},
        "word": {"map": {"wild": "calm"}},
        "flag": {"max": 0},
        "fine": {"min": 0, "max": 1},
    }
    told = ruled(fields, {"clamp": clamp})
    assert fields == {"least": 0.1, "most": 1, "both": 0, "word": "calm", "flag": True, "fine": 0.5}
    assert {name: outcome for name, (outcome, _) in told.items()} == dict.fromkeys(
        ("least", "most", "both", "word"), "clamped"
    )


def test_rules_drop_and_rename_in_their_order_and_a_name_that_is_taken_wins() -> None:
    fields: dict[str, Any] = {"a": 1, "b": 2, "c": 3, "d": 4}
    told = ruled(fields, {"rename": {"a": "e", "b": "c"}}, {"drop": {"e": "no e", "d": "no d"}})
    assert fields == {"c": 3}
    assert told["b"] == ("dropped", "c is given too")
    assert told["d"] == ("dropped", "no d")
    assert told["a"] == ("renamed", "e")


def test_the_report_tells_of_the_arguments_that_stand_in_a_field() -> None:
    fields: dict[str, Any] = {"config": 1, "made": 2}
    told = ruled(
        fields,
        {"drop": {"config": "no config", "made": "no such"}},
        names={"config": ["x", "y"], "made": []}.__getitem__,
    )
    assert fields == {}
    assert told == {"x": ("dropped", "no config"), "y": ("dropped", "no config")}


def test_what_the_rules_did_is_told_unless_the_wire_lost_more() -> None:
    before, report = ParameterReport(), ParameterReport()
    before.clamped("a", "by rule")
    before.renamed("b", "c")
    report.sent("a")
    report.dropped("b", "the wire has none")
    keep_ruled(before.entries, report)
    assert report.entries["a"].reason == "by rule"
    assert report.entries["b"].outcome == "dropped"


def make_call(**args: Any) -> Call:
    spec = LLMSpec(**NAMES)
    return Call("complete", spec, CallContext(lambda: 0.0, Timeouts(), 0.0, 0.0, None), args=args)


def test_headers_and_query_are_texts_and_values_and_reported() -> None:
    call = make_call(extra_headers={"x-n": 1}, extra_query={"q": ["a", "b"]})
    assert extras(call) == ({"x-n": "1"}, {"q": ["a", "b"]})
    assert {name: entry.outcome for name, entry in call.context.report.entries.items()} == {
        "extra_headers": "sent",
        "extra_query": "sent",
    }


def test_an_object_of_the_extra_body_adds_to_the_one_in_the_body() -> None:
    body: dict[str, Any] = {"options": {"a": 1}, "stop": ["x"]}
    report = ParameterReport()
    merge_extra(body, {"extra_body": {"options": {"b": 2}, "stop": None, "new": 1}}, report)
    assert body == {"options": {"a": 1, "b": 2}, "stop": None, "new": 1}
    assert report.entries["extra_body"].outcome == "sent"


@pytest.mark.parametrize("name", ["extra_headers", "extra_query"])
def test_what_is_no_mapping_is_refused_by_name(name: str) -> None:
    with pytest.raises(InputTypeError, match=f"{name} must be a mapping, not list"):
        extras(make_call(**{name: []}))


def added(**options: Any) -> dict[str, str]:
    return extras(make_call(**options))[0]


@pytest.mark.parametrize("option", ["extra_headers", "default_headers"])
def test_a3_a_header_is_sent_as_it_was_given(option: str) -> None:
    given = {"x-key": Secret("sk-000"), "x-count": 5, "x-text": "a\tb", "x-none": ""}
    assert added(**{option: given}) == {"x-key": "sk-000", "x-count": "5", "x-text": "a\tb", "x-none": ""}
    assert "sk-000" not in repr(added(**{option: given}))


@pytest.mark.parametrize("value", [b"raw", None, ["a"], {"a": "b"}])
def test_a3_what_is_no_text_is_no_header(value: Any) -> None:
    with pytest.raises(InputTypeError, match="'x-a' must be text"):
        added(extra_headers={"x-a": value})


NAMED = [("x a", "b"), ("", "b"), ("x-ü", "b"), ("x:a", "b"), ("x-a\n", "b")]
VALUED = [("x-a", f"b{bad}") for bad in "\n\r\0\x7fé日 "]


@pytest.mark.parametrize(("name", "value"), [*NAMED, *VALUED])
def test_a3_what_http_does_not_carry_is_refused_from_every_door(name: str, value: str) -> None:
    with pytest.raises(InputError) as refused:
        added(extra_headers={name: value})
    with pytest.raises(InputError):
        Kernel({}).resolve(model="mock/m", headers={name: value})
    with pytest.raises(InputError):
        Kernel({"heavenbase": {"llm": {"providers": {"mock": {"headers": {name: value}}}}}}).resolve(model="mock/m")
    assert value == "b" or value not in str(refused.value)


def test_a3_a_query_is_sent_as_it_was_given() -> None:
    given = {"key": Secret("sk-000"), "on": True, "off": False, "n": 5, "many": ("a", 1, True), "none": ""}
    _, query = extras(make_call(extra_query=given))
    assert query == {"key": "sk-000", "on": "true", "off": "false", "n": 5, "many": ["a", 1, "true"], "none": ""}
    assert "sk-000" not in repr(query)


@pytest.mark.parametrize("value", [None, b"raw", {"a": 1}, [None], {1}])
def test_a3_what_no_query_can_say_is_refused(value: Any) -> None:
    with pytest.raises(InputTypeError, match="'k' in extra_query must be text"):
        extras(make_call(extra_query={"k": value}))
