"""The rules of provider manifests: what is wrong is named by its path, with the nearest key."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from heavenbase.discovery.manifest import check_manifest
from heavenbase.spec import LLMSpec

GOOD: dict[str, Any] = {
    "provider": {
        "name": "acme",
        "gateway": "openai",
        "wire": "openai",
        "base_url": {"default": "https://api.acme.test/v1", "anthropic": "https://api.acme.test"},
        "api_key_env": ["ACME_API_KEY"],
        "capabilities": {"chat": True, "structured": "json_object", "reasoning_efforts": ["low", "high"]},
        "options": {"anything": {"goes": 1}},
        "parameters": [
            {
                "models": ["a*"],
                "when": {"n": [1, 2]},
                "unless": {"reasoning_effort": ["none"]},
                "rename": {"max_tokens": "limit"},
                "drop": {"seed": "there is none"},
                "clamp": {"temperature": {"min": 0, "max": 1.5}, "reasoning_effort": {"map": {"max": "high"}}},
            }
        ],
    },
    "models": {"acme-1": {"providers": {"acme": {"id": "one", "unset": ["seed"]}, "other": "acme/one"}, "dim": 3}},
    "presets": {"acme": {"model": "acme-1", "default_args": {"think": False}}},
}


def with_provider(**fields: Any) -> dict[str, Any]:
    return {**GOOD, "provider": {**GOOD["provider"], **fields}}


def test_a_good_manifest_has_no_complaints() -> None:
    assert check_manifest(GOOD) == []


@pytest.mark.parametrize(
    ("manifest", "complaint"),
    [
        ({}, "provider: missing; a manifest needs a table [provider]"),
        ({"provider": "acme"}, "provider: must be a table, not a string"),
        (with_provider(base_ulr="x"), "provider.base_ulr: unknown key; did you mean 'base_url'?"),
        (with_provider(zzz=1), "provider.zzz: unknown key"),
        (with_provider(prefixes="acme-"), "provider.prefixes: must be a list of strings, not a string"),
        (with_provider(prefixes=[""]), "provider.prefixes: must be a list of strings, not a list"),
        (with_provider(api_key_optional=1), "provider.api_key_optional: must be true or false, not int"),
        (with_provider(base_url="acme.test"), "provider.base_url: must begin with https:// or http://"),
        (
            with_provider(base_url="https://me:secret@acme.test"),
            "provider.base_url: holds a user name or password; name a variable in api_key_env",
        ),
        (
            with_provider(base_url=3),
            "provider.base_url: must be a string or a table of strings by gateway, not int",
        ),
        (
            with_provider(api_key="sk-secret"),
            "provider.api_key: a manifest must not hold a credential; name its variable in provider.api_key_env",
        ),
        (
            with_provider(image_endpoint="chats"),
            "provider.image_endpoint: must be one of images, chat, not 'chats'; did you mean 'chat'?",
        ),
        (
            with_provider(capabilities={"visoin": True}),
            "provider.capabilities.visoin: unknown key; did you mean 'vision'?",
        ),
        (with_provider(capabilities=[]), "provider.capabilities: must be a table, not a list"),
        (with_provider(parameters={}), "provider.parameters: must be a list of tables, not a table"),
        (
            with_provider(parameters=[{"models": ["a"]}]),
            "provider.parameters[0]: does nothing; add rename, drop or clamp",
        ),
        (
            with_provider(parameters=[{"drop": ["seed"]}]),
            "provider.parameters[0].drop: must be a table of strings, not a list",
        ),
        (
            with_provider(parameters=[{"clamp": {"n": {"maximum": 1}}}]),
            "provider.parameters[0].clamp.n.maximum: unknown key; did you mean 'max'?",
        ),
        ({**GOOD, "model": {}}, "model: unknown key; did you mean 'models'?"),
        ({**GOOD, "models": {"m": 1}}, "models.m: must be a table, not int"),
        ({**GOOD, "models": {"m": {"dim": True}}}, "models.m.dim: must be a whole number, not true or false"),
        (
            {**GOOD, "models": {"m": {"providers": {"acme": ""}}}},
            "models.m.providers.acme: must be the native id, or a table with id, not a string",
        ),
        ({**GOOD, "models": {"m": {"providers": {"acme": {}}}}}, "models.m.providers.acme.id: missing"),
        ({**GOOD, "presets": {"p": {}}}, "presets.p.model: missing"),
        ({**GOOD, "presets": {"p": {"model": "m", "args": {}}}}, "presets.p.args: unknown key"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(manifest: dict[str, Any], complaint: str) -> None:
    assert complaint in check_manifest(manifest)


def test_a_record_needs_name_gateway_and_wire() -> None:
    assert check_manifest({"provider": {}}) == [
        "provider.name: missing",
        "provider.gateway: missing",
        "provider.wire: missing",
    ]


def test_no_complaint_repeats_a_credential() -> None:
    manifest = with_provider(
        api_key="sk-secret-1", token="sk-secret-2", headers="sk-secret-3", api_key_env="sk-secret-4"
    )
    complaints = check_manifest(manifest)
    assert len(complaints) == 4
    assert "sk-secret" not in " ".join(complaints)


def test_rules_of_parameters_apply_by_model_and_by_what_is_sent() -> None:
    rules = [
        {"rename": {"a": "b"}},
        {"models": ["x*"], "drop": {"seed": "x"}},
        {"when": {"effort": ["high"]}, "drop": {"seed": "when"}},
        {"unless": {"effort": ["none"]}, "drop": {"seed": "unless"}},
    ]
    record = MappingProxyType({"parameters": rules})
    spec = LLMSpec(None, "y", "y1", "acme", "openai", requested_gateway="openai", provider_record=record)
    assert spec.parameter_rules() == [rules[0], rules[3]]
    assert spec.parameter_rules({"effort": "high"}) == [rules[0], rules[2], rules[3]]
    assert spec.parameter_rules({"effort": "none"}) == [rules[0]]
