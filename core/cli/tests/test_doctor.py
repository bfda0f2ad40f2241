"""`hb doctor`: what is wrong, and what to do."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hb_cli import checks, plugin_checks
from hb_cli.state import State
from heavenbase.config.config import Config
from heavenbase.errors import HBError, PluginContractError, PluginLoadError
from heavenbase.kernel import Kernel

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


def wrong(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """What is wrong, but for packages and weights that this machine has not."""
    return [
        row
        for row in rows
        if row["status"] in ("broken", "warn")
        and not re.search(r"needs the package|hb local pull", row["detail"] + row["remedy"])
    ]


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
    assert len(broken) == 9
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


SUFFIX = """
from heavenbase.middleware import Judge, Middleware, Setting

class Suffix(Middleware):
    settings = {
        "text": Setting("str", "!", "what is put behind"),
        "times": Setting("int", 1, "how often", minimum=1),
        "mode": Setting("str", "end", "where", ("start", "end")),
    }

class Haiku(Judge):
    settings = {"lines": Setting("int", 3, "lines of one")}

    def __call__(self, call, answer):
        return None
"""


@pytest.fixture
def suffix(site: Any, home: Path) -> Path:
    """A package with a middleware and a judge, and the user's settings, which are still to be written."""
    site.module("acme_suffix", SUFFIX)
    groups = {"heavenbase.middleware": {"suffix": "acme_suffix:Suffix"}}
    site.add("acme-suffix", {**groups, "heavenbase.judges": {"haiku": "acme_suffix:Haiku"}})
    home.mkdir(exist_ok=True)
    return home / "config.toml"


WRONG = {
    'middleware = ["sufix"]': (2, "did you mean 'suffix'"),
    'middleware = ["suffix", "nothing-like-it"]': (2, "unknown middleware 'nothing-like-it'"),
    "middleware = [3]": (2, "not 3"),
    'middleware = ["routing"]': (2, "'routing' comes with each route"),
    'middleware = ["suffix"]\n[heavenbase.middleware.suffix]\ntxt = "x"': (4, "did you mean 'text'"),
    'middleware = ["suffix"]\n[heavenbase.middleware.suffix]\ntimes = "x"': (4, "must be an integer"),
    'middleware = ["suffix"]\n[heavenbase.middleware.suffix]\ntimes = 0': (4, "must be at least 1"),
    'middleware = ["suffix"]\n[heavenbase.middleware.suffix]\nmode = "ends"': (4, "did you mean 'end'"),
}


@pytest.mark.parametrize("settings", WRONG)
def test_a_wrong_middleware_is_one_problem_and_the_rest_is_checked(run: Run, suffix: Path, settings: str) -> None:
    before = {row["detail"] for row in found(run)}
    suffix.write_text(f"[heavenbase.llm]\n{settings}\n")
    line, says = WRONG[settings]
    rows = found(run, 1)
    (row,) = wrong(rows)
    assert row["detail"].startswith(f"{suffix}:{line}: ")
    assert says in row["detail"]
    left = before - {row["detail"] for row in rows}
    assert not [detail for detail in left if "acme-suffix" not in detail and str(suffix) not in detail]
    # Whoever makes a kernel of these settings is told the same.
    with pytest.raises(HBError) as caught:
        Kernel(Config.load(user_file=suffix))
    assert caught.value.message == row["detail"]


@pytest.mark.parametrize(
    ("settings", "line", "says"),
    [
        ('[heavenbase.llm.presets.loud]\nmodel = "mock"\nmiddleware = ["sufix"]', 3, "did you mean 'suffix'"),
        ('[heavenbase.llm.default_args]\nmiddleware = ["sufix"]', 2, "did you mean 'suffix'"),
        ('[heavenbase.llm.presets.loud.args]\nmiddleware = ["sufix"]', 2, "did you mean 'suffix'"),
    ],
)
def test_a_wrong_middleware_of_a_preset_or_of_default_arguments_is_told(
    run: Run, suffix: Path, settings: str, line: int, says: str
) -> None:
    suffix.write_text(f"{settings}\n")
    (row,) = of(found(run, 1), "middleware")
    assert row["status"] == "broken"
    assert row["detail"].startswith(f"{suffix}:{line}: ")
    assert says in row["detail"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("[heavenbase.middleware.sufix]\ntext = '!'", "heavenbase.middleware.sufix is of nothing that is installed"),
        ("[heavenbase.judges.haikuu]\nlines = 3", "did you mean 'haiku'"),
        ("[heavenbase.middleware.suffix]\ntxt = '!'", "did you mean 'text'"),
        ("[heavenbase.middleware.suffix]\ntimes = '!'", "must be an integer"),
        ("[heavenbase.judges.haiku]\nline = 3", "did you mean 'lines'"),
    ],
)
def test_settings_of_what_is_not_switched_on_or_not_there_are_a_warning(
    run: Run, suffix: Path, settings: str, says: str
) -> None:
    suffix.write_text(f"{settings}\n")
    (row,) = wrong(found(run))
    assert row["detail"].startswith(f"{suffix}:")
    assert says in row["detail"]


