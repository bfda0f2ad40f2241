"""Type hints that are strings, or are known in a place of their own alone; in this module all of them are strings."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Final, Generic, NewType, Optional, ParamSpec, TypeVar, Union

import pytest
from pydantic import BaseModel, Field
from typing_extensions import NotRequired, Required, Self, TypeAliasType, TypedDict, Unpack  # noqa: UP035

from heavenbase import Tool, tool
from heavenbase.errors import InputError, ToolArgsError
from heavenbase.structured.format import to_format

from ..support import both_colours, calling, scripted

if TYPE_CHECKING:
    from somewhere import Elsewhere  # type: ignore[import-not-found]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
Bound = TypeVar("Bound", bound="Place")
UserId = NewType("UserId", int)
Places = TypeAliasType("Places", "list[Place]")
Named = TypeAliasType("Named", "dict[str, T]", type_params=(T,))
Old = Union["Place", None]


class Place(BaseModel):
    city: str


class Box(BaseModel, Generic[T]):
    inside: T


@dataclass
class Pair(Generic[T]):
    left: T
    right: T


class Size(TypedDict, total=False):
    width: Required[int]
    height: int


def logged(function: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs)

    return inner


def bare(function: Callable[P, R]) -> Callable[P, R]:
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs)

    return inner


def shape(function: Any, name: str = "place") -> Any:
    made = function if isinstance(function, Tool) else Tool(name="t", run=function)
    return made.parameters["properties"][name]


def given(function: Any, **arguments: Any) -> Any:
    """What the function gets for arguments of the model."""
    made = function if isinstance(function, Tool) else Tool(name="t", run=function)
    positional, named = made.bind(arguments)
    return made(*positional, **named)


CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
COLOGNE = {"city": "Köln"}


# Where the names are


def test_c6_a_class_of_the_enclosing_function_is_found_while_it_runs() -> None:
    class Place(BaseModel):
        town: str

    def find(place: Place, near: list[Place] | None = None) -> Any:
        return place, near

    assert list(shape(find)["properties"]) == ["town"]
    assert given(find, place={"town": "Ulm"}, near=[{"town": "Bonn"}]) == (Place(town="Ulm"), [Place(town="Bonn")])

    @tool
    async def later(place: Place) -> Any:
        return place

    assert asyncio.run(given(later, place={"town": "Ulm"})) == Place(town="Ulm")


def test_c6_a_class_of_an_outer_function_is_found_through_calls_and_colours() -> None:
    class Town(BaseModel):
        name: str

    got: list[Any] = []

    def make() -> Callable[..., str]:
        def find(town: Town) -> str:
            got.append(town)
            return "found"

        return find

    for place in range(2):
        made = scripted(calling(("find", {"town": {"name": "Ulm"}})), "done")
        assert both_colours(made.llm, "complete")[place]("where?", tools=[make()]).text == "done"
        function = made.gateway.calls[0].args["tools"][0]["function"]
        assert function["parameters"]["properties"]["town"]["required"] == ["name"]
    assert got == [Town(name="Ulm")] * 2


def factory(*, uses: bool) -> Any:
    class Hidden(BaseModel):
        a: int

    def used(place: Hidden) -> Any:
        return Hidden, place

    def unused(place: Hidden) -> Any:
        return place

    return used if uses else unused


def test_c6_a_class_is_found_through_the_closure_when_its_function_has_ended() -> None:
    assert shape(factory(uses=True))["properties"] == {"a": {"type": "integer"}}
    assert given(factory(uses=True), place={"a": 1})[1].a == 1


def test_c6_what_means_nothing_anywhere_is_an_error_that_names_it_and_nothing_is_sent() -> None:
    def apart(q: str, there: Elsewhere) -> str:
        return q

    def within(q: str, there: dict[str, list[Elsewhere]] | None = None) -> str:
        return q

    def prose(q: str, there: str) -> str:
        return q

    prose.__annotations__["there"] = "the Elsewhere that is meant"
    for function in (apart, within, prose, factory(uses=False)):
        made = scripted("hello")
        for ask in both_colours(made.llm, "chat"):
            with pytest.raises(
                InputError, match=r"hint '.*(Elsewhere|Hidden).*' of parameter '\w+' of \w+ cannot be res"
            ):
                ask("hi", tools=[function])
        assert made.gateway.calls == []


def test_c6_the_names_of_who_calls_are_the_last_resort() -> None:
    class Elsewhere(BaseModel):
        a: int

    def find(there: Elsewhere) -> Any:
        return there

    del find.__annotations__["there"]
    find.__annotations__["there"] = "Elsewhere"
    find.__qualname__ = "find"  # as if it stood in a module
    assert given(find, there={"a": 1}) == Elsewhere(a=1)


def test_c6_a_variable_with_the_name_of_a_type_is_not_taken_for_it() -> None:
    place = Place = "Köln"

    def find(place: Place) -> Any:  # type: ignore[valid-type]
        return place

    assert place == Place
    assert shape(find) == CITY


class Kit:
    """Tools with types of their own, and a method with the name of a type."""

    class Unit(Enum):
        C = "c"

    Alias = dict[str, "Kit.Unit"]

    def __call__(self, unit: Unit, ids: list[int]) -> Any:
        return unit, ids

    def list(self, unit: Unit, ids: list[int], names: Alias | None = None) -> Any:  # type: ignore[valid-type]
        return unit, ids, names

    @classmethod
    def of_class(cls, unit: Unit) -> Any:
        return unit

    @staticmethod
    def plain(unit: Unit) -> Any:
        return unit


class SubKit(Kit):
    pass


def test_c6_types_of_a_class_are_found_by_its_methods_and_objects() -> None:
    for kit in (Kit(), SubKit()):
        assert (
            shape(kit, "unit")["enum"] == shape(kit.list, "unit")["enum"] == shape(kit.plain, "unit")["enum"] == ["c"]
        )
        assert given(kit, unit="c", ids=["1"]) == (Kit.Unit.C, [1])
        assert given(kit.list, unit="c", ids=[1], names={"x": "c"}) == (Kit.Unit.C, [1], {"x": Kit.Unit.C})
        assert given(kit.of_class, unit="c") == given(kit.plain, unit="c") == Kit.Unit.C
        assert given(functools.partial(kit.list, ids=[2]), unit="c") == (Kit.Unit.C, [2], None)

    class Local:
        class Unit(Enum):
            C = "c"

        def find(self, unit: Unit) -> Any:
            return unit

        @staticmethod
        def plain(unit: Local.Unit) -> Any:
            return unit

    assert given(Local().find, unit="c") == given(Local.plain, unit="c") == Local.Unit.C


# What they may be


def test_c6_every_kind_of_hint_is_resolved() -> None:
    limit = 3

    def find(
        late: Later,
        later: list[Later | None],
        text: dict[str, "Later"],  # noqa: UP037
        maybe: Optional["Later"],  # noqa: UP037, UP045
        old: Old,
        alias: Places,
        named: Named[Place],
        user: UserId,
        box: Box[Place],
        pair: Pair[int],
        noted: Annotated[list[Place], Field(max_length=limit), "some places"],
        bound: Bound,  # type: ignore[valid-type]
        size: Size,
    ) -> Any:
        return locals()

    class Later(BaseModel):
        a: int

    assert limit == 3
    fields = Tool(run=find).parameters["properties"]
    assert {} not in fields.values()
    assert fields["noted"]["maxItems"] == 3
    assert fields["noted"]["description"] == "some places"
    assert fields["size"]["required"] == ["width"]
    one = {"a": 1}
    got = given(
        find, late=one, later=[one, None], text={"x": one}, maybe=one, old=COLOGNE, alias=[COLOGNE],
        named={"x": COLOGNE}, user="7", box={"inside": COLOGNE}, pair={"left": 1, "right": "2"}, noted=[COLOGNE],
        bound=COLOGNE, size={"width": 1},
    )  # fmt: skip
    later, place = Later(a=1), Place(city="Köln")
    got = {name: got[name] for name in fields}
    assert got == {
        "late": later, "later": [later, None], "text": {"x": later}, "maybe": later, "old": place, "alias": [place],
        "named": {"x": place}, "user": 7, "box": Box[Place](inside=place), "pair": Pair(1, 2), "noted": [place],
        "bound": place, "size": {"width": 1},
    }  # fmt: skip


def test_c6_classes_whose_own_fields_name_local_classes_are_resolved() -> None:
    class Leg(TypedDict):
        stops: list[Stop]
        note: NotRequired[str]

    @dataclass
    class Trip:
        legs: list[Leg]
        first: Stop

    class Plan(BaseModel):
        trips: list[Trip]
        place: Stop

    class Stop(BaseModel):
        name: str
        more: list[Stop] = Field(default_factory=list)

    def go(plan: Plan, trip: Trip, legs: list[Leg]) -> Any:
        return plan, trip, legs

    stop = {"name": "Ulm", "more": [{"name": "Bonn"}]}
    trip = {"legs": [{"stops": [stop]}], "first": stop}
    plan, got, legs = given(go, plan={"trips": [trip], "place": stop}, trip=trip, legs=[{"stops": [stop]}])
    assert (
        plan.trips[0].first.more[0]
        == got.legs[0]["stops"][0].more[0]
        == legs[0]["stops"][0].more[0]
        == Stop(name="Bonn")
    )
    assert (
        to_format(list[Plan]).read(f"[{Plan(trips=[], place=Stop(name='Ulm')).model_dump_json()}]")[0].place.name
        == "Ulm"
    )
    assert to_format(Trip).convert(trip) == got
    assert to_format(Leg).convert({"stops": [stop]}) == {"stops": [Stop(name="Ulm", more=[Stop(name="Bonn")])]}


def test_c6_decorated_functions_are_those_that_they_wrap_where_that_is_told() -> None:
    class Town(BaseModel):
        name: str

    @logged
    @functools.lru_cache
    def cached(number: int) -> Any:
        return number

    @logged
    def find(town: Town, most: int = 3) -> Any:
        return town, most

    @bare
    def hidden(town: Town) -> Any:
        return town

    assert given(cached, number="3") == 3
    assert given(find, town={"name": "Ulm"}) == (Town(name="Ulm"), 3)
    assert given(functools.partial(find, most=4), town={"name": "Ulm"}) == (Town(name="Ulm"), 4)
    assert "most" not in Tool(run=functools.partial(find, most=4)).parameters["properties"]
    with pytest.raises(InputError, match=r"hint 'P.args' of parameter 'args' of inner says nothing.*functools.wraps"):
        Tool(run=hidden)


def test_c6_further_arguments_have_the_type_that_their_hint_says() -> None:
    def score(name: str, **points: Place) -> Any:
        return name, points

    def draw(name: str, **size: Unpack[Size]) -> Any:
        return name, size

    def loose(name: str, **rest: Any) -> Any:
        return name, rest

    assert Tool(run=score).parameters["additionalProperties"] == CITY
    assert given(score, name="a", x=COLOGNE) == ("a", {"x": Place(city="Köln")})
    with pytest.raises(ToolArgsError, match=r"x\.city: Field required"):
        Tool(run=score).bind({"name": "a", "x": {}})
    schema = Tool(run=draw).parameters
    assert schema["required"] == ["name", "width"]
    assert schema["properties"]["height"] == {"type": "integer"}
    assert given(draw, name="a", width="1") == ("a", {"width": 1})
    with pytest.raises(ToolArgsError, match="depth: unexpected argument"):
        Tool(run=draw).bind({"name": "a", "width": 1, "depth": 2})
    assert given(loose, name="a", x=COLOGNE) == ("a", {"x": COLOGNE})


class Opaque:
    """Nothing that JSON could say."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def merge(self, other: Self) -> str:
        return str(other)


