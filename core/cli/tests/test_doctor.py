"""`hb doctor`: what is wrong, and what to do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hb_cli import checks, plugin_checks
from hb_cli.state import State

Run = Callable[..., Any]
SLEEPER = "import threading\nthreading.Event().wait(20)\n"
OLD_PLUGIN = """
from heavenbase.plugin import Gateway

class Future(Gateway):
    name = "future"
    contract = 99

class Troubled(Gateway):
    name = "troubled"

    def status(self):
        return {"size": 3, "problem": "no weights; run: hb troubled pull"}

class NoPackage(Gateway):
    name = "nopackage"

    def check(self):
        raise ImportError("pip install something")
"""


def found(run: Run, code: int = 0) -> list[dict[str, str]]:
    outcome = run("doctor", "--json")
    assert (outcome.code, outcome.err) == (code, "")
    data = json.loads(outcome.out)
    assert data["ok"] is (code == 0)
    rows: list[dict[str, str]] = data["checks"]
    return rows


def of(rows: list[dict[str, str]], name: str, word: str = "") -> list[dict[str, str]]:
    return [row for row in rows if row["name"] == name and word in row["detail"]]


def test_a_sound_installation_passes(run: Run) -> None:
    rows = found(run)
    assert of(rows, "python")[0]["status"] == "ok"
    assert of(rows, "hb-kernel")[0]["status"] == "ok"
    assert of(rows, "plugin", "gateways:mock of hb-gateway-mock 0.2.0, contract 1")[0]["status"] == "ok"
    assert of(rows, "key", "openrouter")[0]["detail"] == "openrouter: not set: OPENROUTER_API_KEY"
    code, out, err = run("doctor")
    assert (code, err) == (0, "")
    assert out.startswith("ok     python ")


def test_broken_plugins_are_named_with_the_remedy_and_the_rest_is_checked(run: Run, poisoned: Any) -> None:
    rows = of(found(run, 1), "plugin")
    broken = [row for row in rows if row["status"] == "broken"]
    assert len(broken) == 8
    assert "RuntimeError: a plugin that nobody named was imported" in broken[0]["detail"]
    assert broken[0]["remedy"].startswith("or keep it out: hb plugins disable ")
    assert any(row["status"] == "ok" and "gateways:mock" in row["detail"] for row in rows)


def test_a_plugin_that_hangs_is_given_up_after_the_import_timeout(run: Run, site: Any) -> None:
    site.module("sleeper", SLEEPER)
    site.add("hb-sleeper", {"heavenbase.gateways": {"sleeper": "sleeper:plugin"}})
    run("cfg", "set", "heavenbase.plugins.import_timeout", "0.05")
    # The others are kept out, as on a busy machine they may take that long too.
    run("cfg", "set", "heavenbase.plugins.allow", '["hb-sleeper"]')
    (row,) = of(found(run, 1), "plugin", "gateways:sleeper")
    assert "did not import in 0.05 s" in row["detail"]


def test_contracts_packages_and_what_plugins_say_of_themselves(run: Run, site: Any) -> None:
    site.module("several", OLD_PLUGIN)
    entries = {"future": "several:Future", "troubled": "several:Troubled", "nopackage": "several:NoPackage"}
    site.add("hb-several", {"heavenbase.gateways": entries})
    rows = found(run, 1)
    (future,) = of(rows, "plugin", "gateways:future")
    assert future["status"] == "broken"
    assert "was built for contract 99" in future["detail"]
    (troubled,) = of(rows, "plugin", "gateways:troubled")
    assert (troubled["status"], "no weights; run: hb troubled pull" in troubled["detail"]) == ("warn", True)
    (missing,) = of(rows, "plugin", "gateways:nopackage")
    assert (missing["status"], "pip install something" in missing["detail"]) == ("warn", True)


def test_conflicts_are_broken_and_disabled_plugins_are_not(run: Run, site: Any) -> None:
    site.add("hb-other-memory", {"heavenbase.caches": {"memory": "nothing:nothing"}})
    (row,) = of(found(run, 1), "plugin", "both claim cache 'memory'")
    assert row["status"] == "broken"


def test_a_manifest_with_a_mistake_is_told(run: Run, site: Any) -> None:
    package = site.folder / "hb_provider_typo"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from heavenbase.plugin import Provider\nplugin = Provider(__name__, 'typo')\n"
    )
    (package / "provider.toml").write_text(
        '[provider]\nname = "typo"\ngateway = "openai"\nwire = "openai"\nbase_ur = "x"\n'
    )
    site.add("hb-provider-typo", {"heavenbase.providers": {"typo": "hb_provider_typo:plugin"}})
    (row,) = of(found(run), "manifest")
    assert row["status"] == "warn"
    assert "provider.base_ur: unknown key; did you mean 'base_url'?" in row["detail"]


def test_d3_a_manifest_that_did_not_come_along_is_told(run: Run, site: Any) -> None:
    package = site.folder / "hb_provider_bare"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from heavenbase.plugin import Provider\nplugin = Provider(__name__, 'bare')\n"
    )
    site.add("hb-provider-bare", {"heavenbase.providers": {"bare": "hb_provider_bare:plugin"}})
    (row,) = of(found(run, 1), "plugin", "bare")
    assert row["status"] == "broken"
    assert "package 'hb_provider_bare' has no provider.toml" in row["detail"]


def test_a_plugin_command_is_checked_and_one_in_the_shade_is_told(run: Run, site: Any) -> None:
    site.module("extra", "import click\n\n@click.command('extra')\ndef extra(): pass\n")
    site.add("hb-extra", {"heavenbase.cli": {"extra": "extra:extra", "chat": "extra:extra"}})
    rows = found(run)
    assert of(rows, "plugin", "cli:extra")[0]["status"] == "ok"
    assert "hb has a command of this name, which wins" in of(rows, "plugin", "cli:chat")[0]["detail"]


def test_a_distribution_that_shadows_the_import_name_is_broken(run: Run, site: Any) -> None:
    site.add("heavenbase", {}, version="0.1.2")
    (row,) = of(found(run, 1), "import name")
    assert "heavenbase 0.1.2" in row["detail"]
    assert row["remedy"].startswith("pip uninstall heavenbase")


def test_settings_that_cannot_be_loaded_are_broken(run: Run, home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text("heavenbase.llm.nonsense = 1\n")
    (row,) = of(found(run, 1), "settings", "unknown key")
    assert f"{home / 'config.toml'}:1" in row["detail"]


def test_malformed_keys_are_broken_and_never_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-with space")
    monkeypatch.setenv("GROQ_API_KEY", "gsk-fine-and-secret")
    rows = found(run, 1)
    assert of(rows, "key", "openai: ")[0]["status"] == "broken"
    assert of(rows, "key", "groq")[0]["detail"] == "groq: set: GROQ_API_KEY"
    assert "fine-and-secret" not in json.dumps(rows)
    assert "with space" not in json.dumps(rows)


def test_proxies_and_certificate_authorities_in_effect_are_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in checks.AUTHORITIES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://me:pw@proxy.test:3128")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    rows = found(run, 1)
    assert [row["detail"] for row in of(rows, "proxy")] == ["https_proxy=http://***@proxy.test:3128"]
    assert of(rows, "certificates")[0]["status"] == "broken"


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_folders_that_others_may_write_to_or_that_are_none_are_told(home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "cache").mkdir(exist_ok=True)
    (home / "cache").chmod(0o777)
    (home / "data").write_text("a file")
    cache, data = checks.check_folders()
    assert (cache.status, cache.remedy) == ("warn", f"chmod go-w {home / 'cache'}")
    assert (data.status, data.detail) == ("broken", f"{home / 'data'} is no folder")


def test_the_checks_of_plugins_report_an_exception_of_their_own_methods(site: Any, home: Path) -> None:
    source = OLD_PLUGIN.replace("return {", "raise ValueError('odd') or {")
    site.module("odd_status", source)
    site.add("hb-odd-status", {"heavenbase.gateways": {"troubled": "odd_status:Troubled"}})
    state = State()
    rows = [row for row in plugin_checks.check_plugins(state) if "troubled" in row.detail]
    state.close()
    assert [row.status for row in rows] == ["broken"]
    assert "ValueError: odd" in rows[0].detail


@pytest.mark.parametrize("proxy", ["http://me:hunter2@127.0.0.1:9", "me:hunter2@127.0.0.1:9"])
def test_h6_a_proxy_is_told_without_its_password(proxy: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    for form in ((), ("--json",)):
        out = run("doctor", *form)[1]
        assert "127.0.0.1:9" in out
        assert "hunter2" not in out
