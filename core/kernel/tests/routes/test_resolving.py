"""A route resolved: the first target at once, the others when they are needed, slips in all of their names at once."""

from __future__ import annotations

from typing import Any

import pytest

from heavenbase.errors import (
    FallbackExhausted,
    HBError,
    InputError,
    InputTypeError,
    PluginLoadError,
    UnknownModelError,
    UnknownNameError,
)
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.plugin import Gateway
from heavenbase.routes import Route, Routing, Target
from heavenbase.spec import LLMSpec

from ..support import CodeProvider, ScriptedGateway, make_kernel

ROUTES = {
    "heavenbase.llm.routes.duo": {"targets": ["acme/a", "zeta/b"]},
    "heavenbase.llm.routes.outer": {"targets": [{"route": "duo"}, "acme/c"], "kind": "cascade"},
    "heavenbase.llm.presets.routed": {"model": "acme/alone", "route": "duo", "default_args": {"seed": 7}},
    "heavenbase.llm.presets.plain": {"model": "acme/p", "args": {"temperature": 0.25}},
}


class Broken(Gateway):
    """A gateway whose SDK is not there."""

    name = "broken"

    def check(self) -> None:
        raise PluginLoadError("its SDK is not installed")


def made(config: dict[str, Any] | None = None, **options: Any) -> Kernel:
    plugins = (
        ScriptedGateway(),
        Broken(),
        CodeProvider("acme"),
        CodeProvider("zeta", base_url="https://zeta.test/v1", api_key_env=["ZETA_KEY"]),
        CodeProvider("bad", gateway="broken", wire="other"),
    )
    environ = {"ZETA_KEY": "sk-zeta-000"}
    return make_kernel(config={**ROUTES, **(config or {})}, plugins=plugins, environ=environ, **options)


def routing(spec: LLMSpec) -> Routing:
    assert spec.route is not None
    return spec.route


def labels(spec: LLMSpec) -> list[str]:
    return [target.label for target in routing(spec).route.targets]


# Which route


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ({"model": ["acme/a", "zeta/b"]}, ["acme/a", "zeta/b"]),
        ({"model": ("acme/a",)}, ["acme/a"]),
        ({"model": {"targets": ["acme/a"]}}, ["acme/a"]),
        ({"model": Route((Target("acme/a"),))}, ["acme/a"]),
        ({"route": "duo"}, ["acme/a", "zeta/b"]),
        ({"route": ["acme/a"]}, ["acme/a"]),
        ({"route": {"targets": ["acme/a"]}}, ["acme/a"]),
        ({"route": Route((Target("acme/a"),))}, ["acme/a"]),
        ({"route": "outer"}, ["duo", "acme/c"]),
        ({"preset": "routed"}, ["acme/a", "zeta/b"]),
        ({"preset": "routed", "route": ["acme/c"]}, ["acme/c"]),
        ({"preset": "routed", "model": ["acme/c"]}, ["acme/c"]),
    ],
)
def test_the_spec_is_that_of_the_first_target(names: dict[str, Any], found: list[str]) -> None:
    llm = LLM(kernel=made(), **names)
    assert labels(llm.spec) == found
    first = found[0] if "/" in found[0] else "acme/a"
    assert (llm.spec.provider, llm.spec.model_id) == tuple(first.split("/"))
    assert routing(llm.spec).first.route is None
    assert "route" not in llm.spec.args


def test_a_model_of_its_own_goes_over_the_route_of_a_preset() -> None:
    spec = LLM("routed", model="zeta/x", kernel=made()).spec
    assert (spec.route, spec.model_id, spec.args["seed"]) == (None, "x", 7)


