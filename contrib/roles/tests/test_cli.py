"""`hb roles list`, `check` and `env`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from hb_cli.state import State
from hb_roles import ConfigError
from hb_roles.cli import group

from .conftest import PAGE


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the page's file, where nobody has a key."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "llmhub.yaml").write_text(PAGE, encoding="utf-8")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(group, arguments, obj=State(), standalone_mode=False)


def test_list_shows_the_roles(folder: Path) -> None:
    lines = run("list").stdout.splitlines()
    assert lines[0].split() == ["role", "provider", "model", "mode", "params"]
    assert lines[2].split()[:4] == ["llm.inference", "anthropic", "claude-3-5-sonnet-20241022", "chat"]
    assert "temperature=0.7 max_tokens=2048" in lines[2]
    found = json.loads(run("list", "--json").stdout)
    assert (found["project"], [row["role"] for row in found["roles"]]) == (
        "memory",
        ["llm.preprocess", "llm.inference"],
    )


def test_list_shows_defaults_and_no_secret(folder: Path, page: dict[str, Any]) -> None:
    page["defaults"] = page["roles"]["llm.embedding"] | {"params": {"api_key": "sk-secret"}}
    (folder / "other.yaml").write_text(yaml.safe_dump(page), encoding="utf-8")
    found = run("list", "other.yaml").stdout
    assert "(any other)" in found
    assert "sk-secret" not in found + run("list", "other.yaml", "--json").stdout


def test_env_lists_the_variables_and_fails_where_one_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("ANTHROPIC_API_KEY", " ")
    found = run("env")
    assert found.return_value == 1
    assert [line.split() for line in found.stdout.splitlines()[1:]] == [
        ["openai", "OPENAI_API_KEY", "set"],
        ["anthropic", "ANTHROPIC_API_KEY", "empty"],
    ]
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-other")
    found = run("env", "--json")
    assert (found.return_value, {row["state"] for row in json.loads(found.stdout)}) == (0, {"set"})
    assert "sk-" not in found.stdout


def test_check_says_of_each_role_where_its_calls_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    found = run("check")
    assert found.return_value == 0
    assert [line.split(maxsplit=1) for line in found.stdout.splitlines()] == [
        ["ok", "llm.preprocess: openai/gpt-4o-mini over openai"],
        ["unset", "llm.inference: ANTHROPIC_API_KEY is not set"],
    ]
    assert run("check", "--strict-env").return_value == 1


def test_check_tells_what_is_wrong_with_each_role(folder: Path, page: dict[str, Any]) -> None:
    page["providers"]["fireworkz"] = None
    page["roles"] |= {
        "lost": {"provider": "fireworkz", "model": "m", "mode": "chat"},
        "misspelt": {"provider": "openai", "model": "gpt-4o", "mode": "chat", "params": {"temprature": 1}},
        "loud": {"provider": "openai", "model": "tts-1", "mode": "audio"},
    }
    (folder / "llmhub.yaml").write_text(yaml.safe_dump(page), encoding="utf-8")
    found = run("check", "--json")
    rows = {row["role"]: row["problem"] for row in json.loads(found.stdout)["roles"]}
    assert (found.return_value, json.loads(found.stdout)["ok"]) == (1, False)
    assert "hb has no provider 'fireworkz'" in rows["lost"]
    assert "'temperature'" in rows["misspelt"]
    assert "mode audio" in rows["loud"]
    assert rows["llm.inference"] == ""


@pytest.mark.parametrize("command", ["list", "check", "env"])
def test_a_wrong_file_is_told(folder: Path, command: str) -> None:
    (folder / "llmhub.yaml").write_text(PAGE.replace("mode: chat", "mode: chatt"), encoding="utf-8")
    with pytest.raises(ConfigError, match="did you mean 'chat'"):
        CliRunner().invoke(group, [command], obj=State(), standalone_mode=False, catch_exceptions=False)
