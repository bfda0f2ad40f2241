"""The .env file: read only when asked for, fills only what is absent, never touches the process environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heavenbase.config.config import Config
from heavenbase.config.files import read_dotenv
from heavenbase.errors import ConfigError, HBWarning

TEXT = """\
# comment
PLAIN=value
export EXPORTED = spaced value   # comment
HASH=a#b
SINGLE='a "b" $c \\n #d' # comment
DOUBLE="a \\"b\\"\\tc\\n #d"
EMPTY=
COLON=https://host:1/v1?a=b
PLAIN=again
"""


def write(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / ".env"
    path.write_text(text)
    path.chmod(mode)
    return path


def load(folder: Path, environ: dict[str, str] | None = None, dotenv: bool = False) -> Config:
    variables = {"HEAVENBASE_HOME": str(folder / "home"), **(environ or {})}
    return Config.load(project_dir=folder, environ=variables, dotenv=dotenv)


def test_names_exports_quotes_and_comments_are_read(tmp_path: Path) -> None:
    found = {name: variable.value for name, variable in read_dotenv(str(write(tmp_path, TEXT))).items()}
    assert found == {
        "PLAIN": "again",
        "EXPORTED": "spaced value",
        "HASH": "a#b",
        "SINGLE": 'a "b" $c \\n #d',
        "DOUBLE": 'a "b"\tc\n #d',
        "EMPTY": "",
        "COLON": "https://host:1/v1?a=b",
    }


@pytest.mark.parametrize("line", ["canary canary=1", "A='canary", 'A="canary', 'A="x" canary', "=canary"])
def test_a_malformed_line_is_named_and_not_repeated_and_stops_nothing(tmp_path: Path, line: str) -> None:
    path = write(tmp_path, f"A=1\n\n{line}\nB=2\n")
    with pytest.warns(HBWarning, match=r"\.env:3: ") as caught:
        found = read_dotenv(str(path))
    assert found == {"A": ("1", 1), "B": ("2", 4)}
    assert len(caught) == 1
    assert "canary" not in str(caught[0].message)


def test_a_key_over_several_lines_a_bare_name_and_odd_names_are_read(tmp_path: Path) -> None:
    text = 'KEY="-----BEGIN\nabc\n-----END"\nbare\n\n\nA-B=1\n1A=2\n'
    assert read_dotenv(str(write(tmp_path, text))) == {
        "KEY": ("-----BEGIN\nabc\n-----END", 1),
        "A-B": ("1", 7),
        "1A": ("2", 8),
    }
    assert load(tmp_path, dotenv=True).environ["KEY"] == "-----BEGIN\nabc\n-----END"


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"])))
def test_a_double_quoted_value_reads_back(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    folder = tmp_path_factory.mktemp("dotenv")
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    path = folder / ".env"
    path.write_text(f'A="{quoted}"\n', encoding="utf-8")
    path.chmod(0o600)
    assert read_dotenv(str(path))["A"].value == value


def test_it_is_not_read_unless_asked_for(tmp_path: Path) -> None:
    write(tmp_path, "ACME_KEY=from-file\n")
    config = load(tmp_path)
    assert "ACME_KEY" not in config.environ
    assert config.paths().dotenv_file is None


@pytest.mark.parametrize("how", ["argument", "HB_DOTENV", "HEAVENBASE_DOTENV", "user file"])
def test_it_is_read_when_asked_for_in_each_way(tmp_path: Path, how: str) -> None:
    path = write(tmp_path, "ACME_KEY=from-file\n")
    if how == "user file":
        (tmp_path / "home").mkdir()
        (tmp_path / "home" / "config.toml").write_text("heavenbase.dotenv = true\n")
    config = load(tmp_path, {how: "1"} if how.isupper() else {}, dotenv=how == "argument")
    assert config.environ["ACME_KEY"] == "from-file"
    assert config.paths().dotenv_file == path
    assert "ACME_KEY" not in os.environ


def test_it_fills_only_variables_that_are_absent(tmp_path: Path) -> None:
    write(tmp_path, "ACME_KEY=from-file\nOTHER=other\nBLANK=x\n")
    config = load(tmp_path, {"ACME_KEY": "from-environment", "BLANK": ""}, dotenv=True)
    values = config.with_layer("call", {"heavenbase.llm.providers.a.api_key": "${env:ACME_KEY}${env:OTHER}"})
    assert values.get("heavenbase.llm.providers.a.api_key") == "from-environmentother"
    assert config.environ["BLANK"] == ""
    assert sorted(config.environ) == ["ACME_KEY", "BLANK", "HEAVENBASE_HOME", "OTHER"]
    assert len(config.environ) == 4
    assert config.variable_origin("OTHER").line == 2
    assert config.variable_origin("ACME_KEY").layer == "environment"


def test_settings_in_it_lie_between_project_file_and_environment(tmp_path: Path) -> None:
    (tmp_path / "heavenbase.toml").write_text('heavenbase.llm.default_preset = "project"\n')
    write(tmp_path, "A=1\nHEAVENBASE_LLM__DEFAULT_PRESET=file\nHEAVENBASE_LLM__CACHE__ENABLED=true\n")
    config = load(tmp_path, {"HEAVENBASE_LLM__CACHE__ENABLED": "false"}, dotenv=True)
    assert config.get("heavenbase.llm.default_preset") == "file"
    assert str(config.origin("heavenbase.llm.default_preset")) == f"dotenv file {tmp_path / '.env'}:2"
    assert config.get("heavenbase.llm.cache.enabled") is False


def test_a_wrong_setting_in_it_is_named_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, "A=1\nHEAVENBASE_LLM__CACHE__ENABLED=maybe\n")
    with pytest.raises(ConfigError, match=r"\.env:2: heavenbase\.llm\.cache\.enabled must be true or false"):
        load(tmp_path, dotenv=True)
    write(tmp_path, "A=1\nHEAVENBASE_LLM__CAHCE=maybe\n")
    with pytest.raises(ConfigError, match=r"\.env:2: unknown key"):
        load(tmp_path, dotenv=True)


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_a_file_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "ACME_KEY=canary\n", 0o664)
    with pytest.raises(ConfigError, match="chmod go-w") as caught:
        load(tmp_path, dotenv=True)
    assert "canary" not in str(caught.value)