def test_the_default_preset_may_have_a_route() -> None:
    kernel = made({"heavenbase.llm.default_preset": "routed"})
    assert labels(LLM(kernel=kernel).spec) == ["acme/a", "zeta/b"]
    assert LLM(model="acme/x", kernel=kernel).spec.route is None


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"model": ["acme/a"], "route": "duo"}, "a list of models and route= say two things"),
        ({"route": "duo", "model": "acme/a"}, "the targets of a route say model, provider and gateway themselves"),
        ({"route": "duo", "provider": "acme"}, "the targets of a route say"),
        ({"route": "duo", "gateway": "scripted"}, "the targets of a route say"),
        ({"model": ["acme/a"], "provider": "acme"}, "the targets of a route say"),
        ({"preset": "routed", "provider": "acme"}, "the targets of the route of preset 'routed' say"),
        ({"preset": "routed", "gateway": "scripted"}, "the targets of the route of preset 'routed' say"),
    ],
)
def test_names_beside_a_route_are_refused(names: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        LLM(kernel=made(), **names)


def test_a_call_takes_no_route() -> None:
    for name, value in (("route", "duo"), ("model", ["acme/a"])):
        with pytest.raises(UnknownNameError, match=r"pass it to hb\.LLM"):
            LLM(model="acme/a", kernel=made()).chat("x", **{name: value})


@pytest.mark.parametrize("wrong", [5, b"x", object()])
def test_what_is_no_model_is_told(wrong: Any) -> None:
    with pytest.raises(InputTypeError, match="model must be a str"):
        LLM(model=wrong, kernel=made())


# What targets are resolved with


def test_presets_give_their_defaults_to_all_targets_that_name_none() -> None:
    found = routing(LLM("routed", kernel=made(), top_p=0.5).spec)
    for target, name in zip(found.route.targets, ("acme", "zeta"), strict=True):
        spec = found.spec_of(target)
        assert (spec.provider, spec.args["seed"], spec.args["top_p"]) == (name, 7, 0.5)


def test_the_arguments_of_a_target_are_its_own_and_those_of_the_caller_go_over_them() -> None:
    targets = [{"model": "acme/a", "args": {"temperature": 1, "top_p": 0.1}}, {"preset": "plain"}]
    found = routing(LLM(model=targets, kernel=made(), temperature=0.5).spec)
    assert [found.first.args[name] for name in ("temperature", "top_p")] == [0.5, 0.1]
    second = found.spec_of(found.route.targets[1])
    assert (second.model_id, second.preset, second.args["temperature"]) == ("p", "plain", 0.5)
    assert "top_p" not in second.args


def test_a_connection_belongs_to_the_provider_of_the_first_target_alone() -> None:
    own = {"api_key": "sk-mine-0000", "base_url": "https://mine.test/v1", "headers": {"x-a": "b"}}
    found = routing(LLM(model=["acme/a", "zeta/b", "acme/c"], kernel=made(), temperature=0.5, **own).spec)
    assert found.owner == "acme"
    assert found.connection.keys() == own.keys()
    assert set(found.options) == {"temperature"}
    assert (found.first.base_url, found.first.api_key.reveal()) == ("https://mine.test/v1", "sk-mine-0000")
    other = found.spec_of(found.route.targets[1])
    assert (other.base_url, other.api_key.reveal(), dict(other.headers)) == ("https://zeta.test/v1", "sk-zeta-000", {})
    same = found.spec_of(found.route.targets[2], found.connection)
    assert (same.base_url, same.api_key.reveal()) == ("https://mine.test/v1", "sk-mine-0000")
    assert "sk-mine" not in repr(found)


def test_a_connection_of_one_call_goes_to_the_first_provider_too() -> None:
    kernel = made()
    llm = LLM(model=["acme/a", "zeta/b"], kernel=kernel)
    moved = kernel.resolver.redirect(llm.spec, {"api_key": "sk-call-0000"})
    assert routing(moved).connection["api_key"] == "sk-call-0000"
    assert not routing(llm.spec).connection
    assert (routing(moved).owner, moved.api_key.reveal()) == ("acme", "sk-call-0000")


# When


def test_only_the_first_target_is_resolved_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = made()
    asked: list[Any] = []
    resolve_one = kernel.resolver.resolve_one
    monkeypatch.setattr(kernel.resolver, "resolve_one", lambda *names: asked.append(names[1]) or resolve_one(*names))
    found = routing(LLM(route="outer", kernel=kernel).spec)
    assert asked == ["acme/a"]
    assert found.spec_of(found.route.targets[1]).model_id == "c"
    assert asked == ["acme/a", "acme/c"]


@pytest.mark.parametrize("provider", ["acme", "bad"])
def test_a_second_target_whose_gateway_is_broken_does_no_harm(provider: str) -> None:
    second = {"model": "m", "provider": provider, "gateway": "broken"}
    kernel = made({"heavenbase.llm.strict_plugins": True})
    found = routing(LLM(model=["acme/a", second], kernel=kernel).spec)
    with pytest.raises(PluginLoadError, match="its SDK is not installed"):
        found.spec_of(found.route.targets[1])


def test_a_first_target_whose_gateway_is_broken_stands_for_itself_with_nothing_of_another() -> None:
    kernel = made({"heavenbase.llm.strict_plugins": True})
    first = {"model": "m", "provider": "bad", "gateway": "broken"}
    llm = LLM(model=[first, "zeta/b"], kernel=kernel, seed=7, api_key="sk-of-bad-0001")
    spec, found = llm.spec, routing(llm.spec)
    assert (spec.provider, spec.model, spec.base_url, spec.api_key, dict(spec.args)) == (
        "bad",
        "m",
        None,
        None,
        {"seed": 7},
    )
    unset = {
        "heavenbase.llm.routes.unset": {"targets": [{"model": "acme/a", "args": {"user": "${env:NOT_SET}"}}, "zeta/b"]}
    }
    assert LLM(route="unset", kernel=made(unset)).spec.provider == "acme"
    assert isinstance(found.problem, PluginLoadError)
    assert found.owner == "bad"
    with pytest.raises(PluginLoadError, match="its SDK is not installed"):
        llm.to_client()
    with pytest.raises(PluginLoadError, match="its SDK is not installed"):
        LLM(model=[first], kernel=kernel)
    with pytest.raises(FallbackExhausted, match=r"bad/m: .*its SDK is not installed.*; bad/n: .*its SDK") as caught:
        LLM(model=[first, {**first, "model": "n"}], kernel=kernel)
    assert [type(error) for _, error in caught.value.errors] == [PluginLoadError, PluginLoadError]


SLIPS: list[tuple[Any, type[HBError], str]] = [
    ("acmee/b", UnknownModelError, "acme"),
    ({"model": "b", "provider": "zetta"}, UnknownNameError, "unknown provider 'zetta'; did you mean 'zeta'"),
    ({"preset": "plian"}, UnknownNameError, "unknown preset 'plian'; did you mean 'plain'"),
    ({"model": "acme/b", "gateway": "scriptd"}, UnknownNameError, "unknown gateway 'scriptd'; did you mean 'scripted'"),
    ({"model": "acme/b", "args": {"temprature": 1}}, UnknownNameError, "did you mean 'temperature'"),
    ({"model": "acme/b", "args": {"max_retries": -1}}, InputError, "max_retries must be at least 0"),
    ({"route": "dou"}, UnknownNameError, "unknown route 'dou'; did you mean 'duo'"),
    ({"preset": "routed"}, InputError, "preset 'routed' has a route, and cannot be a target"),
]


@pytest.mark.parametrize(("slip", "error", "told"), SLIPS)
def test_slips_of_any_target_are_told_at_once(slip: Any, error: type[HBError], told: str) -> None:
    kernel = made()
    for targets in (["acme/a", slip], [slip, "acme/a"], ["acme/a", ["zeta/b", slip]]):
        with pytest.raises(error, match=told):
            LLM(model=targets, kernel=kernel)


def test_a_slip_in_the_arguments_of_a_target_says_whose_they_are() -> None:
    with pytest.raises(UnknownNameError, match="it comes from the target acme/b"):
        LLM(model=["acme/a", {"model": "acme/b", "args": {"temprature": 1}}], kernel=made())


def test_an_unknown_route_says_how_to_add_one_where_there_is_none() -> None:
    kernel = made({"heavenbase.llm.routes": {}})
    with pytest.raises(UnknownNameError, match="unknown route 'dou'"):
        LLM(route="dou", kernel=made())
    bare = make_kernel()
    with pytest.raises(UnknownNameError, match=r"add one: hb cfg set heavenbase\.llm\.routes\.duo\.targets"):
        LLM(route="duo", kernel=bare)
    kernel.close()


# Memory


def test_equal_routes_are_resolved_once() -> None:
    kernel = made()
    first = LLM(model=["acme/a", "zeta/b"], kernel=kernel, seed=1).spec
    assert LLM(model=["acme/a", "zeta/b"], kernel=kernel, seed=1).spec is first
    assert LLM(model=("acme/a", "zeta/b"), kernel=kernel, seed=1).spec is first
    assert LLM(route="duo", kernel=kernel).spec is LLM(route="duo", kernel=kernel).spec
    assert LLM("routed", kernel=kernel).spec is LLM("routed", kernel=kernel).spec
    route = Route((Target("acme/a"),))
    assert LLM(route=route, kernel=kernel).spec is LLM(route=route, kernel=kernel).spec


def test_other_routes_options_and_types_of_values_are_not_confused() -> None:
    kernel = made()
    first = LLM(model=["acme/a", "zeta/b"], kernel=kernel, seed=1).spec
    for options in ({"seed": 2}, {}, {"seed": 1, "top_p": 1}):
        assert LLM(model=["acme/a", "zeta/b"], kernel=kernel, **options).spec is not first
    assert LLM(model=["zeta/b", "acme/a"], kernel=kernel, seed=1).spec is not first
    assert LLM("plain", model=["acme/a", "zeta/b"], kernel=kernel, seed=1).spec is not first
    heat = LLM(model=["acme/a", "zeta/b"], kernel=kernel, temperature=1).spec
    cool = LLM(model=["acme/a", "zeta/b"], kernel=kernel, temperature=1.0).spec
    for spec, kind in ((heat, int), (cool, float)):
        assert type(spec.args["temperature"]) is kind
        assert type(routing(spec).options["temperature"]) is kind


def test_a_variable_that_changes_is_seen() -> None:
    import os
    from unittest.mock import patch

    from heavenbase.config.config import Config

    with patch.dict(os.environ, {"ACME_KEY": "sk-one-0000"}):
        config = {
            "heavenbase.llm.providers.acme": {"api_key": "${env:ACME_KEY}"},
            "heavenbase.llm.cache.enabled": False,
        }
        kernel = Kernel(Config.from_dict(config, environ=os.environ), plugins=[ScriptedGateway(), CodeProvider("acme")],
                        discover_plugins=False)  # fmt: skip
        llm = LLM(model=[{"model": "acme/a", "gateway": "scripted"}, {"model": "acme/b", "gateway": "scripted"}],
                  kernel=kernel)  # fmt: skip
        assert llm.spec.api_key.reveal() == "sk-one-0000"
        os.environ["ACME_KEY"] = "sk-two-0000"
        again = LLM(model=[{"model": "acme/a", "gateway": "scripted"}, {"model": "acme/b", "gateway": "scripted"}],
                    kernel=kernel)  # fmt: skip
        assert again.spec.api_key.reveal() == "sk-two-0000"
        kernel.close()


def test_a_spec_with_a_route_says_so() -> None:
    spec = LLM(route="outer", kernel=made()).spec
    assert routing(spec).route.depth == 2
    assert routing(spec).route.label == "outer"
    assert routing(spec).first is not spec


def test_keys_of_targets_in_the_settings_may_be_references() -> None:
    targets = [{"model": "acme/a", "keys": ["${env:ZETA_KEY}", "sk-plain-000"]}]
    kernel = made({"heavenbase.llm.routes.turns": {"targets": targets}})
    (target,) = routing(LLM(route="turns", kernel=kernel).spec).route.targets
    assert [key.reveal() for key in target.keys] == ["sk-zeta-000", "sk-plain-000"]
