"""LLMSpec: equality by keys, no secret in anything that shows it, capabilities, rules, and the clocks of a call."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError, replace
from types import MappingProxyType
from typing import Any

import pytest

from heavenbase.errors import InputError, InputTypeError, UnknownNameError
from heavenbase.secrets import Secret
from heavenbase.spec import LLMSpec, Timeouts

from .support import make_kernel


def spec(**options: Any) -> LLMSpec:
    return make_kernel().resolve(**options)


def test_hb32_hash_key_is_stable_and_changes_with_temperature() -> None:
    assert spec().hash_key() == spec().hash_key()
    assert len(spec().hash_key()) == 64
    int(spec().hash_key(), 16)
    assert spec(temperature=0.5).hash_key() != spec().hash_key()
    assert spec(model="acme/other").hash_key() != spec().hash_key()
    assert spec(logprobs=1).hash_key() != spec(logprobs=True).hash_key()


@pytest.mark.parametrize("options", [{"temperature": 0.5}, {"seed": 7}, {"stop": ["x"]}, {"model": "acme/other"}])
def test_hb32_client_key_is_unchanged_by_what_no_client_is_built_from(options: dict[str, Any]) -> None:
    assert spec(**options).client_key() == spec().client_key()


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 7},
        {"api_key": "sk-other-000"},
        {"base_url": "https://other.test/v1"},
        {"headers": {"X-Team": "a"}},
        {"max_retries": 1},
        {"https_proxy": "http://proxy.test:3128"},
    ],
)
def test_hb32_client_key_changes_with_each_thing_a_client_is_built_from(options: dict[str, Any]) -> None:
    assert spec(**options).client_key() != spec().client_key()
    assert spec(**options).hash_key() != spec().hash_key()


def test_what_shares_a_retry_budget_is_address_and_credential() -> None:
    assert spec(timeout=7, model="acme/other", max_retries=0).target_key() == spec().target_key()
    assert spec(api_key="sk-other-000").target_key() != spec().target_key()
    assert spec(base_url="https://other.test/v1").target_key() != spec().target_key()


def test_equal_specs_are_equal_and_hash_alike() -> None:
    assert spec() == spec()
    assert {spec(), spec()} == {spec()}
    assert spec() != spec(seed=1)
    assert spec() != "spec"


def test_a_spec_cannot_be_changed() -> None:
    found = spec()
    with pytest.raises(FrozenInstanceError):
        found.model = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        found.args["seed"] = 1  # type: ignore[index]


def test_hb43_no_key_in_anything_that_shows_a_spec() -> None:
    found = spec(
        api_key="sk-canary-123",
        headers={"Authorization": "Bearer sk-canary-123"},
        extra_headers={"X-Key": "sk-canary-123"},
        https_proxy="http://user:sk-canary-123@proxy.test",
    )
    shown = [repr(found), str(found), json.dumps(found.to_dict(), default=str), repr(found.with_args(seed=1))]
    for text in shown:
        assert "sk-canary-123" not in text
    assert found.to_dict()["api_key"] == "<redacted>"
    assert found.to_dict()["headers"] == {"Authorization": "<redacted>"}


def test_with_args_lays_arguments_over_and_moves_the_clock() -> None:
    base = spec(timeout=30)
    changed = base.with_args(temperature=0.9, timeout=5)
    assert changed.args["temperature"] == 0.9
    assert changed.timeouts.total == 5
    assert {"temperature", "timeout"} <= changed.explicit
    assert changed.hash_key() != base.hash_key()
    assert (base.args["temperature"], base.timeouts.total) == (0, 30)


def made(**fields: Any) -> LLMSpec:
    return LLMSpec("p", "m", "m-1", "acme", "openai", "openai", **fields)


def test_values_keyed_by_gateway_fall_back_to_the_default_entry() -> None:
    found = made(provider_record={"backend": {"default": "a", "portkey": "b"}, "vision": "openai"})
    assert found.provider_backend() == "a"
    assert found.provider_backend("portkey") == "b"
    assert found.provider_value("vision") == "openai"
    assert made().provider_backend() == "acme"


def test_the_models_word_on_a_capability_beats_the_providers() -> None:
    found = made(
        model_record={"capabilities": {"vision": True}},
        provider_record={"capabilities": {"vision": False, "tools": False}},
    )
    assert found.capability("vision") is True
    assert found.capability("tools") is False
    assert found.capability("audio") is None
    assert found.capability("audio", "unknown") == "unknown"


def test_what_a_model_refuses_is_a_rule_before_the_others_unless_they_name_it_for_the_model() -> None:
    endpoint = {"rename": {"seed": "random_seed"}, "drop": {"n": "one answer"}}
    about = {"models": ["*"], "unless": {"effort": ["none"]}, "drop": {"temperature": "it thinks"}}
    elsewhere = {"models": ["none-such"], "clamp": {"top_p": {"max": 1}}}
    record = {"parameters": [endpoint, about, elsewhere]}
    able = {"capabilities": {"refused_parameters": ["seed", "temperature", "top_p"]}}
    dropped = {"drop": {"seed": "the model refuses it", "top_p": "the model refuses it"}}
    found = made(provider_record=record, model_record=able)
    assert found.parameter_rules() == [dropped, endpoint, about]
    assert found.parameter_rules({"effort": "none"}) == [dropped, endpoint]
    assert found.message_rules() == []
    undone = made(provider_record={**record, **able}, model_record={"capabilities": {"refused_parameters": []}})
    assert undone.parameter_rules() == [endpoint, about]


def test_parameter_rules_apply_by_model_pattern_and_by_arguments() -> None:
    rules = [
        {"models": ["m-*"], "drop": {"seed": "no"}},
        {"models": ["x*"], "drop": {"stop": "no"}},
        {"when": {"think": [True]}, "drop": {"temperature": "no"}},
        {"unless": {"think": [True]}, "drop": {"effort": "no"}},
    ]
    found = made(provider_record={"parameters": rules})
    assert [list(rule["drop"]) for rule in found.parameter_rules({"think": True})] == [["seed"], ["temperature"]]
    assert [list(rule["drop"]) for rule in found.parameter_rules()] == [["seed"], ["effort"]]


def test_dim_comes_from_the_arguments_then_from_the_model() -> None:
    assert made(model_record={"dim": 768}).dim == 768
    assert made(model_record={"dim": 768}, args={"dim": 256}).dim == 256
    assert made().dim is None


def test_keys_are_made_of_values_that_json_does_not_know() -> None:
    def answer() -> str:
        return ""

    odd = {"mock": answer, "tags": {"b", "a"}, "blob": b"\x00", "view": MappingProxyType({"a": 1})}
    assert made(args=odd).hash_key() == made(args=dict(odd)).hash_key()
    assert made(args=odd).hash_key() != made(args={**odd, "mock": lambda: ""}).hash_key()
    assert made(args={"text": "\ud800"}).hash_key()
    assert made(api_key=Secret("a")).client_key() != made(api_key=Secret("b")).client_key()


def test_a_client_without_a_key_serves_no_provider_that_needs_one() -> None:
    free = made(api_key=None, provider_record={"api_key_optional": True})
    assert free.client_key() != made(api_key=None).client_key()
    assert replace(free, api_key=Secret("a")).client_key() == made(api_key=Secret("a")).client_key()


def test_what_is_asked_of_a_spec_is_the_callers_own() -> None:
    found = made(provider_record={"parameters": [{"drop": {"seed": "none"}}]})
    found.parameter_rules().clear()
    assert found.parameter_rules()
    assert made(provider_record={"parameters": None}).parameter_rules() == []


def test_a_number_is_the_total_limit_and_a_mapping_names_clocks() -> None:
    limits = Timeouts()
    assert limits.merged(7).total == 7
    assert limits.merged({"idle": 3, "total": None}) == Timeouts(idle=3, total=None)
    assert limits.merged(None) is limits
    assert limits.merged(Timeouts(connect=1)).connect == 1


@pytest.mark.parametrize("wrong", [True, "5", [5], {"idle": "5"}, {"idle": True}])
def test_a_limit_of_the_wrong_type_is_an_input_error(wrong: object) -> None:
    with pytest.raises(InputTypeError, match="timeout"):
        Timeouts().merged(wrong)


@pytest.mark.parametrize("wrong", [0, -1, math.inf, math.nan, pytest.param(10**5000, id="long"), 1e300, {"idel": 3}])
def test_a_limit_that_cannot_be_kept_is_an_input_error(wrong: object) -> None:
    with pytest.raises(InputError, match=r"positive|did you mean 'idle'\? choices: connect"):
        Timeouts().merged(wrong)


def test_a_misspelt_clock_of_timeout_is_told_with_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'total'") as caught:
        make_kernel().resolve(timeout={"totl": 5})
    assert caught.value.nearest == "total"


def test_a_rule_about_parameters_may_be_for_one_gateway() -> None:
    rules = [{"gateways": ["openai"], "drop": {"seed": "no"}}, {"drop": {"stop": "no"}}]
    record = {"parameters": rules}
    for gateway, expected in (("openai", rules), ("other", rules[1:])):
        spec = LLMSpec(None, "m", "m", "p", gateway, requested_gateway=gateway, provider_record=record)
        assert spec.parameter_rules() == expected