def test_c6_a_type_that_json_cannot_say_is_an_error_that_names_it() -> None:
    def opaque(q: str, one: Opaque) -> str:
        return q

    def defaulted(q: str, one: Opaque | None = None) -> str:
        return q

    def calls(q: str, one: Callable[[int], str] = str) -> str:
        return q

    def rest(q: str, **one: Opaque) -> str:
        return q

    class Lost(TypedDict):
        one: Elsewhere

    def unpacked(q: str, **one: Unpack[Lost]) -> str:
        return q

    with pytest.raises(InputError, match=r"of unpacked cannot be resolved \(in it, Lost.one: .*Elsewhere"):
        Tool(run=unpacked)
    for function in (opaque, defaulted, calls, rest):
        with pytest.raises(
            InputError, match=r"hint .*(Opaque|Callable).* of parameter 'one' of \w+ cannot be written as"
        ):
            Tool(run=function)

    def final(one: Final[int] = 1) -> int:
        return one

    assert shape(final, "one") == {"type": "integer", "default": 1}
    with pytest.raises(InputError, match="of parameter 'other' of merge"):
        Tool(run=Opaque(1).merge)
    assert list(Tool(run=functools.partial(opaque, one=Opaque(1))).parameters["properties"]) == ["q"]


def test_c6_a_field_that_means_nothing_is_named_with_its_class() -> None:
    @dataclass
    class Trip:
        there: Elsewhere

    class Plan(BaseModel):
        trips: list[Trip]
        after: Elsewhere | None = None

    class Leg(TypedDict):
        there: list[Elsewhere]

    def go(plan: Plan) -> str:
        return str(plan)

    with pytest.raises(InputError, match=r"hint 'Plan' of parameter 'plan' of go cannot be .*Plan.after: 'Elsewhere"):
        Tool(run=go)
    for source, said in ((Trip, "Trip.there"), (list[Trip], "Trip.there"), (Plan, "Plan.after"), (Leg, "Leg.there")):
        made = scripted("hello")
        for ask in both_colours(made.llm, "complete"):
            with pytest.raises(InputError, match=f"{said}: .*Elsewhere.* cannot be resolved"):
                ask("hi", response_format=source)
        assert made.gateway.calls == []
    with pytest.raises(InputError, match=r"class Plan cannot be .*Plan.after"):
        scripted("hello").llm.chat("hi", tools=[Plan])
