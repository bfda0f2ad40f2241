"""`hb plugins`: from metadata alone."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def rows(run: Run, *args: str) -> dict[str, dict[str, Any]]:
    code, out, err = run("plugins", *args, "--json")
    assert (code, err) == (0, "")
    return {f"{row['kind']}:{row['name']}": row for row in json.loads(out)["plugins"]}


def test_the_list_shows_kind_name_distribution_version_and_status(run: Run) -> None:
    code, out, err = run("plugins", "list")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["kind", "name", "distribution", "version", "status"]
    assert ["gateway", "mock", "hb-gateway-mock", "0.2.0", "ok"] in lines
    assert run("plugins") == run("plugins", "ls") == (code, out, err)
    assert rows(run)["provider:mock"]["distribution"] == "hb-gateway-mock"


def test_poisoned_plugins_of_every_kind_are_listed_inspected_disabled_and_locked_without_being_imported(
    run: Run, poisoned: Any
) -> None:
    found = rows(run, "list")
    kinds = ("gateway", "provider", "cache", "vision", "contrib", "command")
    assert [found[f"{kind}:poisoned"]["status"] for kind in kinds] == ["ok"] * 6
    for command in (["info", "poisoned"], ["disable", "hb-poisoned"], ["enable", "hb-poisoned"], ["lock"]):
        code, _, err = run("plugins", *command)
        assert (code, err) == (0, "")


def test_info_shows_entry_point_manifest_and_contract(run: Run) -> None:
    (row,) = rows(run, "info", "provider:openrouter").values()
    assert row["entry_point"] == "heavenbase.providers: openrouter = hb_provider_openrouter:plugin"
    assert row["manifest"]["provider"]["wire"] == "openai"
    assert "hb-kernel speaks 1 to 1" in row["contract"]
    out = run("plugins", "info", "providers:openrouter").out
    assert "\ndistribution  hb-provider-openrouter\n" in out
    assert '  base_url = "https://openrouter.ai/api/v1"\n' in out


def test_info_takes_a_name_a_key_or_a_distribution(run: Run) -> None:
    assert set(rows(run, "info", "mock")) == {"gateway:mock", "provider:mock"}
    assert set(rows(run, "info", "hb-gateway-mock")) == {"gateway:mock", "provider:mock"}
    assert set(rows(run, "info", "gateway:mock")) == {"gateway:mock"}


def test_an_unknown_plugin_is_bad_input_with_the_nearest_name(run: Run) -> None:
    code, _, err = run("plugins", "info", "moc")
    assert code == 2
    assert "did you mean 'mock'?" in err


def test_a_disabled_plugin_does_not_load_until_it_is_enabled(run: Run) -> None:
    code, out, err = run("plugins", "disable", "mock")
    assert (code, out, err) == (0, "gateways:mock is disabled\nproviders:mock is disabled\n", "")
    assert rows(run)["gateway:mock"]["status"] == "disabled"
    code, _, err = run("chat", "hi", "-p", "mock")
    assert code == 1
    assert "providers:mock is disabled; hb plugins enable providers:mock" in err
    assert run("plugins", "enable", "provider:mock", "gateways:mock").code == 0
    assert run("chat", "hi", "-p", "mock").out == "mock response\n"


def test_a_name_that_several_packages_have_must_be_said_with_its_kind(run: Run) -> None:
    code, _, err = run("plugins", "disable", "openai")
    assert code == 2
    assert "'openai' may be gateways:openai or providers:openai or vision:openai" in err
    assert run("plugins", "disable", "gateway:openai").code == 0
    assert rows(run)["provider:openai"]["status"] == "ok"


def test_disabling_keeps_comments_and_leaves_no_trace_when_undone(run: Run, home: Path) -> None:
    home.mkdir(exist_ok=True)
    before = "# mine\n[heavenbase.llm]\ndefault_preset = 'chat' # why\n"
    (home / "config.toml").write_text(before)
    run("plugins", "disable", "hb-gateway-mock")
    changed = (home / "config.toml").read_text()
    assert changed.startswith(before)
    assert tomllib.loads(changed)["heavenbase"]["plugins"]["disabled"] == ["hb-gateway-mock"]
    run("plugins", "enable", "hb-gateway-mock")
    assert (home / "config.toml").read_text().strip() == before.strip()


def test_what_is_not_installed_any_more_can_be_taken_off_the_list(run: Run, home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text('heavenbase.plugins.disabled = ["gateways:gone", "hb-gone"]\n')
    assert run("plugins", "enable", "gateway:gone", "hb-gone").code == 0
    assert "disabled" not in (home / "config.toml").read_text()


def test_enabling_what_is_not_disabled_says_so(run: Run, home: Path) -> None:
    assert run("plugins", "enable", "gateway:mock") == (
        0,
        "",
        f"gateway:mock is not disabled in {home / 'config.toml'}\n",
    )


def test_a_variable_that_overrides_the_file_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVENBASE_PLUGINS__DISABLED", "[]")
    code, _, err = run("plugins", "disable", "mock")
    assert code == 0
    assert "decided by the environment variable HEAVENBASE_PLUGINS__DISABLED" in err


def test_plugins_off_the_allow_list_are_blocked(run: Run) -> None:
    run("cfg", "set", "heavenbase.plugins.allow", '["hb-gateway-mock"]')
    code, out, err = run("plugins", "list")
    assert code == 0
    assert "not on the list heavenbase.plugins.allow" in err
    found = {line.split()[2]: line.split()[-1] for line in out.splitlines()}
    assert (found["hb-gateway-mock"], found["hb-cache-sqlite"]) == ("ok", "blocked")


def test_two_distributions_with_one_name_are_a_conflict(run: Run, site: Any) -> None:
    site.add("hb-other-mock", {"heavenbase.gateways": {"mock": "nothing:nothing"}})
    code, out, err = run("plugins", "list")
    assert code == 0
    assert [line.split()[-1] for line in out.splitlines() if " mock " in line and line.startswith("gateway")] == [
        "conflict",
        "conflict",
    ]
    assert "hb-gateway-mock 0.2.0 and hb-other-mock 1.0 both claim gateways:mock" in err


def test_the_lock_lets_only_what_is_installed_now_load(run: Run, site: Any, home: Path) -> None:
    code, out, err = run("plugins", "lock")
    path = home / "plugins.lock.toml"
    assert (code, err) == (0, "")
    assert out.endswith(f" plugins locked in {path}\n")
    assert path.stat().st_mode & 0o777 == 0o600
    assert tomllib.loads(path.read_text())["plugins"]["gateways:mock"]["version"] == "0.2.0"
    assert run("cfg", "get", "heavenbase.plugins.lock").out == f"{path}\n"
    assert run("chat", "hi", "-p", "mock").code == 0
    site.add("hb-new", {"heavenbase.gateways": {"new": "nothing:nothing"}})
    found = rows(run)
    assert found["gateway:new"]["status"] == "blocked"
    assert "not in the plugin lock" in found["gateway:new"]["reason"]
    assert found["gateway:mock"]["status"] == "ok"


def test_a_broken_plugin_can_be_disabled_and_then_leaves_doctor_alone(run: Run, poisoned: Any) -> None:
    assert run("doctor").code == 1
    run("plugins", "disable", "hb-poisoned")
    assert run("doctor").code == 0


def test_d1_what_a_manifest_claims_beyond_its_own_is_shown_by_the_list_and_by_doctor(run: Run, site: Any) -> None:
    manifest = '[provider]\nname = "evil"\ngateway = "openai"\nwire = "openai"\n[models.x]\naliases = ["sonnet"]\n'
    (site.folder / "evil_claims").mkdir()
    site.module("evil_claims/__init__", "")
    (site.folder / "evil_claims" / "provider.toml").write_text(manifest)
    site.add("their-evil", {"heavenbase.providers": {"evil": "evil_claims:plugin"}})
    for command in ("plugins", "doctor"):
        shown = run(command)
        assert (
            "'evil' (their-evil) claims names for its model 'x' that are not its own: sonnet" in shown.out + shown.err
        )
