"""`hb compose check` and `hb compose chat`, run as `hb` runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hb_cli import State
from hb_cli.app import app

from .support import KEYS, LONG, Stack
from .test_settings import HAIKU, PAGE, SONNET

pytestmark = pytest.mark.parametrize("stack", ["sync"], indirect=True)


@pytest.fixture
def run(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run hb with the kernel of the stack, in a folder with the page's file."""
    monkeypatch.chdir(tmp_path)
    Path("heartbit.toml").write_text(PAGE, encoding="utf-8")

    def invoke(*args: str, input: str | None = None) -> tuple[int, str, str]:
        found = CliRunner().invoke(app, ["compose", *args], input=input, prog_name="hb", obj=State(stack.kernel))
        return found.exit_code, found.stdout, found.stderr

    return invoke


def test_check_says_what_a_file_means_and_sends_nothing(run: Any, stack: Stack) -> None:
    code, out, err = run("check", "heartbit.toml")
    assert (code, stack.requests) == (0, [])
    rows = dict(line.split(None, 1) for line in out.splitlines())
    assert rows["key"] == "ANTHROPIC_API_KEY (set)"
    assert rows["max_tokens"] == "16384"
    assert rows["cascade"] == f"{HAIKU} -> {SONNET}"
    assert "asked once" in err
    assert KEYS["ANTHROPIC_API_KEY"] not in out + err
    code, out, _ = run("check", "--json")
    assert (code, json.loads(out)["retries"]) == (0, "3, after 1000 to 30000 ms at most")


def test_check_names_mistakes_with_their_lines(run: Any) -> None:
    Path("heartbit.toml").write_text(PAGE.replace("max_tokens", "max_token"), encoding="utf-8")
    code, out, err = run("check")
    assert (code, out) == (1, "")
    assert "heartbit.toml:5: unknown key in [provider]: 'max_token'; did you mean 'max_tokens'?" in err


def test_check_fails_where_the_key_is_not_set(run: Any) -> None:
    Path("heartbit.toml").write_text(PAGE.replace("ANTHROPIC_API_KEY", "MY_KEY"), encoding="utf-8")
    code, out, err = run("check")
    assert code == 1
    assert "MY_KEY (not set)" in out
    assert "MY_KEY, which is not set" in err


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_chat_prints_the_answer(run: Any, stack: Stack, stream: str) -> None:
    stack.server.reply(LONG)
    code, out, err = run("chat", stream, "-v", "-s", "be brief", "heartbit.toml", "hi")
    assert (code, out.strip()) == (0, LONG)
    assert f"anthropic/{HAIKU}: answered" in err
    assert stack.sent["system"][0]["text"] == "be brief"


def test_chat_prints_json_and_reads_what_is_piped_in(run: Any, stack: Stack) -> None:
    stack.server.reply("no", finish_reason="max_tokens")
    stack.server.reply(LONG, finish_reason="max_tokens")
    code, out, err = run("chat", "--json", input="hello\n")
    told = json.loads(out)
    assert (code, told["text"], told["model"], told["stop_reason"]) == (0, LONG, SONNET, "max_tokens")
    assert [attempt["model"] for attempt in told["attempts"]] == [HAIKU, SONNET]
    assert "ended by max_tokens" in err


def test_chat_needs_a_question(run: Any, stack: Stack) -> None:
    code, _, err = run("chat", input="")
    assert (code, stack.requests) == (2, [])
    assert "nothing is asked" in err
