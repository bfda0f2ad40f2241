"""`hb cfg` and `hb trust`."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from heavenbase.kernel import Kernel

Run = Callable[..., Any]
TTL = "heavenbase.llm.cache.namespaces.text.ttl_seconds"
KEY = "heavenbase.llm.providers.openai.api_key"
SEED_KEYS = {
    TTL: "86400",
    "heavenbase.llm.cache.namespaces.embedding.enabled": "false",
    "heavenbase.llm.tool_call_repair.enabled": "true",
    "heavenbase.llm.tool_call_repair.strict": "true",
}


@pytest.mark.parametrize(("key", "value"), SEED_KEYS.items())
def test_hb41_a_value_is_set_read_seen_by_the_kernel_and_unset(run: Run, key: str, value: str) -> None:
    before = run("cfg", "get", key).out
    assert run("cfg", "set", key, value) == (0, "", "")
    assert run("cfg", "get", key) == (0, f"{value}\n", "")
    with Kernel() as kernel:
        assert kernel.config.get(key) == json.loads(value)
    assert run("cfg", "unset", key) == (0, "", "")
    assert run("cfg", "get", key) == (0, before, "")


def test_hb41_a_value_persists_across_processes(process: Run) -> None:
    assert process("cfg", "set", TTL, "86400") == (0, "", "")
    assert process("cfg", "get", TTL) == (0, "86400\n", "")


def test_hb_6_15_unset_restores_the_default(run: Run, home: Path) -> None:
    run("cfg", "set", TTL, "60")
    run("cfg", "unset", TTL)
    assert run("cfg", "get", TTL).out == "null\n"
    assert (home / "config.toml").read_text().strip() == ""
    code, out, err = run("cfg", "unset", TTL)
    assert (code, out, err) == (0, "", f"{TTL} is not set in {home / 'config.toml'}\n")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("heavenbase.llm.cache.enabledd", "true", "did you mean 'heavenbase.llm.cache.enabled'?"),
        ("heavenbase.llm.cache.enabled", "perhaps", "must be true or false"),
        ("heavenbase.llm.cache.policy", "sometimes", "must be one of"),
        (TTL, "-1", "must be at least 0"),
        ("heavenbase..llm", "1", "is not a dotted key"),
    ],
)
def test_hb_6_16_set_checks_key_and_value(run: Run, home: Path, key: str, value: str, message: str) -> None:
    code, out, err = run("cfg", "set", key, value)
    assert (code, out) == (2, "")
    assert message in err
    assert not (home / "config.toml").exists()


@pytest.mark.parametrize("command", ["get", "list", "unset"])
def test_an_unknown_key_is_bad_input_with_the_nearest(run: Run, command: str) -> None:
    code, out, err = run("cfg", command, "heavenbase.llm.cach")
    assert (code, out) == (2, "")
    assert "did you mean 'heavenbase.llm.cache'?" in err


def test_set_keeps_comments_and_modes(run: Run, home: Path) -> None:
    home.mkdir(exist_ok=True)
    file = home / "config.toml"
    file.write_text("# mine\n[heavenbase.llm.cache]\nenabled = true  # fast\n")
    assert run("cfg", "set", "heavenbase.llm.cache.policy", "off").code == 0
    text = file.read_text()
    assert "# mine" in text
    assert "# fast" in text
    assert tomllib.loads(text)["heavenbase"]["llm"]["cache"] == {"enabled": True, "policy": "off"}
    assert file.stat().st_mode & 0o777 == 0o600


def test_values_are_typed_by_their_key_or_by_strict_json(run: Run) -> None:
    run("cfg", "set", "heavenbase.llm.presets.mine.model", "5.6")
    assert run("cfg", "get", "heavenbase.llm.presets.mine.model", "--json").out == '"5.6"\n'
    run("cfg", "set", "heavenbase.llm.presets.mine.default_args.stop", '["a"]', "--json")
    assert run("cfg", "get", "heavenbase.llm.presets.mine.default_args.stop").out == '["a"]\n'
    code, _, err = run("cfg", "set", "heavenbase.llm.default_preset", "chat", "-j")
    assert code == 2
    assert "strings need double quotes" in err


def test_get_of_a_table_prints_its_values(run: Run) -> None:
    out = run("cfg", "get", "heavenbase.llm.retry").out
    assert "heavenbase.llm.retry.max_attempts = 3\n" in out
    assert json.loads(run("cfg", "get", "heavenbase.llm.retry", "--json").out)["max_attempts"] == 3


def test_get_verbose_tells_origin_and_what_is_overridden(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("cfg", "set", TTL, "60")
    monkeypatch.setenv("HEAVENBASE_LLM__CACHE__NAMESPACES__TEXT__TTL_SECONDS", "30")
    out = run("cfg", "get", TTL, "-v").out
    assert "from" in out
    assert "environment variable HEAVENBASE_LLM__CACHE__NAMESPACES__TEXT__TTL_SECONDS" in out
    assert f"60 from user file {home / 'config.toml'}:2" in out
    data = json.loads(run("cfg", "get", TTL, "-v", "--json").out)
    assert data["value"] == 30
    assert [row["value"] for row in data["overrides"]] == [60, None]


def test_set_tells_when_something_else_decides(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEAVENBASE_LLM__CACHE__ENABLED", "true")
    code, _, err = run("cfg", "set", "heavenbase.llm.cache.enabled", "false")
    assert code == 0
    assert "decided by the environment variable HEAVENBASE_LLM__CACHE__ENABLED" in err


def test_credentials_are_masked_unless_they_are_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = run("cfg", "set", KEY, "-", input="sk-typed-secret\n")
    assert (code, out, err) == (0, "", "")
    monkeypatch.setenv("MY_KEY", "sk-from-variable")
    run("cfg", "set", "heavenbase.llm.providers.groq.api_key", "${env:MY_KEY}")
    for command in (["get", KEY], ["get", KEY, "-v"], ["list"], ["list", "--json"], ["get", "heavenbase", "--json"]):
        out = run("cfg", *command).out
        assert "***" in out
        assert "sk-" not in out
    assert run("cfg", "get", "heavenbase.llm.providers.groq.api_key").out == "${env:MY_KEY}\n"
    assert run("cfg", "get", KEY, "--reveal").out == "sk-typed-secret\n"
    assert run("cfg", "get", "heavenbase.llm.providers.groq.api_key", "--reveal").out == "sk-from-variable\n"
    revealed = run("cfg", "list", "heavenbase.llm.providers", "--reveal").out
    assert "sk-typed-secret" in revealed
    assert "sk-from-variable" in revealed


def test_a_credential_in_the_arguments_is_taken_with_a_warning(run: Run) -> None:
    code, _, err = run("cfg", "set", KEY, "sk-typed-secret")
    assert code == 0
    assert "history of your shell" in err
    assert "sk-typed-secret" not in err


def test_a_refused_value_is_not_repeated(run: Run) -> None:
    code, out, err = run("cfg", "set", KEY, "sk-typed-secret", "--json")
    assert code == 2
    assert "sk-typed-secret" not in out + err


def test_list_prints_every_value_and_with_v_its_origin(run: Run, home: Path) -> None:
    run("cfg", "set", TTL, "60")
    out = run("cfg", "list", "heavenbase.llm.cache.namespaces").out
    assert f"{TTL} = 60\n" in out
    assert run("cfg", "ls", "heavenbase.llm.cache.namespaces").out == out
    (line,) = [line for line in run("cfg", "show", "-v").out.splitlines() if line.startswith(TTL)]
    assert line.endswith(f"60                  user file {home / 'config.toml'}:2") or str(home) in line
    assert (
        json.loads(run("cfg", "list", "heavenbase.llm.retry", "--json").out)["heavenbase.llm.retry.base_delay"] == 0.5
    )


def test_path_prints_the_file_and_with_all_every_place(run: Run, home: Path) -> None:
    assert run("cfg", "path") == (0, f"{home / 'config.toml'}\n", "")
    assert json.loads(run("cfg", "path", "--all", "--json").out)["cache_dir"] == str(home / "cache")


def test_another_settings_file_is_read_and_edited(run: Run, home: Path) -> None:
    Path("other.toml").write_text("")
    assert run("--config", "other.toml", "cfg", "set", TTL, "5").code == 0
    assert run("--config", "other.toml", "cfg", "get", TTL).out == "5\n"
    assert run("cfg", "get", TTL).out == "null\n"
    assert not (home / "config.toml").exists()
    code, _, err = run("--config", "missing.toml", "chat", "hi", "-p", "mock")
    assert code == 1
    assert "missing.toml" in err


def test_a_file_that_cannot_be_loaded_can_be_mended(run: Run, home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text("[heavenbase.llm]\nnonsense = 1\n")
    code, _, err = run("cfg", "list")
    assert code == 1
    assert f"{home / 'config.toml'}:2: unknown key" in err
    assert run("chat", "hi", "-p", "mock").code == 1
    assert run("cfg", "path").code == 0
    assert run("cfg", "unset", "heavenbase.llm.nonsense").code == 0
    assert run("chat", "hi", "-p", "mock").code == 0


def _editor(folder: Path, change: str) -> str:
    """A program that changes the `text` of the file that it is given."""
    script = folder / "editor.py"
    script.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\nfile = pathlib.Path(sys.argv[1])\n"
        f"text = file.read_text()\n{change}\nfile.write_text(text)\n"
    )
    script.chmod(0o755)
    return str(script)


@pytest.mark.skipif(os.name != "posix", reason="the editor is a script that is run by its first line")
def test_edit_takes_over_only_what_can_be_loaded(run: Run, home: Path, tmp_path: Path) -> None:
    run("cfg", "set", TTL, "5")
    editor = _editor(tmp_path, 'text = text.replace("5", "6")')
    assert run("cfg", "edit", "-e", editor) == (0, f"{home / 'config.toml'}\n", "")
    assert run("cfg", "get", TTL).out == "6\n"
    code, _, err = run("cfg", "edit", "-e", _editor(tmp_path, 'text += "nonsense = 1\\n"'))
    assert code == 1
    assert "was not changed; go on with: hb cfg edit" in err
    assert run("cfg", "get", TTL).out == "6\n"
    code, _, err = run("cfg", "edit", "-e", _editor(tmp_path, 'text = text.replace("nonsense = 1", "")'))
    assert code == 0
    assert "going on with the draft" in err
    assert not list(home.glob("*.draft.toml"))


@pytest.mark.skipif(os.name != "posix", reason="the editor is a script that is run by its first line")
def test_edit_without_a_change_changes_nothing(run: Run, home: Path, tmp_path: Path) -> None:
    assert run("cfg", "edit", "-e", _editor(tmp_path, "")) == (0, "nothing was changed\n", "")
    assert not (home / "config.toml").exists()


def test_edit_without_an_editor_and_without_a_terminal_says_what_to_do_instead(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("VISUAL", "EDITOR"):
        monkeypatch.delenv(variable, raising=False)
    code, _, err = run("cfg", "edit")
    assert code == 1
    assert "needs a terminal" in err


# Trust


def test_a_project_file_that_moves_an_endpoint_needs_trust(run: Run) -> None:
    Path("heavenbase.toml").write_text('heavenbase.llm.providers.openai.base_url = "https://elsewhere.test/v1"\n')
    code, _, err = run("explain", "hi", "-m", "openai/gpt-4o")
    assert code == 1
    assert f"hb trust {Path.cwd()}" in err
    assert run("trust") == (0, f"{Path.cwd()} is trusted\n", "")
    assert run("trust", "--list").out == f"{Path.cwd()}\n"
    assert json.loads(run("trust", "--list", "--json").out) == {"folders": [str(Path.cwd())]}
    assert "https://elsewhere.test/v1" in run("explain", "hi", "-m", "openai/gpt-4o").out
    assert run("trust", "--remove").err == "the folder is not trusted any more\n"
    assert run("explain", "hi", "-m", "openai/gpt-4o").code == 1
    assert run("trust", "missing").code == 1