SAYS = """
from heavenbase.errors import InputError
from heavenbase.middleware import Middleware, Setting

class Says(Middleware):
    settings = {
        "store": Setting("str", "memory", "where", ("memory", "sqlite")),
        "about": Setting("table", {}, "anything"),
        "pin": Setting("str", "", "not for everybody", secret=True),
    }

    def configure(self, options):
        raise InputError(" ".join((options["store"], *options["about"].values(), options["pin"])))

    async def __call__(self, call, next):
        return await next(call)
"""


def test_messages_mask_of_a_plugins_settings_what_may_be_a_credential_and_nothing_else(
    run: Run, site: Any, home: Path
) -> None:
    site.module("acme_says", SAYS)
    site.add("acme-says", {"heavenbase.middleware": {"says": "acme_says:Says"}})
    home.mkdir(exist_ok=True)
    begin = '[heavenbase.llm]\nmiddleware = ["says"]\n[heavenbase.middleware.says]\n'
    (home / "config.toml").write_text(begin + 'store = "sqlit"\n')
    assert "must be one of memory, sqlite; did you mean 'sqlite'?" in run("chat", "hi", "-p", "mock").err
    settings = (
        'store = "sqlite"\npin = "1234abcd"\n'
        'about = { team = "customers", api_key = "key-of-acme", at = "http://x:pass-word@y" }\n'
    )
    (home / "config.toml").write_text(begin + settings)
    assert run("chat", "hi", "-p", "mock").err.endswith("sqlite customers *** *** ***\n")
    (row,) = [row for row in found(run, 1) if row["status"] == "broken"]
    assert "sqlite customers *** *** ***" in row["detail"]


def test_settings_that_make_no_kernel_are_told_once_and_the_rest_is_checked(run: Run, suffix: Path) -> None:
    suffix.write_text('[heavenbase.llm]\nmiddleware = ["sufix"]\nretry.on = ["timeoutt"]\n')
    rows = found(run, 1)
    assert len([row for row in rows if row["status"] == "broken"]) == 2
    assert of(rows, "plugin", "gateways:mock")[0]["status"] == "ok"
    assert of(rows, "key")


def test_a_route_on_which_no_call_works_is_broken(run: Run, suffix: Path) -> None:
    target = '{ model = "mock", provider = "mock", args = { middleware = ["sufix"] } }'
    suffix.write_text(f'[heavenbase.llm.routes.r]\ntargets = ["mock/mock", {target}]\n')
    (row,) = of(found(run, 1), "route")
    assert row["status"] == "broken"
    assert "did you mean 'suffix'" in row["detail"]


DECLARED = {
    'settings = {"x": ("int", 0)}': "it must be a Setting",
    "settings = [1]": "must be a mapping",
    "settings = None": "must be a mapping",
    'settings = {1: Setting("int", 0)}': "its name must be a text",
    'settings = {"x": Setting("int", "zero")}': "x must be an integer",
    'settings = {"x": Setting("str", "c", choices=("a", "b"))}': "x must be one of a, b",
    'settings = {"x": Setting("intt", 0)}': "did you mean 'int'",
    "settings = {'x': Setting(int, 0)}": "its types must be a text",
    'settings = {"x": Setting("str", "a", choices="abc")}': "its choices must be a tuple",
    'settings = {"x": Setting("int", 0, minimum="1")}': "its minimum must be a number",
    'around = "atempt"': "did you mean 'attempt'",
    "def __init__(self): raise ValueError('no')": "ValueError: no",
    "def __init__(self): raise SystemExit(3)": "SystemExit: 3",
}


@pytest.mark.parametrize("body", DECLARED)
def test_a_plugin_that_declares_itself_wrong_is_quarantined_by_name(
    run: Run, site: Any, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    head = "from heavenbase.middleware import Middleware, Setting\n\nclass Odd(Middleware):\n    name = 'odd'\n"
    monkeypatch.delitem(sys.modules, "acme_odd", raising=False)
    site.module("acme_odd", f"{head}    {body}\n")
    site.add("acme-odd", {"heavenbase.middleware": {"odd": "acme_odd:Odd"}})
    rows = found(run, 1)
    (row,) = wrong(rows)
    assert row["name"] == "plugin"
    assert DECLARED[body] in row["detail"]
    assert "middleware:odd" in row["detail"]
    assert of(rows, "plugin", "gateways:mock")[0]["status"] == "ok"
    for _ in range(2):  # from quarantine too
        with Kernel() as kernel, pytest.raises((PluginLoadError, PluginContractError), match="middleware:odd"):
            kernel.stack.load("odd")
