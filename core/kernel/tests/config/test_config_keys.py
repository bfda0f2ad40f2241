"""The `.env` of the working folder, of which only vendors' keys are wanted."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import pytest

from heavenbase.config import trust
from heavenbase.config.config import Config
from heavenbase.config.dotenv import Vendor
from heavenbase.discovery import vendor_variables
from heavenbase.discovery.inventory import Inventory, PluginInfo
from heavenbase.errors import ConfigTrustError, HBWarning
from heavenbase.kernel import Kernel

ACME = Vendor(
    "acme", frozenset({"ACME_KEY", "ACME_TOKEN"}), frozenset({"ACME_URL", "ACME_REGION"}), frozenset({"ACME_AS"})
)
ZETA = Vendor("zeta", frozenset({"ZETA_KEY"}), frozenset({"ZETA_URL"}))


def write(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / ".env"
    path.write_text(text)
    path.chmod(mode)
    return path


def load(folder: Path, text: str | None = None, **more: Any) -> Config:
    if text is not None:
        write(folder, text)
    environ = {"HEAVENBASE_HOME": str(folder / "home"), **more.pop("environ", {})}
    return Config.load(project_dir=folder, environ=environ, dotenv=lambda _: [ACME, ZETA], **more)


def taken(config: Config) -> dict[str, str]:
    return {name: value for name, value in config.environ.items() if name not in config.environ.base}


def test_g25_keys_of_vendors_are_read_and_nothing_else(tmp_path: Path) -> None:
    config = load(
        tmp_path, "ACME_KEY=k\nDATABASE_URL=postgres://x\nZETA_KEY=\nHTTPS_PROXY=http://evil\nSSL_CERT_FILE=x\n"
    )
    assert taken(config) == {"ACME_KEY": "k"}
    assert config.environ.told("ACME_KEY") == f"ACME_KEY of the dotenv file {tmp_path / '.env'}:1"
    assert config.paths().dotenv_file == tmp_path / ".env"
    assert "ACME_KEY" not in os.environ


def test_g25_an_address_comes_only_beside_a_key_of_the_same_vendor(tmp_path: Path) -> None:
    with pytest.warns(HBWarning, match=r"passed over: ZETA_URL in line 3 \(no key of zeta comes from this file\)"):
        config = load(tmp_path, "ACME_KEY=k\nACME_URL=https://a.example\nZETA_URL=https://z.example\nACME_REGION=r\n")
    assert sorted(taken(config)) == ["ACME_KEY", "ACME_REGION", "ACME_URL"]


def test_g25_where_the_environment_has_a_key_nothing_of_that_vendor_is_taken(tmp_path: Path) -> None:
    text = "ACME_KEY=decoy\nACME_TOKEN=other\nACME_URL=https://evil.example\nZETA_KEY=z\n"
    with pytest.warns(HBWarning, match=r"ACME_TOKEN in line 2 \(the environment has a key of acme\), ACME_URL") as told:
        config = load(tmp_path, text, environ={"ACME_KEY": "mine"})
    assert taken(config) == {"ZETA_KEY": "z"}
    assert config.environ["ACME_KEY"] == "mine"
    assert len(told) == 1
    assert "evil" not in str(told[0].message)


@pytest.mark.parametrize("name", ["HEAVENBASE_LLM__DEFAULT_PRESET", "HEAVENBASE_HOME", "HB_DEBUG", "HEAVENBASE_DOTENV"])
def test_g25_settings_in_it_are_ignored_and_told(tmp_path: Path, name: str) -> None:
    environ = {"HOME": str(tmp_path)}
    write(tmp_path, f"ACME_KEY=k\n{name}=true\n")
    with pytest.warns(HBWarning, match=rf"{name} in line 2 \(a setting of hb\)"):
        config = Config.load(project_dir=tmp_path, environ=environ, dotenv=lambda _: [ACME])
    assert taken(config) == {"ACME_KEY": "k"}
    assert config.get("heavenbase.llm.default_preset") == "system"


def test_g25_the_folder_itself_counts_and_none_above_it(tmp_path: Path) -> None:
    write(tmp_path, "ACME_KEY=k\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    environ = {"HEAVENBASE_HOME": str(tmp_path / "home")}
    assert taken(Config.load(project_dir=inner, environ=environ, dotenv=lambda _: [ACME])) == {}


def test_g25_vendors_are_asked_for_only_where_there_is_a_file(tmp_path: Path) -> None:
    def never(environ: object) -> list[Vendor]:
        raise AssertionError("asked")

    Config.load(project_dir=tmp_path, environ={"HEAVENBASE_HOME": str(tmp_path)}, dotenv=never)


@pytest.mark.parametrize("how", ["HEAVENBASE_DOTENV", "HB_DOTENV", "user file"])
def test_g25_it_is_turned_off(tmp_path: Path, how: str) -> None:
    if how == "user file":
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "config.toml").write_text("heavenbase.dotenv = false\n")
    config = load(tmp_path, "ACME_KEY=k\nHB_DEBUG=1\n", environ={how: "false"} if how.isupper() else {})
    assert taken(config) == {}
    assert config.paths().dotenv_file is None


def test_g25_the_wider_meaning_is_as_it_was(tmp_path: Path) -> None:
    text = "ANY=1\nACME_URL=https://a.example\nHEAVENBASE_LLM__DEFAULT_PRESET=chat\n"
    config = load(tmp_path, text, environ={"HEAVENBASE_DOTENV": "true"})
    assert {"ANY", "ACME_URL"} < taken(config).keys()
    assert config.get("heavenbase.llm.default_preset") == "chat"


def test_g25_a_program_reads_none_unless_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "GROQ_API_KEY=k\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEAVENBASE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    with Kernel() as kernel:
        assert "GROQ_API_KEY" not in kernel.config.environ
    with Kernel(Config.load(dotenv=vendor_variables)) as kernel:
        assert kernel.config.environ["GROQ_API_KEY"] == "k"
        assert kernel.resolve(model="groq/llama-3.1-8b-instant").api_key is not None


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
@pytest.mark.parametrize(("mode", "word"), [(0o664, "chmod go-w"), (0o000, "cannot be read")])
def test_g25_a_file_that_cannot_be_relied_on_is_passed_over_and_told(tmp_path: Path, mode: int, word: str) -> None:
    if mode == 0 and os.geteuid() == 0:
        pytest.skip("root reads everything")
    write(tmp_path, "ACME_KEY=canary\n", mode)
    with pytest.warns(HBWarning, match=rf"{word}.*the file is passed over") as told:
        config = load(tmp_path)
    assert taken(config) == {}
    assert "canary" not in str(told[0].message)


def test_g25_a_file_that_somebody_else_planted_is_passed_over_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, start: str) -> None:
        raise ConfigTrustError(f"{path} belongs to another user")

    monkeypatch.setattr("heavenbase.config.trusted.check_owner", refuse)
    with pytest.warns(HBWarning, match="belongs to another user; the file is passed over"):
        assert taken(load(tmp_path, "ACME_KEY=k\n")) == {}


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_g25_a_file_that_has_nothing_of_a_vendor_is_no_matter_whoever_may_write_to_it(tmp_path: Path) -> None:
    write(tmp_path, "DATABASE_URL=x\n", 0o666)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert taken(load(tmp_path)) == {}


def test_g25_a_trusted_folder_gives_addresses_and_accounts_by_themselves(tmp_path: Path) -> None:
    text = "ZETA_URL=https://z.example\nACME_AS=me\n"
    with pytest.warns(HBWarning, match=r"ACME_AS in line 2 \(no key, but an identity of this machine\), ZETA_URL"):
        assert taken(load(tmp_path, text)) == {}
    trust(tmp_path, environ={"HEAVENBASE_HOME": str(tmp_path / "home")})
    assert sorted(taken(load(tmp_path))) == ["ACME_AS", "ZETA_URL"]


def test_g25_variables_that_the_settings_name_are_keys_too(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text(
        '[heavenbase.llm.providers.work]\napi_key = "${env:WORK_KEY}"\nbase_url = "${env:WORK_URL,https://w.example}"\n'
        '[heavenbase.llm.providers.play]\napi_key_env = ["PLAY_KEY"]\nbase_url_env = "PLAY_URL"\n'
    )
    text = "WORK_KEY=a\nWORK_URL=https://x.example\nPLAY_KEY=b\nPLAY_URL=https://y.example\n"
    assert len(taken(load(tmp_path, text))) == 4


@pytest.mark.parametrize("ours", ["sk-user-000"])
def test_g25_an_address_of_an_untrusted_file_never_gets_a_key_of_the_users(tmp_path: Path, ours: str) -> None:
    """Not from the environment, where nothing of the file is taken, and not from the settings."""
    write(tmp_path, "OPENAI_API_KEY=sk-file\nOPENAI_BASE_URL=https://evil.example/v1\n")
    home = {"HEAVENBASE_HOME": str(tmp_path / "home")}
    with pytest.warns(HBWarning, match="OPENAI_BASE_URL"):
        config = Config.load(project_dir=tmp_path, environ={**home, "OPENAI_API_KEY": ours}, dotenv=vendor_variables)
    with Kernel(config) as kernel:
        spec = kernel.resolve(model="openai/gpt-4o-mini")
        assert (spec.base_url, spec.api_key and spec.api_key.reveal()) == ("https://api.openai.com/v1", ours)
    settings = {"heavenbase.llm.providers.openai.api_key": ours}
    config = Config.load(project_dir=tmp_path, environ=home, overrides=settings, dotenv=vendor_variables)
    with Kernel(config) as kernel, pytest.raises(ConfigTrustError, match=r"dotenv file .*\.env:2"):
        kernel.resolve(model="openai/gpt-4o-mini")


def test_g25_vendors_are_those_of_manifests_and_a_stranger_names_no_key_of_others() -> None:
    manifest = {"provider": {"api_key_env": ["OPENAI_API_KEY", "ODD_KEY"], "base_url_env": {"default": "ODD_URL"}}}
    stranger = PluginInfo("providers", "odd", "odd", "odd", "1", "", manifest)
    known = {"openai": ["OPENAI_API_KEY"]}
    found = {each.name: each for each in vendor_variables({}, Inventory((stranger,), {}, {}, known_keys=known))}
    assert found["openai"].keys == {"OPENAI_API_KEY"}
    assert (found["odd"].keys, found["odd"].places) == ({"ODD_KEY"}, {"ODD_URL"})


@pytest.mark.parametrize(
    ("provider", "names"),
    [
        ("azure", "AZURE_OPENAI_API_KEY AZURE_OPENAI_ENDPOINT AZURE_OPENAI_API_VERSION"),
        ("bedrock", "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_DEFAULT_REGION"),
        ("ollama", "OLLAMA_API_KEY OLLAMA_HOST"),
        ("gemini", "GOOGLE_API_KEY GOOGLE_GEMINI_BASE_URL"),
        ("cohere", "COHERE_API_KEY CO_API_URL"),
    ],
)
def test_g25_documented_variables_of_each_vendor_are_read_together(tmp_path: Path, provider: str, names: str) -> None:
    write(tmp_path, "".join(f"{name}=x\n" for name in names.split()))
    environ = {"HEAVENBASE_HOME": str(tmp_path / "home")}
    config = Config.load(project_dir=tmp_path, environ=environ, dotenv=vendor_variables)
    assert sorted(taken(config)) == sorted(names.split()), provider
