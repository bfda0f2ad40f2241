"""What callers may pass as response_format, and the values that come back."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any, Literal, NotRequired, TypedDict

import pytest
from pydantic import BaseModel, ConfigDict, Field

from heavenbase.errors import HBError, InputError, InputTypeError, StructuredOutputError, UnknownNameError
from heavenbase.structured import OutputFormat, to_format


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Person(BaseModel):
    """Somebody."""

    name: str = Field(description="Full name")
    born: date
    tags: list[str] = []
    colour: Colour | None = None


class Node(BaseModel):
    name: str
    children: list[Node] = []


@dataclass
class Point:
    x: int
    y: float = 1.5


class Book(TypedDict):
    title: str
    year: NotRequired[int]


class Odd:
    """What pydantic does not know."""


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    born: date
    pair: tuple[int, int]


def test_a_pydantic_model_gives_its_objects() -> None:
    found = to_format(Person)
    assert (found.kind, found.name) == ("json_schema", "Person")
    schema = found.wire["json_schema"]["schema"]
    assert found.wire["json_schema"]["strict"] is True
    assert schema["required"] == ["name", "born", "tags", "colour"]
    assert schema["properties"]["name"] == {"type": "string", "description": "Full name"}
    assert schema["description"] == "Somebody."
    text = '{"name": "Al", "born": "2001-02-03", "tags": null, "colour": "red"}'
    assert found.read(text) == Person(name="Al", born=date(2001, 2, 3), colour=Colour.RED)


def test_a_dataclass_a_typed_dict_and_other_types_give_their_values() -> None:
    assert to_format(Point).read('{"x": 3, "y": null}') == Point(3)
    assert to_format(Book).read('{"title": "Emma", "year": null}') == {"title": "Emma"}
    assert to_format(list[Point]).read('{"value": [{"x": 1, "y": 2}]}') == [Point(1, 2)]
    assert to_format(list[Point]).read('```json\n[{"x": 1}]\n```') == [Point(1)]
    assert to_format(Literal["yes", "no"]).read('{"value": "yes"}') == "yes"
    assert to_format(Point | Book).read('{"value": {"title": "Emma"}}') == {"title": "Emma"}
    assert to_format(Colour).wire["json_schema"]["schema"]["properties"]["value"]["enum"] == ["red", "blue"]


def test_models_that_contain_themselves_have_an_object_outermost() -> None:
    schema = to_format(Node).wire["json_schema"]["schema"]
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)
    assert to_format(Node).read('{"name": "a", "children": [{"name": "b", "children": []}]}').children[0].name == "b"


def test_strict_models_read_json_as_json() -> None:
    found = to_format(Strict)
    assert found.wire["json_schema"]["strict"] is False  # a tuple's items cannot be spelled out there
    assert found.read('{"born": "2001-02-03", "pair": [1, 2]}') == Strict(born=date(2001, 2, 3), pair=(1, 2))


def test_a_json_schema_is_checked_and_gives_plain_data() -> None:
    schema = {"title": "The Answer!", "type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    found = to_format(schema)
    assert found.name == "The_Answer"
    assert found.read('{"n": 3}') == {"n": 3}
    with pytest.raises(StructuredOutputError, match='n: "3" is not of type "integer"'):
        found.read('{"n": "3"}')


def test_the_wire_s_own_dictionary_is_sent_as_it_is_and_checked() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0}}}
    given = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": False}}
    found = to_format(given)
    assert found.wire == given
    with pytest.raises(StructuredOutputError, match="less than the minimum of 0"):
        found.read('{"n": -1}')
    flat = to_format({"type": "json_schema", "schema": schema})
    assert flat.wire == {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def test_json_object_takes_any_object_and_nothing_else() -> None:
    for given in ("json_object", {"type": "json_object"}):
        found = to_format(given)
        assert found.wire == {"type": "json_object"}
        assert found.read('Sure: {"a": [1]}') == {"a": [1]}
        with pytest.raises(StructuredOutputError, match="list, not a JSON object"):
            found.read("[1]")
    assert not to_format("text").is_json


def test_forms_of_a_provider_s_own_are_passed_on() -> None:
    found = to_format({"type": "regex", "pattern": "a+"})
    assert (found.kind, found.wire, found.is_json) == ("other", {"type": "regex", "pattern": "a+"}, False)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ("jsonobject", UnknownNameError, "did you mean 'json_object'"),
        ({"type": "json_objekt"}, UnknownNameError, "did you mean 'json_object'"),
        ({"type": "json_schema"}, InputError, "needs"),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, InputError, "needs"),
        ({}, InputError, "neither a JSON schema"),
        (7, InputTypeError, "not int"),
        (["object"], InputTypeError, "not list"),
        (Person(name="a", born=date(2001, 1, 1)), InputTypeError, "pass the class"),
        (Point(1), InputTypeError, "pass the class"),
        (Odd, InputError, "cannot be written as a JSON schema"),
    ],
    ids=str,
)
def test_what_is_no_format_is_refused(given: Any, error: type[HBError], said: str) -> None:
    with pytest.raises(error, match=said):
        to_format(given)


def test_an_answer_that_does_not_fit_is_explained_field_by_field() -> None:
    with pytest.raises(StructuredOutputError, match=r"born: Field required"):
        to_format(Person).read('{"name": "Al"}')
    with pytest.raises(StructuredOutputError, match="the answer is empty"):
        to_format(Person).read(" ")
    with pytest.raises(StructuredOutputError, match="holds no JSON"):
        to_format(Person).read("I would rather not.")


def test_of_several_values_the_one_that_fits_is_taken() -> None:
    text = 'Like {"name": "x"}, so {"name": "Al", "born": "2001-02-03"}. Not {"born": 1}!'
    assert to_format(Person).read(text).name == "Al"


def test_types_are_read_once() -> None:
    assert to_format(Person) is to_format(Person)
    found = to_format(Point)
    assert to_format(found) is found
    assert isinstance(found, OutputFormat)
    assert "Point" in repr(found)


def test_json_schemas_need_no_pydantic() -> None:
    code = (
        "import sys; sys.modules['pydantic'] = None\n"
        "from heavenbase.errors import MissingPackage\n"
        "from heavenbase.structured import to_format\n"
        "print(to_format({'type': 'object', 'properties': {'a': {'type': 'string'}}}).read('{\"a\": \"b\"}'))\n"
        "try: to_format(list[int])\n"
        "except MissingPackage as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["{'a': 'b'}", "response_format as a type needs pydantic: pip install pydantic"]
