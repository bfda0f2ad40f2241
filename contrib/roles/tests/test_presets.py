"""Roles as presets, providers of all kinds, and what a hub leaves alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from hb_roles import ConfigError, LLMHub, role_settings
from hb_testing.server import LoopbackServer
from heavenbase.errors import PluginLoadError

from .conftest import Made


def test_a_role_is_a_preset_of_the_hubs_kernel(made: Made, server: LoopbackServer) -> None:
    hub = made()
    llm = hb.LLM(preset="llm.inference", kernel=hub.kernel)
    assert llm.chat("hi") == "echo: hi"
    assert server.requests[0].json["temperature"] == 0.7
    assert (llm.spec.preset, llm.spec.model_id) == ("llm.inference", "claude-3-5-sonnet-20241022")


def test_a_role_is_a_preset_of_the_default_kernel_over_the_users_settings(
    page: dict[str, Any], environ: dict[str, str], server: LoopbackServer
) -> None:
    config = hb.Config.load(overrides=role_settings(page), environ=environ)
    with hb.Kernel(config) as kernel:
        hb.set_default_kernel(kernel)
        try:
            assert hb.LLM("llm.inference", cache=False).chat("hi") == "echo: hi"
        finally:
            hb.set_default_kernel(None)
    assert server.requests[0].headers["x-api-key"] == "key-of-anthropic"


@pytest.mark.parametrize("name", ["chat", "reason", "embed", "Chat", "chat-pro", "chat.pro"])
def test_a_role_with_the_name_of_a_preset_of_hb_takes_its_place_whole(
    made: Made, page: dict[str, Any], server: LoopbackServer, name: str
) -> None:
    page["roles"] = {name: {"provider": "openai", "model": "gpt-4o-mini", "mode": "chat", "params": {"top_p": 0.5}}}
    hub = made()
    hub.completion(name, "hi")
    hb.LLM(preset=name, kernel=hub.kernel).chat("hi")
    for request in server.requests:
        assert request.json == {
            "model": "gpt-4o-mini",
            "messages": [{"role": "user", "content": "hi"}],
            "top_p": 0.5,
        }


def test_an_endpoint_of_ones_own_gets_the_models_as_they_are_written(
    made: Made, page: dict[str, Any], server: LoopbackServer, environ: dict[str, str]
) -> None:
    page["providers"]["house"] = {"env_key": "HOUSE_KEY", "base_url": server.url("openai")}
    environ["HOUSE_KEY"] = "key-of-the-house"
    for model in ("llama-9", "gpt-4o-mini", "ds-flash", "deepseek/deepseek-v4-flash", "claude-sonet-5"):
        page["roles"][f"its {model}"] = {"provider": "house", "model": model, "mode": "chat"}
    hub = made()
    for role in hub.roles[3:]:
        hub.completion(role, "hi")
    assert [f"its {request.json['model']}" for request in server.requests] == hub.roles[3:]
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer key-of-the-house"}


def test_a_base_url_moves_a_known_provider(
    made: Made, page: dict[str, Any], server: LoopbackServer, environ: dict[str, str]
) -> None:
    del environ["ANTHROPIC_BASE_URL"]
    page["providers"]["anthropic"]["base_url"] = server.url("anthropic")
    made().completion("llm.inference", "hi")
    assert server.requests[0].path == "/anthropic/v1/messages"


def test_a_provider_has_the_other_names_that_hb_knows_it_by(made: Made, page: dict[str, Any]) -> None:
    page["providers"] |= {"xai": {"env_key": "XAI_API_KEY"}}
    page["roles"]["it"] = {"provider": "xai", "model": "grok-4", "mode": "chat"}
    assert made().target("it").provider == "grok"
    page["providers"]["grok"] = None
    with pytest.raises(ConfigError, match=r"^providers\.grok: is the same provider as 'xai': grok"):
        made()


def test_a_provider_that_hb_has_not_keeps_no_other_role_from_its_calls(made: Made, page: dict[str, Any]) -> None:
    page["providers"]["fireworkz"] = {"env_key": "FIRE_KEY"}
    page["roles"]["it"] = {"provider": "fireworkz", "model": "m", "mode": "chat"}
    hub = made()
    assert hub.completion("llm.preprocess", "hi").choices
    with pytest.raises(ConfigError, match=r"^providers\.fireworkz: hb has no provider 'fireworkz'.*base_url"):
        hub.completion("it", "hi")
    with pytest.raises(ConfigError, match="fireworkz"):
        role_settings(page)


def test_a_provider_that_is_not_installed_is_told_with_its_pip_line(
    page: dict[str, Any], environ: dict[str, str]
) -> None:
    with LLMHub(config_obj=page, environ=environ, kernel_options={"discover_plugins": False}) as hub:  # noqa: SIM117
        with pytest.raises((PluginLoadError, ConfigError), match=r"providers\.openai: .*openai"):
            hub.completion("llm.preprocess", "hi")


def test_answers_are_not_kept_unless_that_is_asked_for(made: Made, server: LoopbackServer, tmp_path: Path) -> None:
    hub = made()
    for _ in range(2):
        hub.completion("llm.preprocess", "hi", {"temperature": 0})
    assert len(server.requests) == 2
    kept = {"heavenbase.llm.cache": {"enabled": True, "path": str(tmp_path / "cache.db")}}
    asked = made(settings=kept)
    for _ in range(2):
        asked.completion("llm.preprocess", "hi", {"temperature": 0})
    assert len(server.requests) == 3


def test_settings_of_hb_can_be_given(made: Made, environ: dict[str, str], server: LoopbackServer) -> None:
    environ["OPENAI_BASE_URL"] = server.url("openai", fault="S5.500")
    hub = made(settings={"heavenbase.llm.retry.max_attempts": 2})
    with pytest.raises(hb.HBError) as raised:
        hub.completion("llm.preprocess", "hi")
    assert len(raised.value.attempts) == len(server.requests) == 2


def test_importing_the_package_loads_neither_pydantic_nor_yaml() -> None:
    code = "import sys, hb_roles; print(sorted({'pydantic', 'yaml', 'heavenbase.kernel', 'openai'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
