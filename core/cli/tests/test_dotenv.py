"""The `.env` file of the folder that hb is run in: vendors' keys are read, and it is told where they came from."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hb_cli.target import _names
from hb_testing.server import LoopbackServer

Run = Callable[..., Any]
KEY = "sk-of-the-folder-000"


@pytest.fixture
def dotenv(home: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = Path.cwd() / ".env"
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write


def test_g25_a_call_is_made_with_the_key_and_the_address_of_the_file(run: Run, dotenv: Callable[[str], Path]) -> None:
    with LoopbackServer() as server:
        dotenv(f"GROQ_API_KEY={KEY}\nGROQ_BASE_URL={server.url('openai')}\n")
        outcome = run("chat", "hi", "-m", "groq/llama-3.1-8b-instant", "--no-stream")
        assert (outcome.code, outcome.err) == (0, "")
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert "GROQ_API_KEY" not in os.environ


def test_g25_explain_and_doctor_and_providers_tell_the_file(run: Run, dotenv: Callable[[str], Path]) -> None:
    path = dotenv(f"\nGROQ_API_KEY={KEY}\n")
    told = f"GROQ_API_KEY of the dotenv file {path}:2"
    story = json.loads(run("explain", "hi", "-m", "groq/llama-3.1-8b-instant", "--json").out)
    assert story["key"] == {"value": "set", "origin": told}
    checks = json.loads(run("doctor", "--json").out)["checks"]
    assert f"groq: set: {told}" in [row["detail"] for row in checks if row["name"] == "key"]
    assert f".env file {path}" in [row["detail"] for row in checks if row["name"] == "settings"]
    rows = json.loads(run("providers", "--json").out)["providers"]
    assert [row["key"] for row in rows if row["provider"] == "groq"] == [f"set: {told}"]
    assert KEY not in run("explain", "hi", "-m", "groq/llama-3.1-8b-instant").out


@pytest.mark.filterwarnings("always::heavenbase.errors.HBWarning")
def test_g25_settings_of_the_file_are_told_and_do_nothing(run: Run, dotenv: Callable[[str], Path]) -> None:
    dotenv("HEAVENBASE_LLM__DEFAULT_PROVIDER=groq\nGROQ_BASE_URL=https://evil.example\n")
    code, out, err = run("cfg", "get", "heavenbase.llm.default_provider")
    assert (code, out.strip()) == (0, "openrouter")
    assert "HEAVENBASE_LLM__DEFAULT_PROVIDER in line 1 (a setting of hb)" in err
    assert "GROQ_BASE_URL in line 2 (no key of groq comes from this file)" in err


def test_g25_the_setting_and_the_variable_turn_it_off(
    run: Run, dotenv: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    dotenv(f"GROQ_API_KEY={KEY}\n")
    args = ("explain", "hi", "-m", "groq/llama-3.1-8b-instant", "--json")
    monkeypatch.setenv("HEAVENBASE_DOTENV", "false")
    _, out, err = run(*args)
    assert (json.loads(out)["key"]["value"], err) == ("not set", "")
    monkeypatch.delenv("HEAVENBASE_DOTENV")
    run("cfg", "set", "heavenbase.dotenv", "false")
    assert json.loads(run(*args).out)["key"]["value"] == "not set"


def test_g25_a_shell_that_completes_is_told_nothing(
    dotenv: Callable[[str], Path], recwarn: pytest.WarningsRecorder
) -> None:
    import click

    from hb_cli.chat import chat

    dotenv("HB_NO=1\n")
    assert "groq" in _names("providers")(click.Context(chat), chat.params[0], "gr")
    assert list(recwarn) == []
