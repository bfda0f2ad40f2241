"""What callers and settings give as a route: every form of it, and every slip in it."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from heavenbase.config.config import Config
from heavenbase.errors import (
    ConfigError,
    HBError,
    InputError,
    InputTypeError,
    RateLimitError,
    UnknownNameError,
    is_among,
)
from heavenbase.llm import LLM
from heavenbase.routes import Breaker, Route, Target, to_route
from heavenbase.secrets import Secret

from ..support import scripted

ROUTES: dict[str, Any] = {
    "duo": {"targets": ["x", "y"], "kind": "balance"},
    "outer": {"targets": [{"route": "duo"}, "z"]},
    "self": {"targets": ["x", {"route": "self"}]},
    "ring": {"targets": [{"route": "ring2"}]},
    "ring2": {"targets": ["x", {"route": {"targets": [{"route": "ring"}]}}]},
    "bare": {},
}


def named(name: str) -> Any:
    if name not in ROUTES:
        raise UnknownNameError("route", name, ROUTES)
    return ROUTES[name]


def read(given: Any, **settings: Any) -> Route:
    return to_route(given, named, **settings)


def only(given: Any) -> Target:
    """The one target of a route with it."""
    (target,) = read([given]).targets
    return target


# Forms of a route


@pytest.mark.parametrize(
    ("given", "kind", "labels", "label"),
    [
        ("duo", "balance", ["x", "y"], "duo"),
        (["x", "y"], "fallback", ["x", "y"], "fallback of x, y"),
        (("x", "y"), "fallback", ["x", "y"], "fallback of x, y"),
        ({"targets": ["x"], "kind": "cascade"}, "cascade", ["x"], "cascade of x"),
        ({"targets": ("x",)}, "fallback", ["x"], "fallback of x"),
        (Route((Target("x"),), "balance"), "balance", ["x"], "balance of x"),
        (Route((Target("x"),), name="mine"), "fallback", ["x"], "mine"),
        ("outer", "fallback", ["duo", "z"], "outer"),
    ],
)
def test_a_route_is_a_name_a_list_a_table_or_a_route(given: Any, kind: str, labels: list[str], label: str) -> None:
    route = read(given)
    assert (route.kind, [target.label for target in route.targets], route.label) == (kind, labels, label)


def test_a_list_has_the_defaults_and_settings_go_over_a_table() -> None:
    assert read(["x"]).hop_after == 2.0
    assert read(["x"]).breaker == Breaker()
    assert read({"targets": ["x"], "by": "latency", "kind": "balance"}, by="least_busy").by == "least_busy"


def test_every_setting_of_a_route_is_read() -> None:
    judge, on = object.__new__(type("J", (), {"__call__": lambda self, call, answer: None})), [RateLimitError, "server"]
    table = {
        "targets": ["x"],
        "kind": "cascade",
        "on": on,
        "judge": judge,
        "hop_after": 0.5,
        "stream_fallback": "prefill",
        "stream_prompt": "Go on.",
        "on_foreign": "pin",
        "by": "latency",
        "affinity": "prefix",
        "max_wait": 3,
        "breaker": {"failures": 2, "cooldown": 1},
        "description": "words",
    }
    route = read(table)
    found = {name: getattr(route, name) for name in table if name not in ("targets", "on", "breaker")}
    assert found == {name: table[name] for name in found}
    assert route.on == (RateLimitError, "server")
    assert route.breaker == Breaker(failures=2, cooldown=1)


def test_none_leaves_a_default_but_for_hop_after() -> None:
    route = read({"targets": ["x"], "judge": None, "on": None, "stream_prompt": None, "hop_after": None})
    assert (route.judge, route.on, route.hop_after) == (None, None, None)


def test_a_route_and_a_target_made_in_code_are_themselves_where_they_are_whole() -> None:
    route = Route((Target("x", keys=(Secret("k-1"),)), Target(route=Route((Target("y"),)))), "balance")
    assert read(route) is route
    target = Target("x", weight=2)
    assert only(target) is target


def test_a_route_made_in_code_may_hold_whatever_a_list_may() -> None:
    route = read(Route(["x", {"model": "y", "weight": 2}, "duo"], on=["server"]))  # type: ignore[arg-type, list-item]
    assert [target.label for target in route.targets] == ["x", "y", "duo"]
    assert route.on == ("server",)


# Forms of a target


def test_a_target_is_a_name() -> None:
    assert (only("x").model, only("x").provider) == ("x", None)


def test_a_target_is_a_table() -> None:
    target = only({"model": "x", "provider": "p", "gateway": "g", "preset": "s", "weight": 2, "first_token": 1,
                   "share": 0.5, "args": {"seed": 1}, "keys": ["k-1", Secret("k-2")]})  # fmt: skip
    assert (target.model, target.provider, target.gateway, target.preset, target.label) == ("x", "p", "g", "s", "p/x")
    assert (target.weight, target.first_token, target.share, target.args) == (2, 1, 0.5, {"seed": 1})
    assert [key.reveal() for key in target.keys] == ["k-1", "k-2"]


@pytest.mark.parametrize(
    ("given", "label"),
    [
        ({"preset": "fast"}, "preset fast"),
        ({"provider": "groq"}, "the default model of groq"),
        ({"model": "m"}, "m"),
        ({"model": "m", "route": None}, "m"),
    ],
)
def test_a_target_is_called_by_what_it_names(given: Any, label: str) -> None:
    assert only(given).label == label


@pytest.mark.parametrize(
    "given",
    [["x", "y"], Route((Target("x"), Target("y"))), {"route": ["x", "y"]}, {"route": {"targets": ["x", "y"]}}],
    ids=["list", "Route", "table with list", "table with table"],
)
def test_a_target_is_a_route(given: Any) -> None:
    target = only(given)
    assert target.route is not None
    assert [each.label for each in target.route.targets] == ["x", "y"]
    assert read([given, "z"]).first().label == "x"


def test_a_route_as_a_target_has_a_weight_and_limits_of_its_own_alone() -> None:
    target = only({"route": "duo", "weight": 3, "share": 0.5, "first_token": 2})
    assert (target.label, target.weight, target.share, target.first_token) == ("duo", 3, 0.5, 2)
    with pytest.raises(InputError, match="a target that is a route has no 'model' of its own"):
        only({"route": "duo", "model": "x"})
    with pytest.raises(InputError, match="a target that is a route has no 'args' of its own"):
        only({"route": "duo", "args": {}})


def test_an_llm_and_its_spec_are_targets_with_all_that_was_given_for_them() -> None:
    house = scripted()
    given = {"temperature": 0.5, "api_key": "sk-mine-0000", "base_url": "https://m.test/v1", "headers": {"x-a": "b"}}
    llm = LLM(model="acme/tiny", kernel=house.kernel, **given)
    for target in (only(llm), only(llm.spec)):
        assert target.label == "acme/tiny"
        again = house.kernel.resolve(None, [target, "acme/other"])
        assert (again.api_key.reveal(), again.base_url, dict(again.headers)) == (
            "sk-mine-0000",
            "https://m.test/v1",
            {"x-a": "b"},
        )
        assert (again.args["temperature"], again.model_id) == (0.5, "tiny")
        assert "sk-mine-0000" not in repr(target)


def test_the_spec_of_a_target_keeps_its_address_and_key() -> None:
    house = scripted()
    given = {"api_key": "sk-mine-0000", "base_url": "https://m.test/v1"}
    llm = LLM(model=[{"model": "acme/tiny", "args": given}, "acme/other"], kernel=house.kernel)
    spec = llm.spec.route.spec_of(llm.spec.route.route.targets[0])
    again = house.kernel.resolve(None, [only(spec), "acme/other"])
    assert (again.api_key.reveal(), again.base_url) == ("sk-mine-0000", "https://m.test/v1")


def test_an_llm_with_a_route_is_that_route() -> None:
    house = scripted()
    target = only(LLM(model=["acme/a", "acme/b"], kernel=house.kernel))
    assert target.route is not None
    assert [each.label for each in target.route.targets] == ["acme/a", "acme/b"]
    for options in ({"temperature": 1}, {"api_key": "sk-mine-0000"}):
        with pytest.raises(InputError, match="an LLM with a route and options cannot be a target"):
            only(LLM(model=["acme/a", "acme/b"], kernel=house.kernel, **options))


def test_no_credential_of_a_route_is_shown() -> None:
    route = read([{"model": "x", "keys": ["sk-shown-0001"], "args": {"api_key": "sk-shown-0002"}}])
    assert "sk-shown" not in f"{route!r} {route.targets!r} {route.label}"


@pytest.mark.parametrize("name", ["model", "route"])
def test_no_credential_of_a_route_is_in_a_traceback_with_locals(name: str) -> None:
    import traceback

    word = "sk-" + "shown-" + "0001"
    kernel = scripted().kernel
    slip = {"model": "acme/tiny", "keys": [word], "args": {"api_key": word, "temprature": 1}}
    given: Any = ["acme/tiny", slip, {"route": {"targets": [slip]}}]
    try:
        LLM(**{name: given}, kernel=kernel)
    except UnknownNameError as error:
        given = slip = word = None  # type: ignore[assignment]
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [frame for frame in told.stack if "/tests/" not in frame.filename]
    assert frames
    assert all("sk-shown" not in str(frame.locals) for frame in frames)


def test_a_route_may_be_copied_and_without_keys_be_pickled() -> None:
    route = read(["x", {"route": {"targets": [{"model": "y", "args": {"seed": 1}}], "on": ["server"]}}])
    assert copy.deepcopy(route) is route
    assert copy.copy(route).targets is route.targets
    found = pickle.loads(pickle.dumps(route))  # noqa: S301
    assert (found.label, found.targets[1].route.on) == (route.label, ("server",))
    assert dict(found.targets[1].route.targets[0].args) == {"seed": 1}
    with pytest.raises(InputTypeError, match="never pickled"):
        pickle.dumps(read([{"model": "x", "keys": ["k-1"]}]))


# Nesting


def test_routes_nest_four_deep() -> None:
    nested: Any = ["x"]
    for depth in range(1, 5):
        assert read(nested).depth == depth
        nested = {"targets": [{"route": nested}]}
    inner = nested["targets"][0]
    for given in (nested, [inner], Route((Target(route=read(inner["route"])),))):
        with pytest.raises(InputError, match="routes stand more than 4 deep in each other"):
            read(given)


def in_themselves() -> dict[str, Any]:
    """Routes that hold themselves, or are deeper than anybody means, by what they are."""
    a_list: list[Any] = []
    a_list.append(a_list)
    table: dict[str, Any] = {"targets": []}
    table["targets"].append({"route": table})
    code: list[Any] = []
    route = Route(code)  # type: ignore[arg-type]
    code.append(Target(route=route))
    forced = Route((Target("x"),))
    object.__setattr__(forced, "targets", (Target(route=forced),))
    deep: Any = "x"
    doubled: Any = {"targets": ["x"]}
    for _ in range(2000):
        deep, doubled = [deep], {"targets": [{"route": doubled}, {"route": doubled}]}
    return {"list": a_list, "table": table, "route": route, "forced": forced, "deep": deep, "doubled": doubled}


@pytest.mark.parametrize("name", in_themselves())
def test_what_holds_itself_or_has_no_end_is_refused(name: str) -> None:
    given = in_themselves()[name]
    with pytest.raises(InputError, match="routes stand more than 4 deep in each other"):
        read(given)
    for option in ("model", "route"):
        with pytest.raises(InputError, match=r"more than 4 deep|nested too deeply, or holds itself"):
            LLM(**{option: given}, kernel=scripted().kernel)


def test_a_route_of_thousands_of_targets_is_read() -> None:
    assert len(list(read([["x"] * 100] * 100).leaves())) == 10_000


@pytest.mark.parametrize(
    ("name", "ring"), [("self", "self -> self"), ("ring", "ring -> ring2 -> ring"), ("ring2", "ring2 -> ring -> ring2")]
)
def test_a_route_that_stands_in_itself_is_refused(name: str, ring: str) -> None:
    with pytest.raises(InputError, match=f"route '{name}' stands in itself: {ring}"):
        read(name)


def test_one_route_may_stand_in_another_twice() -> None:
    assert [target.label for target in read([{"route": "duo"}, {"route": "duo"}]).targets] == ["duo", "duo"]


# Slips


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ("dou", UnknownNameError, "unknown route 'dou'; did you mean 'duo'"),
        ([{"route": "dou"}], UnknownNameError, "did you mean 'duo'"),
        ({"target": ["x"]}, UnknownNameError, "unknown key of a route 'target'; did you mean 'targets'"),
        ({"targets": ["x"], "name": "z"}, UnknownNameError, "unknown key of a route 'name'"),
        ({1: ["x"]}, UnknownNameError, "unknown key of a route '1'"),
        ({"targets": ["x"], "kind": "falback"}, InputError, "kind must be .*did you mean 'fallback'"),
        ({"targets": ["x"], "stream_fallback": "restrat"}, InputError, "did you mean 'restart'"),
        ({"targets": ["x"], "on_foreign": "stip"}, InputError, "did you mean 'strip'"),
        ({"targets": ["x"], "by": "weight"}, InputError, "did you mean 'weights'"),
        ({"targets": ["x"], "affinity": "sesion"}, InputError, "did you mean 'session'"),
        ({"targets": ["x"], "on": ["sever"]}, UnknownNameError, "kind of error in on of a route 'sever'; .*'server'"),
        ({"targets": ["x"], "breaker": {"failure": 1}}, UnknownNameError, "did you mean 'failures'"),
        ([{"modle": "x"}], UnknownNameError, "unknown key of a target of a route 'modle'; did you mean 'model'"),
        ([["x", {"wieght": 1}]], UnknownNameError, "did you mean 'weight'"),
        ([{"route": {"targets": ["x"], "kindd": 1}}], UnknownNameError, "did you mean 'kind'"),
    ],
)
def test_a_slip_is_told_with_the_nearest_name(given: Any, error: type[HBError], told: str) -> None:
    with pytest.raises(error, match=told):
        read(given)


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        *((wrong, InputTypeError, "a route is a name, a list of targets, a table or a Route, not")
          for wrong in (5, None, b"x", True, object())),
        *((wrong, InputError, "a route without targets") for wrong in ([], (), {}, {"targets": []}, Route(()))),
        ("bare", InputError, "route 'bare' has no targets"),
        ({"targets": "gpt-4o"}, InputTypeError, "targets must be a list of names and tables, not str"),
        ({"targets": {"x": 1}}, InputTypeError, "targets must be a list of names and tables, not dict"),
        *(([wrong], InputError, "a target of a route is empty") for wrong in ("", "  ")),
        *(([wrong], InputTypeError, "a target of a route is a name or a table, not") for wrong in (5, None, b"x")),
        *(([wrong], InputError, "names neither model nor preset nor provider") for wrong in ({}, {"weight": 1})),
        ([{"model": ""}], InputError, "names neither"),
        ([{"model": 5}], InputError, "model must be a string or null, not an integer"),
        ([{"model": "x", "weight": -1}], InputError, "weight must be at least 0"),
        ([{"model": "x", "weight": "2"}], InputError, "weight must be a number, not a string"),
        ([{"model": "x", "share": 0}], InputError, "share must be at least"),
        ([{"model": "x", "share": 1.5}], InputError, r"share is a part .* at most 1, not 1\.5"),
        ([{"model": "x", "first_token": 0}], InputError, "first_token must be at least"),
        ([{"model": "x", "args": 5}], InputError, "args must be a table, not an integer"),
        ([{"model": "x", "keys": "k-1"}], InputError, "keys must be a list of strings, not a string"),
        *(([{"model": "x", "keys": [wrong]}], InputError, "keys holds what is no credential")
          for wrong in ("", 5, None, Secret(" "))),
        ([{"route": 5}], InputError, "route must be a string or a table or a list or null, not an integer"),
        ([Target("x", weight=-1)], InputError, "weight must be at least 0"),
        ([Target(5)], InputError, "model must be a string"),  # type: ignore[arg-type]
        ([Target()], InputError, "names neither"),
        ({"targets": ["x"], "on": "server"}, InputTypeError, "on of a route is a list of kinds of errors, not str"),
        ({"targets": ["x"], "on": [5]}, InputTypeError, "kinds of errors, classes or functions, not int"),
        ({"targets": ["x"], "judge": 5}, InputTypeError, "judge is a name, a table .* not int"),
        ({"targets": ["x"], "judge": type("J", (), {})}, InputTypeError, "judge is .* not a class; make one"),
        ({"targets": ["x"], "judge": {"name": 5}}, InputTypeError, "the name of a judge is a text, not int"),
        ({"targets": ["x"], "hop_after": -1}, InputError, "hop_after must be at least 0"),
        ({"targets": ["x"], "hop_after": float("nan")}, InputError, "hop_after must be a number or null, not nan"),
        ({"targets": ["x"], "max_wait": float("inf")}, InputError, "max_wait must be a number, not nan or infinity"),
        ({"targets": ["x"], "breaker": 5}, InputTypeError, "breaker must be a table, not int"),
        ({"targets": ["x"], "breaker": {"failures": 0}}, InputError, "failures must be at least 1"),
        ({"targets": ["x"], "breaker": Breaker(failures=0)}, InputError, "failures must be at least 1"),
        (Route((Target("x"),), "falback"), InputError, "did you mean 'fallback'"),  # type: ignore[arg-type]
        (Route((Target("x"),), judge=5), InputTypeError, "judge is a name"),
        (Route((Target("x"),), on=("sever",)), UnknownNameError, "did you mean 'server'"),
        (Route((5,)), InputTypeError, "a target of a route is a name or a table"),  # type: ignore[arg-type]
        (Route((Target("x"),), name=5), InputTypeError, "the name of a route is a text"),  # type: ignore[arg-type]
        *(({"targets": wrong}, InputTypeError, "targets must be a list of names and tables, not")
          for wrong in ({"x"}, b"x", {"x": 1}.keys(), iter(["x"]), range(2))),
        *(([{"model": "x", name: wrong}], InputError, f"{name} must be a number")
          for name in ("weight", "share", "first_token")
          for wrong in (float("nan"), float("-inf"), True, "1", "${env:X,1}", 10**400, [1], 1j)),
        *(({"targets": ["x"], "breaker": {"cooldown": wrong}}, InputError, "cooldown must be a number")
          for wrong in (float("nan"), float("inf"), True, "${env:X,1}", None, 10**400)),
        *(([Target(route=Route((Target("x"),)), **{name: wrong})], InputError, name)
          for name, wrong in (("weight", float("nan")), ("share", 2), ("first_token", -1), ("model", "y"))),
        ([{"model": "x", "args": {5: 1}}], InputTypeError, "the name of an argument is a text, not int"),
        ([{"model": "x", "args": in_themselves()["list"]}], InputError, "holds itself"),
        ({"targets": ["x"], "on": iter(["server"])}, InputTypeError, "on of a route is a list of kinds of errors, not"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told(given: Any, error: type[HBError], told: str) -> None:
    with pytest.raises(error, match=told):
        read(given)
    with pytest.raises(error):
        LLM(route=given if given is not None else 5, kernel=scripted().kernel)


def test_what_is_none_in_code_is_as_if_it_were_not_said() -> None:
    given = Route((Target("x", args=None, weight=None),), kind=None, max_wait=None)  # type: ignore[arg-type]
    route = read(given)
    assert (route.kind, route.max_wait, route.targets[0].weight, dict(route.targets[0].args)) == ("fallback", 10, 1, {})


class Text(str):
    __slots__ = ()


class Several(list[Any]):
    __slots__ = ()


def test_texts_and_lists_of_classes_of_their_own_are_what_they_are() -> None:
    route = read(Several([Text("x"), {"model": Text("y")}]))
    assert [target.label for target in route.targets] == ["x", "y"]


def test_the_settings_of_a_call_in_code_are_checked_as_those_of_a_table_are() -> None:
    for settings, error, told in (
        ({"hopafter": 1}, UnknownNameError, "did you mean 'hop_after'"),
        ({"targets": ["x"]}, UnknownNameError, "unknown setting of a route 'targets'"),
        ({"kind": "cascad"}, InputError, "did you mean 'cascade'"),
    ):
        with pytest.raises(error, match=told):
            read(["x"], **settings)


def test_a_slip_in_the_table_of_a_name_says_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROUTES, "odd", {"targets": ["x"], "max_wait": -1})
    with pytest.raises(InputError, match="route 'odd': max_wait must be at least 0"):
        read("odd")


def test_kinds_of_errors_are_what_is_among_knows() -> None:
    route = read({"targets": ["x"], "on": ["quota", lambda error: error.status == 418]})
    assert not is_among(RateLimitError("x"), route.on or ())
    assert is_among(RateLimitError("x", status=418), route.on or ())


# In the settings


def config(**tables: Any) -> Config:
    return Config.from_dict({f"heavenbase.llm.{name}": table for name, table in tables.items()})


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"routes": {"duo": {"targets": [{"modle": "x"}]}}}, r"routes\.duo\.targets\.modle'; did you mean .*model'"),
        ({"routes": {"duo": {"targets": [{"model": "x", "weight": "2"}]}}}, "targets.weight must be a number"),
        ({"routes": {"duo": {"targets": [{"model": "x", "args": {"seed": "2"}}]}}}, "args.seed must be an integer"),
        ({"routes": {"duo": {"targets": [{"route": {"target": ["x"]}}]}}}, "targets.route.target'; did you mean"),
        ({"routes": {"duo": {"tragets": ["x"]}}}, "did you mean 'heavenbase.llm.routes.duo.targets'"),
        ({"routes": {"duo": {"kind": "cascad"}}}, "did you mean 'cascade'"),
        ({"presets": {"p": {"route": {"targets": [{"provder": "x"}]}}}}, "did you mean .*targets.provider'"),
        ({"presets": {"p": {"route": [{"provder": "x"}]}}}, "did you mean .*route.provider'"),
        ({"presets": {"p": {"route": 5}}}, "route must be a string or a table or a list or null, not an integer"),
    ],
)
def test_the_settings_are_checked_to_the_bottom(table: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        config(**table)


def test_a_slip_in_a_target_is_told_with_file_and_line(tmp_path: Any) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[heavenbase.llm.routes.duo]\nkind = "balance"\n\ntargets = [{model = "x", wieght = 2}]\n')
    with pytest.raises(ConfigError, match=r"config\.toml:4: unknown key .*wieght'; did you mean .*weight'"):
        Config.load(user_file=path, environ={})


def test_the_credentials_of_targets_are_never_shown() -> None:
    targets = [
        {"model": "x", "keys": ["sk-shown-0001"], "args": {"api_key": "sk-shown-0002", "seed": 1}},
        {"route": {"targets": [{"model": "y", "keys": ["sk-shown-0003"]}]}},
        "plain",
    ]
    found = config(routes={"duo": {"targets": targets}}, presets={"p": {"route": targets}, "q": {"route": {
        "targets": targets}}})  # fmt: skip
    shown = f"{dict(found.items('heavenbase.llm'))} {found.section('heavenbase.llm')!r}"
    assert "sk-shown" not in shown
    assert all(word in shown for word in ("'x'", "'y'", "'plain'", "'seed': 1"))
