"""`hb models`, `hb providers`, `hb llm list` and `hb llm status`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hb_testing.server import LoopbackServer
from heavenbase.discovery.inventory import Inventory, discover

Run = Callable[..., Any]


def test_models_are_listed_with_aliases_and_native_ids(run: Run) -> None:
    code, out, err = run("models")
    assert (code, err) == (0, "")
    (line,) = [line for line in out.splitlines() if line.startswith("deepseek-v4-flash ")]
    assert "ds-flash" in line
    assert "openrouter: deepseek/deepseek-v4-flash, deepseek: deepseek-v4-flash" in line


def test_models_of_one_provider(run: Run) -> None:
    rows = json.loads(run("models", "--provider", "DeepSeek", "--json").out)["models"]
    assert {row["model"] for row in rows} >= {"deepseek-v4-flash", "deepseek-v4-pro"}
    assert all(list(row["providers"]) == ["deepseek"] for row in rows)
    code, _, err = run("models", "-b", "depseek")
    assert code == 2
    assert "did you mean 'deepseek'?" in err


def test_a_model_of_the_settings_is_listed(run: Run) -> None:
    run("cfg", "set", 'heavenbase.llm.models."my.model".providers.openai', "my-id")
    rows = json.loads(run("models", "--json").out)["models"]
    assert [row["providers"] for row in rows if row["model"] == "my.model"] == [{"openai": "my-id"}]


def test_providers_say_whether_their_key_is_set(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-listed-secret")
    run("cfg", "set", "heavenbase.llm.providers.groq.api_key", "${env:MY_GROQ}")
    run("cfg", "set", "heavenbase.llm.providers.deepseek.api_key", "-", input="sk-configured")
    run("cfg", "set", "heavenbase.llm.providers.acme.base_url", "https://user:pw@acme.test/v1")
    code, out, err = run("providers", "--json")
    assert (code, err) == (0, "")
    rows = {row["provider"]: row for row in json.loads(out)["providers"]}
    assert rows["openai"]["key"] == "set: OPENAI_API_KEY"
    assert rows["openrouter"]["key"] == "not set: OPENROUTER_API_KEY"
    assert rows["groq"]["key"] == "not set: MY_GROQ"
    assert rows["deepseek"]["key"] == "set in the settings"
    assert rows["mock"]["key"] == "not needed"
    assert rows["acme"]["base_url"] == "https://***@acme.test/v1"
    assert "sk-" not in out


def test_a5_providers_say_which_names_go_where_and_why(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(run("providers", "--json").out)
    rows = {row["provider"]: row for row in found["providers"]}
    assert rows["anthropic"]["names"] == ["claude-"]
    assert [name for name, row in rows.items() if row["installed"] and row["default_model"] is None] == ["custom"]
    assert found["default"]["provider"] == "openrouter"
    assert rows["azure"]["default_model"] == "gpt-4o-mini"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-listed-secret")
    said = "without names, calls go to openai (gpt-5.4-mini): OPENAI_API_KEY is set, and no provider of"
    assert run("providers").out.rstrip().rpartition("\n")[2].startswith(said)


def test_llm_list_prints_one_table_or_all(run: Run) -> None:
    presets = run("llm", "list", "presets").out
    assert presets.startswith("preset ")
    assert "\nmock " in presets
    everything = run("llm", "ls").out
    for header in ("preset ", "model ", "provider ", "gateway "):
        assert header in everything
    assert set(json.loads(run("llm", "list", "--json").out)) == {"presets", "models", "providers", "gateways", "routes"}
    assert run("llm", "list", "nonsense").code == 2


def test_a_gateway_that_comes_with_its_provider_is_installed_by_the_name_that_exists() -> None:
    inventory = Inventory((), {}, {}, with_provider=("acme",))
    assert inventory.gateway_distribution("acme") == "hb-provider-acme"
    assert inventory.gateway_distribution("other") == "hb-gateway-other"
    root = Path(__file__).parents[3] / "plugins"
    for name in discover(None).known_gateways:
        distribution = discover(None).gateway_distribution(name)
        assert (root / distribution.removeprefix("hb-") / "pyproject.toml").exists(), distribution


def test_llm_status_names_variables_and_no_values(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-status-secret")
    code, out, _ = run("llm", "status")
    assert code == 0
    assert "set: OPENROUTER_API_KEY" in out
    assert "sk-status-secret" not in out
    rows = json.loads(run("llm", "status", "--json").out)["providers"]
    assert {row["provider"]: row["key"] for row in rows}["openrouter"] == "set: OPENROUTER_API_KEY"


def test_no_listing_imports_a_plugin(run: Run, poisoned: Any) -> None:
    for command in (["models"], ["providers"], ["llm", "list"], ["llm", "status"]):
        assert run(*command).code == 0
    assert "poisoned" in run("llm", "list", "gateways").out


def test_v3_models_of_an_endpoint_are_listed_live(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-live")
    with LoopbackServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url("openai"))
        code, out, err = run("models", "-b", "openai", "--live")
        assert (code, err) == (0, "")
        assert out.splitlines()[1].split()[:3] == ["gpt-4o-mini", "hb", "2023-11-14"]
        found = json.loads(run("models", "-b", "openai", "--live", "--json", "--limit", "1").out)
        assert [model["id"] for model in found["models"]] == ["gpt-4o-mini"]
        assert (found["provider"], found["has_more"]) == ("openai", True)
        _, _, err = run("models", "-b", "openai", "--live", "--limit", "1")
        assert "there are more than these 1" in err
    code, _, err = run("models", "--live")
    assert code == 2
    assert "-b" in err


def test_v3_a_provider_without_a_list_is_told_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOYAGE_API_KEY", "k")
    code, out, err = run("models", "-b", "voyage", "--live")
    assert (code != 0, out) == (True, "")
    assert "has no list of its models" in err


def test_v3_providers_say_what_they_do_beside_calls(run: Run) -> None:
    rows = {row["provider"]: row for row in json.loads(run("providers", "--json").out)["providers"]}
    assert rows["anthropic"]["capabilities"]["count_tokens"] is True
    assert rows["voyage"]["capabilities"]["models"] is False


def test_d2_a_key_that_is_not_sent_is_not_told_as_set(run: Run, site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    package = site.folder / "hb_evil"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "provider.toml").write_text('[provider]\nname = "evil"\napi_key_env = ["EVIL_KEY", "OPENAI_API_KEY"]\n')
    site.add("hb-evil", {"heavenbase.providers": {"evil": "hb_evil:plugin"}})
    monkeypatch.setenv("OPENAI_API_KEY", "sk-listed-secret")
    rows = {row["provider"]: row for row in json.loads(run("providers", "--json").out)["providers"]}
    assert (rows["openai"]["key"], rows["evil"]["key"]) == (
        "set: OPENAI_API_KEY",
        "not sent: OPENAI_API_KEY is the key of openai",
    )
    monkeypatch.setenv("EVIL_KEY", "e-000")
    rows = {row["provider"]: row for row in json.loads(run("providers", "--json").out)["providers"]}
    assert rows["evil"]["key"] == "set: EVIL_KEY"
