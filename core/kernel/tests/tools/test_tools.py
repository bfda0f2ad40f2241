"""What callers pass as tools, and what the model reads of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import partial
from types import SimpleNamespace
from typing import Annotated, Any, Literal, Optional, TypedDict

import pytest
from pydantic import BaseModel, Field

from heavenbase import Tool, tool
from heavenbase.errors import InputError, InputTypeError, ToolArgsError, UnknownNameError
from heavenbase.tools.base import to_tools
from heavenbase.tools.options import wire_choice
from heavenbase.tools.repair import LLMToolCallRepair
from heavenbase.types import ToolCall

from ..support import scripted


def add(a: int, b: int = 1) -> int:
    """Add two numbers.

    Args:
        a: the first
        b: the second
    """
    return a + b


class Unit(Enum):
    C = "celsius"
    F = "fahrenheit"


class Place(BaseModel):
    """Somewhere."""

    city: str = Field(description="its name")
    country: str | None = None


@dataclass
class Span:
    start: date
    days: int = 1


class Node(BaseModel):
    name: str
    children: list[Node] = Field(default_factory=list)


class Options(TypedDict, total=False):
    fast: bool


# Schemas


def test_hb13_the_schema_of_a_function_comes_from_its_hints_and_docstring() -> None:
    assert Tool(run=add).to_openai_tool() == {
        "type": "function",
        "function": {
            "name": "add",
            "description": "Add two numbers.",
            "parameters": {
                "type": "object",
                "properties": {
                    "a": {"type": "integer", "description": "the first"},
                    "b": {"type": "integer", "description": "the second", "default": 1},
                },
                "required": ["a"],
            },
        },
    }


def test_every_kind_of_hint_has_its_json_type() -> None:
    def find(  # type: ignore[no-untyped-def]
        text: str,
        ratio: float,
        exact: bool,
        sizes: list[int],
        labels: dict[str, int],
        unit: Unit,
        order: Literal["up", "down"],
        place: Place,
        span: Span,
        options: Options,
        near: Annotated[str, "where to look"],
        limit: Optional[int] = None,  # noqa: UP045
        untyped=None,
        *args: str,
        **kwargs: str,
    ) -> str:
        return text

    found = Tool(run=find).parameters
    shown = found["properties"]
    assert {name: shape.get("type") for name, shape in shown.items()} == {
        "text": "string",
        "ratio": "number",
        "exact": "boolean",
        "sizes": "array",
        "labels": "object",
        "unit": "string",
        "order": "string",
        "place": "object",
        "span": "object",
        "options": "object",
        "near": "string",
        "limit": None,
        "untyped": None,
    }
    assert shown["sizes"]["items"] == {"type": "integer"}
    assert shown["labels"]["additionalProperties"] == {"type": "integer"}
    assert shown["unit"]["enum"] == ["celsius", "fahrenheit"]
    assert shown["order"]["enum"] == ["up", "down"]
    assert shown["place"]["properties"]["city"] == {"type": "string", "description": "its name"}
    assert shown["place"]["required"] == ["city"]
    assert shown["span"]["properties"]["start"] == {"type": "string", "format": "date"}
    assert shown["near"]["description"] == "where to look"
    assert {"type": "null"} in shown["limit"]["anyOf"]
    assert "limit" not in found["required"]
    assert "untyped" not in found["required"]
    assert "$defs" not in found
    assert "title" not in str(found)


def test_a_model_that_contains_itself_keeps_its_definition() -> None:
    def grow(tree: Node) -> str:
        return tree.name

    schema = Tool(run=grow).parameters
    assert schema["properties"]["tree"] == {"$ref": "#/$defs/Node"}
    assert schema["$defs"]["Node"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}


@pytest.mark.parametrize(
    "doc",
    [
        "Say it.\n\nParameters\n----------\ntext : str\n    what to say",
        "Say it.\n\n:param text: what to say",
        "Say it.\n\nArgs:\n    text (str): what\n        to say",
    ],
    ids=["numpy", "sphinx", "google"],
)
def test_docstrings_of_every_style_describe_parameters(doc: str) -> None:
    def say(text: str) -> str:
        return text

    say.__doc__ = doc
    made = Tool(run=say)
    assert made.description == "Say it."
    assert made.parameters["properties"]["text"]["description"] == "what to say"


def test_arguments_are_converted_to_the_types_of_the_function() -> None:
    seen: list[Any] = []

    def book(place: Place, span: Span, unit: Unit = Unit.C, /, *, seats: int = 1) -> None:
        seen.extend([place, span, unit, seats])

    made = Tool(run=book)
    positional, named = made.bind({"place": {"city": "Köln"}, "span": {"start": "2026-01-02"}, "seats": "3"})
    book(*positional, **named)
    assert seen == [Place(city="Köln"), Span(date(2026, 1, 2)), Unit.C, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "a: Field required"),
        ({"a": "x"}, "a: Input should be a valid integer"),
        ({"a": 1, "c": 2}, "c: unexpected"),
    ],
)
def test_arguments_that_do_not_fit_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ToolArgsError, match=message):
        Tool(run=add).bind(arguments)


def test_c7_a_null_for_an_argument_that_may_be_left_out_is_left_out() -> None:
    def find(city: str, most: int = 3, near: str | None = "here") -> None: ...

    made = Tool(run=find)
    assert made.bind({"city": "Köln", "most": None}) == ([], {"city": "Köln"})
    assert made.bind({"city": "Köln", "near": None}) == ([], {"city": "Köln", "near": None})
    with pytest.raises(ToolArgsError, match="city: Input should be a valid string"):
        made.bind({"city": None})


@pytest.mark.parametrize("text", ["null", " null ", "", "  "])
def test_c7_arguments_null_are_none_at_all(text: str) -> None:
    call = ToolCall("c", "find", text)
    assert call.parse() == {}
    (repaired,) = LLMToolCallRepair().repair(call)
    assert (repaired.arguments, repaired.original) == ("{}", text)


# Sources


class Counter:
    """Counts."""

    def __call__(self, step: int = 1) -> int:
        """Count on."""
        return step

    def more(self, by: int) -> int:
        """Count on by several."""
        return by


class Foreign:
    """A tool of another library."""

    def to_openai_tool(self) -> dict[str, Any]:
        parameters = {"type": "object", "properties": {"q": {"type": "string"}}}
        return {"type": "function", "function": {"name": "search", "parameters": parameters}}

    def run(self, arguments: dict[str, Any]) -> str:
        return f"found {arguments['q']}"


FLAT = {"name": "find", "description": "Find it.", "input_schema": {"type": "object", "properties": {}}}
NESTED = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (None, []),
        (add, ["add"]),
        ([add, NESTED], ["add", "find"]),
        (FLAT, ["find"]),
        ([FLAT], ["find"]),
        (Tool("other", run=add), ["other"]),
        (Counter(), ["Counter"]),
        (Counter().more, ["more"]),
        (partial(add, 1), ["add"]),
        (Foreign(), ["search"]),
        (SimpleNamespace(tools={"sum": add}), ["sum"]),
        (SimpleNamespace(tools=[add, Foreign()]), ["add", "search"]),
        ([SimpleNamespace(tools={"sum": add}), FLAT], ["sum", "find"]),
        ({"sum": add}, ["sum"]),
        (Place, ["Place"]),
        ({"type": "web_search"}, ["web_search"]),
        ((made for made in (add,)), ["add"]),
    ],
)
def test_tools_come_from_every_source(source: Any, names: list[str]) -> None:
    assert [made.name for made in to_tools(source)] == names


def test_flat_schemas_and_models_get_the_shape_of_the_wire() -> None:
    flat, model = to_tools([FLAT, Place])
    assert flat.to_openai_tool()["function"] == {
        "name": "find",
        "description": "Find it.",
        "parameters": {"type": "object", "properties": {}},
    }
    assert flat.run is model.run is None
    assert model.to_openai_tool()["function"]["description"] == "Somewhere."
    assert model.parameters["required"] == ["city"]


def test_what_a_schema_says_beside_its_function_reaches_the_wire() -> None:
    (made,) = to_tools({**NESTED, "cache_control": {"type": "ephemeral"}})
    assert made.to_openai_tool()["cache_control"] == {"type": "ephemeral"}
    (strict,) = to_tools({**FLAT, "strict": True})
    assert strict.to_openai_tool()["function"]["strict"] is True


def test_a_tool_of_another_library_is_run_with_its_own_arguments() -> None:
    (made,) = to_tools(Foreign())
    assert made(q="it") == "found it"


def test_the_decorator_keeps_its_settings() -> None:
    @tool(confirm=True, timeout=5, name="plus")
    def adding(a: int) -> int:
        """Add."""
        return a + 1

    assert (adding.name, adding.confirm, adding.timeout, adding(2)) == ("plus", True, 5, 3)
    assert tool(add).name == "add"


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (7, InputTypeError, "int is no tool"),
        ([add, "add"], InputTypeError, "str is no tool"),
        ([add, add], InputError, "two tools are named 'add'"),
        (Counter, InputTypeError, "class Counter is no tool"),
        ({"description": "nameless"}, InputError, "needs a name"),
        ({"name": "x", "parameters": 7}, InputTypeError, "must be a JSON schema"),
        (lambda: 0, InputError, "is no name of a tool"),
        (min, InputError, "cannot be read"),
    ],
)
def test_what_is_no_tool_is_an_error_before_anything_is_sent(source: Any, error: type[Exception], message: str) -> None:
    made = scripted("hello")
    with pytest.raises(error, match=message):
        made.llm.chat("hi", tools=source)
    assert made.gateway.calls == []


# tool_choice


@pytest.mark.parametrize(
    ("choice", "wire"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("any", "required"),
        ("add", {"type": "function", "function": {"name": "add"}}),
        (add, {"type": "function", "function": {"name": "add"}}),
        ({"type": "tool", "name": "add"}, {"type": "function", "function": {"name": "add"}}),
        ({"type": "function", "function": {"name": "add"}}, {"type": "function", "function": {"name": "add"}}),
        ({"type": "any"}, "required"),
        ("REQUIRED", "required"),
        ("NONE", "none"),
    ],
)
def test_tool_choice_takes_every_form(choice: Any, wire: Any) -> None:
    assert wire_choice(choice, ["add"]) == wire
    made = scripted("hello")
    made.llm.chat("hi", tools=[add], tool_choice=choice)
    assert made.gateway.calls[0].args["tool_choice"] == wire


def test_a_choice_that_is_no_tool_names_the_nearest_one_and_sends_nothing() -> None:
    made = scripted("hello")
    with pytest.raises(UnknownNameError, match="did you mean 'add'"):
        made.llm.chat("hi", tools=[add], tool_choice="ad")
    with pytest.raises(InputTypeError, match="tool_choice must be"):
        made.llm.chat("hi", tools=[add], tool_choice=7)
    with pytest.raises(InputError, match="there are no tools"):
        made.llm.chat("hi", tool_choice="required")
    assert made.gateway.calls == []
    assert made.llm.complete("hi", tool_choice="none").report.names("emulated") == ["tool_choice"]
