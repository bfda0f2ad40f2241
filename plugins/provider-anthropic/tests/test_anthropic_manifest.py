"""Anthropic as data: well formed, on its own wire, and true about its OpenAI-compatible endpoint."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import hb_provider_anthropic
import heavenbase as hb
from hb_testing.server import LoopbackServer
from heavenbase.discovery.manifest import check_manifest
from heavenbase.errors import LossyRequestError, LossyRequestWarning


def record(gateway: str) -> Any:
    return hb_provider_anthropic.plugin.resolve("anthropic", gateway, "claude-x")


def test_the_manifest_is_well_formed() -> None:
    path = Path(hb_provider_anthropic.__file__).with_name("provider.toml")
    assert check_manifest(tomllib.loads(path.read_text(encoding="utf-8"))) == []


def test_the_plugin_answers_for_its_own_name_only() -> None:
    assert record("anthropic")["wire"] == "anthropic"
    assert hb_provider_anthropic.plugin.resolve("openai", "anthropic", "m") is None


def test_rules_of_the_compatible_endpoint_are_for_the_openai_gateway_alone() -> None:
    assert "parameters" not in record("anthropic")
    assert record("anthropic")["capabilities"]["structured"] == "json_schema"
    assert record("openai")["capabilities"]["structured"] == "none"
    assert "seed" in record("openai")["parameters"][0]["drop"]


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("claude-from-tomorrow-9", "claude-from-tomorrow-9"),
        ("anthropic/claude-opus-5-5", "claude-opus-5-5"),
        ("anthropic:claude-opus-5-5", "claude-opus-5-5"),
    ],
)
def test_g01_models_are_found_by_their_prefix(model: str, found: str) -> None:
    with hb.Kernel() as kernel:
        spec = hb.LLM(model=model, api_key="k", kernel=kernel).spec
    assert (spec.model_id, spec.provider, spec.gateway) == (found, "anthropic", "anthropic")


@pytest.mark.parametrize(
    ("gateway", "url"), [("anthropic", "https://api.anthropic.com"), ("openai", "https://api.anthropic.com/v1")]
)
def test_each_gateway_has_its_address(gateway: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_BASE_URL", raising=False)
    with hb.Kernel() as kernel:
        assert (
            hb.LLM(model="sonnet", provider="anthropic", gateway=gateway, api_key="k", kernel=kernel).spec.base_url
            == url
        )


def test_g25_the_variables_are_read(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-env")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url("anthropic") + "/v1")
    with hb.Kernel() as kernel:
        assert hb.LLM(model="haiku", provider="anthropic", cache=False, kernel=kernel).chat("hi") == "echo: hi"
    assert server.requests[0].headers["x-api-key"] == "key-env"


def test_what_the_compatible_endpoint_ignores_is_dropped_and_reported(server: LoopbackServer) -> None:
    with hb.Kernel() as kernel:
        llm = hb.LLM(
            model="haiku",
            provider="anthropic",
            gateway="openai",
            base_url=server.url("openai"),
            api_key="k",
            cache=False,
            kernel=kernel,
        )
        with pytest.warns(LossyRequestWarning, match="seed is dropped"):
            llm.chat("hi", seed=7)
        assert llm.chat("hi", temperature=1.5, on_lossy="allow") == "echo: hi"
    assert "seed" not in server.requests[0].json
    assert server.requests[1].json["temperature"] == 1


def test_a_stop_that_the_wire_cannot_carry_is_refused_before_sending(server: LoopbackServer) -> None:
    with hb.Kernel() as kernel:
        llm = hb.LLM(
            model="haiku",
            provider="anthropic",
            base_url=server.url("anthropic"),
            api_key="k",
            cache=False,
            kernel=kernel,
        )
        with pytest.raises(LossyRequestError, match="white space"):
            llm.chat("hi", stop="\n")
    assert server.request_count == 0
