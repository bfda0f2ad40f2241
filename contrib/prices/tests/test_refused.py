"""Parameters that a model refuses: known by its maker's manifest, left out and reported wherever it is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from click.testing import CliRunner

from hb_cli import State
from hb_prices import Prices
from hb_prices.cli import command
from hb_prices.refused import refused_parameters
from hb_testing.server import LoopbackServer, OpenAIWire
from heavenbase import LLM, Kernel
from heavenbase.errors import LossyRequestError
from heavenbase.types import ParameterEntry

THINKS = ["frequency_penalty", "logit_bias", "logprobs", "presence_penalty", "temperature", "top_logprobs", "top_p"]
CUSTOM: Mapping[str, Any] = {
    "heavenbase.llm.providers.acme": {"gateway": "openai", "api_key": "k", "allow_unknown_models": True},
    "heavenbase.tables.prices.models": {"acme/*": {"like": "openai/gpt-5"}},
}
WAYS: list[tuple[str, str, Mapping[str, Any]]] = [
    ("openrouter", "openai/gpt-5", {}),
    ("azure", "gpt-5", {}),
    ("acme", "big", CUSTOM),
]


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(wires=[OpenAIWire(name="any", base="/v1")], strict=False) as running:
        yield running


def told_of(llm: LLM, **options: Any) -> Mapping[str, ParameterEntry]:
    report = llm.complete("hi", on_lossy="allow", **options).report
    assert report is not None
    return report.entries


def made(server: LoopbackServer, kernel: Kernel, provider: str, model: str) -> LLM:
    url = server.url("any")
    return LLM(model=model, provider=provider, base_url=url, api_key="k", kernel=kernel, cache=False, gateway="openai")


@pytest.mark.parametrize(("provider", "model", "settings"), WAYS)
def test_they_are_left_out_and_reported_elsewhere(
    server: LoopbackServer, provider: str, model: str, settings: Mapping[str, Any]
) -> None:
    with Kernel(settings) as kernel:
        llm = made(server, kernel, provider, model)
        told = told_of(llm, temperature=0.2, stop=["x"], seed=7)
        body = server.requests[-1].json
        assert {"temperature", "stop"}.isdisjoint(body)
        assert body["seed"] == 7
        assert (told["stop"].outcome, told["stop"].reason) == ("dropped", "the model refuses it")
        assert told["temperature"].outcome == "dropped"
        with pytest.raises(LossyRequestError, match="stop"):
            llm.complete("hi", stop=["x"], on_lossy="error")
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("provider", "model", "settings"),
    [
        ("openrouter", "openai/gpt-5", {"heavenbase.llm.providers.openrouter.capabilities.refused_parameters": []}),
        (
            "openrouter",
            "openai/gpt-5",
            {"heavenbase.llm.models.gpt-5.providers.openrouter": {
                "id": "openai/gpt-5", "capabilities": {"refused_parameters": []}}},
        ),
        ("acme", "big", {**CUSTOM, "heavenbase.llm.providers.acme.capabilities.refused_parameters": []}),
        ("openrouter", "openai/gpt-5", {"heavenbase.llm.table": None}),
        ("openrouter", "openai/gpt-5-chat", {}),  # in the same row of the table, and takes one
        ("openrouter", "openai/gpt-4o", {}),
    ],
)  # fmt: skip
def test_settings_undo_it_and_others_are_not_touched(
    server: LoopbackServer, provider: str, model: str, settings: Mapping[str, Any]
) -> None:
    with Kernel(settings) as kernel:
        told = told_of(made(server, kernel, provider, model), temperature=0.2)
        assert server.requests[-1].json["temperature"] == 0.2
        assert told["temperature"].outcome == "sent"


def test_the_reason_of_a_manifest_is_told_where_it_has_one(server: LoopbackServer) -> None:
    for provider in ("openai", "azure"):
        with Kernel({}) as kernel:
            told = told_of(made(server, kernel, provider, "o3"), temperature=0.2)["temperature"]
            assert told.outcome == "dropped"
            assert told.reason != "the model refuses it"


@pytest.mark.parametrize(
    ("model_id", "names"),
    [
        ("o3", [*THINKS, "parallel_tool_calls", "stop"]),
        ("openai/o3-mini:batch", [*THINKS, "parallel_tool_calls"]),
        ("global.openai.gpt-6-sol", [*THINKS, "stop"]),
        ("GPT-5-2025-08-07", [*THINKS, "stop"]),
        ("x-ai/grok-4.5", ["frequency_penalty", "presence_penalty", "stop"]),
        ("gpt-5.5", []),  # only while it thinks
        ("gpt-5-1", []),
        ("gpt-5-chat-latest", []),
        ("openai/gpt-oss-120b", []),
        ("ft:o3", []),
        ("", []),
    ],
)
def test_a_name_means_the_makers_model(model_id: str, names: list[str]) -> None:
    assert refused_parameters(model_id) == sorted(names)


def test_what_the_table_does_not_know_refuses_nothing(prices: Prices) -> None:
    assert "refused_parameters" in prices.facts("azure", "o3")
    for provider, model in (("azure", "o3-of-a-team"), ("ollama", "o3"), ("openai", "o3-no-such")):
        assert prices.facts(provider, model) == {}


def test_the_command_line_shows_them() -> None:
    with Kernel({}, environ={}) as kernel:
        for arguments, shown in (
            (["openai/o3"], "refused_parameters: frequency_penalty, logit_bias, "),
            (["openai/o3", "--json"], '"refused_parameters": ['),
        ):
            run = CliRunner().invoke(command, arguments, obj=State(kernel), standalone_mode=False)
            assert shown in run.output


def test_the_listing_of_models_shows_them() -> None:
    environ = {**os.environ, "OPENAI_API_KEY": "k"}
    command = [sys.executable, "-m", "hb_cli", "models", "-b", "openai", "--json"]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
    found = {each["model"]: each["known"]["openai"]["capabilities"] for each in json.loads(run.stdout)["models"]}
    assert found["gpt-5.5-pro"]["refused_parameters"] == sorted([*THINKS, "stop"])
    assert "refused_parameters" not in found["gpt-5.5"]
