"""Malformed arguments of tool calls: what is mended, how it is told, and what is left alone."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heavenbase import LLM, LLMToolCallRepair
from heavenbase.errors import InputTypeError, ToolArgsError, UnknownNameError
from heavenbase.functions import set_default_kernel
from heavenbase.types import Completion, ToolCall

from ..support import both_colours, calling, make_kernel, scripted

SCHEMA = {
    "name": "book",
    "parameters": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "nights": {"type": "integer", "default": 1},
            "kind": {"const": "room"},
            "view": {"enum": ["sea"]},
            "note": {"type": ["string", "null"]},
            "beds": {"type": "array", "items": {"type": "string"}},
            "extras": {"type": "object"},
            "breakfast": {"type": "boolean"},
            "price": {"type": "number"},
        },
        "required": ["city", "nights", "kind", "view", "note", "beds", "extras", "breakfast", "price"],
    },
}


def repaired(text: str, tools: Any = None, **settings: Any) -> ToolCall:
    (call,) = LLMToolCallRepair(settings).repair([ToolCall("id", "book", text)], tools)
    assert isinstance(call, ToolCall)
    return call


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('```\n{"a": 1}', {"a": 1}),
        ('{"a": [1, 2', {"a": [1, 2]}),
        ('{"a": {"b": "c"', {"a": {"b": "c"}}),
        ('{"a": "b', {"a": "b"}),
        ('{"a": 1}}', {"a": 1}),
        ('{"a": "line\nbreak"}', {"a": "line\nbreak"}),
        ('{"a": 1,}', {"a": 1}),
        ('{"a": [1, 2,],}', {"a": [1, 2]}),
        ("{'a': 'b'}", {"a": "b"}),
        ("{'a': True, 'b': None, 'c': (1, 2)}", {"a": True, "b": None, "c": [1, 2]}),
        ("{a: 1, b: 'x'}", {"a": 1, "b": "x"}),
        ('{"a": True, "b": None}', {"a": True, "b": None}),
        ('Here you are: {"a": 1}. Anything else?', {"a": 1}),
        ('Sure!\n```json\n{"a": 1}\n```\nThat calls it.', {"a": 1}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ('{"a": 1 "b": 2}', {"a": 1, "b": 2}),
        ("", {}),
        ("  \n", {}),
        ('\ufeff{"a": 1}', {"a": 1}),
        ('{"a": "it\'s, {fine}"', {"a": "it's, {fine}"}),
    ],
)
def test_hb25_malformed_arguments_become_compact_json(text: str, wanted: Any) -> None:
    call = repaired(text)
    assert call.arguments == json.dumps(wanted, ensure_ascii=False, separators=(",", ":"))
    assert call.repaired
    assert call.original == text
    assert call.changes


def test_hb25_required_fields_that_are_missing_are_filled_and_listed() -> None:
    call = repaired('{"city": "Köln"}', [SCHEMA])
    assert json.loads(call.arguments) == {
        "city": "Köln",
        "nights": 1,
        "kind": "room",
        "view": "sea",
        "note": None,
        "beds": [],
        "extras": {},
        "breakfast": False,
        "price": 0,
    }
    assert "Köln" in call.arguments
    assert call.changes[0] == "filled the missing field 'nights' with 1 (its default)"
    assert len(call.changes) == 8
    assert call.original == '{"city": "Köln"}'


def test_hb25_no_arguments_at_all_are_filled_too() -> None:
    assert json.loads(repaired("", [SCHEMA]).arguments)["city"] == ""


def test_a_field_whose_choice_is_open_is_not_made_up() -> None:
    schema = {"name": "book", "parameters": {"properties": {"size": {"enum": ["s", "m"]}}, "required": ["size"]}}
    assert repaired("{}", [schema]).arguments == "{}"
    schema["parameters"]["properties"]["size"]["enum"].append(None)  # type: ignore[index]
    assert repaired("{}", [schema]).arguments == '{"size":null}'


def test_hb25_valid_arguments_are_only_made_compact_and_are_not_repaired() -> None:
    call = repaired('{"a": 1, "b": [1, 2]}')
    assert (call.arguments, call.repaired, call.changes) == ('{"a":1,"b":[1,2]}', False, ())


UNREADABLE = [
    '"text"',
    "[1]",
    "42",
    "no braces here",
    '{"a": NaN}',
    '{"a": 1} {"a": 2}',
    '{"a": Infinity}',
    "{" * 5_000,
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_hb25_what_cannot_be_read_stays_as_it_is_and_is_an_error_in_strict_mode(text: str) -> None:
    call = repaired(text)
    assert (call.arguments, call.repaired, call.changes) == (text, False, ())
    with pytest.raises(ValueError, match="arguments of tool call 'book' cannot be read") as caught:
        repaired(text, strict=True)
    assert isinstance(caught.value, ToolArgsError)


def test_calls_of_the_wire_are_repaired_as_they_are() -> None:
    call = {"id": "x", "type": "function", "function": {"name": "book", "arguments": "{'a': 1,}"}}
    (found,) = LLMToolCallRepair().repair([call])
    assert found == {"id": "x", "type": "function", "function": {"name": "book", "arguments": '{"a":1}'}}
    assert call["function"]["arguments"] == "{'a': 1,}"  # type: ignore[index]
    (filled,) = LLMToolCallRepair().repair(call, tools=SCHEMA)
    assert json.loads(filled["function"]["arguments"])["view"] == "sea"


def test_repair_that_is_switched_off_changes_nothing() -> None:
    call = ToolCall("id", "book", "{'a': 1}")
    assert LLMToolCallRepair({"enabled": False}).repair([call]) == [call]
    assert LLMToolCallRepair().repair([call], option=False) == [call]
    assert LLMToolCallRepair({"enabled": False}).repair([call], option=True)[0].arguments == '{"a":1}'


json_objects = st.dictionaries(
    st.text("abc xyz", min_size=1, max_size=5),
    st.one_of(
        st.integers(),
        st.booleans(),
        st.none(),
        st.text("abcü ,:{}[]\"'\\\n", max_size=8),
        st.lists(st.integers(), max_size=3),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=200)
@given(json_objects, st.data())
def test_a_damaged_object_is_read_as_what_it_was_and_a_cut_one_as_less_but_never_as_more(
    value: Any, data: st.DataObject
) -> None:
    text = json.dumps(value, ensure_ascii=False)
    damage = data.draw(st.sampled_from(["fence", "prose", "cut", "comma", "extra", "python", "twice"]))
    if damage == "cut":
        cut = text[: data.draw(st.integers(1, len(text) - 1))]
        call = repaired(cut)
        if call.repaired:
            found = json.loads(call.arguments)
            assert set("".join(map(str, found))) <= set(cut)
            assert len(found) <= len(value)
        return
    damaged = {
        "fence": f"```json\n{text}\n```",
        "prose": f"I call it with {text} now.",
        "comma": f"{text[:-1]},}}",
        "extra": f"{text}}}",
        "python": repr(value),
        "twice": json.dumps(text),
    }[damage]
    call = repaired(damaged)
    if call.arguments == damaged:
        assert damage == "extra"  # a brace too many behind braces in strings: left alone
    else:
        assert json.loads(call.arguments) == value


def test_the_time_of_repair_does_not_explode() -> None:
    started = time.perf_counter()
    for text in ("{" * 100_000, '{"a": "' + "x" * 1_000_000, '{"a":' * 2_000, "[" * 50_000 + "{", "'" * 100_000):
        repaired(text)
    assert time.perf_counter() - started < 10


# Settings


def test_hb26_repair_is_off_by_default_and_one_call_can_ask_for_it() -> None:
    for place in range(2):
        made = scripted(calling(("book", "{'city': 'Köln',}")))
        ask = both_colours(made.llm, "complete")[place]
        (call,) = ask("go", tools=[SCHEMA]).tool_calls
        assert (call.arguments, call.repaired) == ("{'city': 'Köln',}", False)
        (call,) = ask("go", tools=[SCHEMA], repair_tool_calls=True).tool_calls
        assert call.parse()["city"] == "Köln"
        assert call.original == "{'city': 'Köln',}"
        (made_of_stream,) = both_colours(made.llm, "stream")[place](
            "go", "completion", tools=[SCHEMA], repair_tool_calls=True
        )
        assert made_of_stream.tool_calls == [call]


def test_hb26_the_instance_and_the_configuration_make_it_the_default() -> None:
    kernel = make_kernel(calling(("book", "{'city': 'x',}")))
    llm = LLM(kernel=kernel, tool_call_repair={"enabled": True})
    assert llm.spec.args["repair_tool_calls"] is True
    assert llm.complete("go", tools=[SCHEMA]).tool_calls[0].repaired
    assert not llm.complete("go", tools=[SCHEMA], repair_tool_calls=False).tool_calls[0].repaired
    assert not llm.complete("go", tools=[SCHEMA], tool_call_repair={"enabled": False}).tool_calls[0].repaired
    kernel = make_kernel(
        calling(("book", "{'city': 'x',}")), config={"heavenbase.llm.tool_call_repair": {"enabled": True}}
    )
    assert LLM(kernel=kernel).complete("go", tools=[SCHEMA]).tool_calls[0].repaired
    off = LLM(kernel=kernel, tool_call_repair={"enabled": False})
    assert not off.complete("go", tools=[SCHEMA]).tool_calls[0].repaired


def test_strict_repair_of_a_call_raises_with_the_answer_kept() -> None:
    for place in range(2):
        made = scripted(calling(("book", "no braces"), text="let me"))
        strict = {"enabled": True, "strict": True}
        for verb in ("complete", "stream"):
            with pytest.raises(ValueError, match="cannot be read") as caught:
                both_colours(made.llm, verb)[place]("go", tools=[SCHEMA], tool_call_repair=strict)
            assert isinstance(caught.value, ToolArgsError)
            assert isinstance(caught.value.partial, Completion)
            assert caught.value.partial.text == "let me"


def test_hb25_what_is_repaired_is_what_the_tool_gets_and_what_the_model_reads_back() -> None:
    seen: list[Any] = []
    made = scripted(calling(("book", "```json\n{'city': 'Köln'}\n```")), "done")

    def book(city: str, nights: int) -> None:
        seen.append((city, nights))

    answer = made.llm.complete("go", tools=[book], repair_tool_calls=True)
    assert seen == [("Köln", 0)]
    assert answer.messages[1]["tool_calls"][0]["function"]["arguments"] == '{"city":"Köln","nights":0}'
    assert answer.tool_calls[0].changes[0] == "took away the Markdown fence"


def test_the_settings_travel_as_data() -> None:
    made = LLMToolCallRepair.from_dict({"enabled": True, "strict": True})
    assert made.to_dict() == {"enabled": True, "strict": True}
    assert made.enabled()
    assert not made.enabled(False)
    assert not LLMToolCallRepair().enabled()
    assert LLMToolCallRepair().enabled({"enabled": True})
    with pytest.raises(UnknownNameError, match="did you mean 'strict'"):
        LLMToolCallRepair({"strikt": True})
    with pytest.raises(InputTypeError, match="must be True or False"):
        LLMToolCallRepair({"strict": "yes"})
    with pytest.raises(InputTypeError, match="tool_call_repair must be"):
        scripted("x").llm.chat("hi", tool_call_repair=7)


def test_the_current_settings_are_those_of_the_configuration(no_default_kernel: None) -> None:
    set_default_kernel(make_kernel(config={"heavenbase.llm.tool_call_repair": {"strict": True}}))
    LLMToolCallRepair.reset()
    try:
        assert LLMToolCallRepair.current().to_dict() == {"enabled": False, "strict": True}
        assert LLMToolCallRepair.current() is LLMToolCallRepair.current()
    finally:
        LLMToolCallRepair.reset()
