"""`hb local`, and the question before a call."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hb_provider_local import cli, notice, weights
from heavenbase.errors import PluginLoadError


class Terminal:
    """Standard error that says it is a terminal."""

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def test_the_status_without_a_model_names_the_command(runner: CliRunner) -> None:
    found = runner.invoke(cli.group, ["status"])
    assert found.exit_code == 0
    assert "hb local pull" in found.stdout


def test_the_status_is_json_for_programs(runner: CliRunner, sparse_demo: Path) -> None:
    found = json.loads(runner.invoke(cli.group, ["status", "--json"]).stdout)
    assert found["model"] == str(sparse_demo)
    assert found["origin"] == "pulled"
    assert "often wrong" in found["note"]
    assert "problem" not in found


def test_the_status_of_the_configured_file_is_shown(runner: CliRunner, home: Path, sparse_demo: Path) -> None:
    mine = home / "mine.gguf"
    mine.write_bytes(sparse_demo.read_bytes()[:4096])
    (home / "config.toml").write_text(f"[heavenbase.local]\nmodel = {str(mine)!r}\n")
    assert str(mine) in runner.invoke(cli.group, ["status"]).stdout


def test_a_model_that_is_there_is_not_pulled_again(runner: CliRunner, sparse_demo: Path, index: Path) -> None:
    found = runner.invoke(cli.group, ["pull", "--yes"])
    assert found.stdout.strip() == f"already here: {sparse_demo}"


def test_a_pull_that_fails_says_why(runner: CliRunner, index: Path) -> None:
    found = runner.invoke(cli.group, ["pull", "--yes"])
    assert isinstance(found.exception, PluginLoadError)
    assert found.exception.code == "download"
    assert found.stderr.count("\n") == 1


def test_remove_asks_and_deletes(runner: CliRunner, sparse_demo: Path) -> None:
    assert runner.invoke(cli.group, ["remove"], input="n\n").exit_code == 1
    assert sparse_demo.exists()
    assert "deleted" in runner.invoke(cli.group, ["remove"], input="y\n").stdout
    assert not sparse_demo.exists()
    assert "no fetched model" in runner.invoke(cli.group, ["remove", "--yes"]).stdout


def test_ensure_finds_what_is_there(sparse_demo: Path) -> None:
    assert cli.ensure(yes=False, interactive=False).path == sparse_demo


def test_ensure_without_consent_names_the_command() -> None:
    with pytest.raises(PluginLoadError, match="hb local pull") as caught:
        cli.ensure(yes=False, interactive=False)
    assert caught.value.code == "no_model"


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_ensure_pulls_when_the_user_agreed_beforehand(how: str, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "environment":
        monkeypatch.setenv("HB_YES", "1")
    with pytest.raises(PluginLoadError) as caught:
        cli.ensure(yes=how == "argument", interactive=False)
    # The index is empty: that the download failed proves that it was tried.
    assert caught.value.code == "download"


@pytest.mark.parametrize(("said", "code"), [("n\n", "no_model"), ("y\n", "download")])
def test_ensure_asks_on_a_terminal(said: str, code: str, index: Path, runner: CliRunner) -> None:
    with runner.isolation(input=said), pytest.raises(PluginLoadError) as caught:
        cli.ensure(yes=False, interactive=True)
    assert caught.value.code == code


def test_the_progress_bar_shows_every_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with cli.progress_display() as show:
        show("wait", 0, 0)
        show("download", 10, 100)
        show("download", 100, 100)
        show("unpack", 100, 100)
    assert "fetching" in terminal.text
    assert "checking" in terminal.text


def test_the_note_is_said_once_and_only_to_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = Path(weights.SMOLLM2.file_name)
    monkeypatch.setattr(notice, "_said", False)
    notice.say_once(demo)
    assert capsys.readouterr().err == ""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    notice.say_once(Path("another.gguf"))
    notice.say_once(demo)
    notice.say_once(demo)
    assert terminal.text.count("often wrong") == 1
