"""Native batches from the command line under attack: two at once, full disks, signals at each request, odd files."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hb_testing.server import Action, LoopbackServer, Reply

from .bench import line
from .test_native_commands import KEY, Shell


@pytest.fixture
def shell(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """The command line over a wire: locks, disks and states are the same for all."""
    with LoopbackServer() as server:
        yield Shell(server, getattr(request, "param", "openai"), tmp_path, monkeypatch)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """How a process ended, and what it said; never with a traceback, nor with the key."""
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err, err
    assert "should not happen" not in err, err
    assert KEY not in out + err
    return process.returncode, out + err


def test_of_two_at_once_one_works_and_the_other_sends_nothing(shell: Shell) -> None:
    shell.kept.looks = 10**6
    first = shell.started(*shell.begin)
    shell.server.wait_for(lambda server: len(server.requests) > 4, timeout=30)
    agents = len({it.connection for it in shell.server.requests})
    for words in (("resume", "out.jsonl"), ("cancel", "out.jsonl"), ("retry-failed", "out.jsonl"), shell.begin):
        code, said = shell.ended(*words)
        assert code in (1, 2), said
        assert "another process works" in said or "exists" in said
    assert "running" in shell.hb("status", "out.jsonl")
    assert len({it.connection for it in shell.server.requests}) == agents
    shell.killed(first)
    shell.kept.looks = 1
    assert "3 success" in shell.hb("resume", "out.jsonl")
    assert shell.kept.made == 1


STEPS = {
    "upload": lambda it: it.method == "POST" and it.path.endswith("/files"),
    "create": lambda it: it.method == "POST" and it.path.endswith("/batches"),
    "look": lambda it: it.method == "GET" and "/batches/" in it.path and not it.path.endswith("/results"),
    "results": lambda it: it.path.endswith(("/content", "/results")),
    "delete": lambda it: it.method == "DELETE",
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("shell", "step"),
    [*(("openai", step) for step in STEPS), *(("anthropic", step) for step in ("create", "results"))],
    indirect=["shell"],
)
def test_a_signal_at_each_request_loses_and_doubles_nothing(shell: Shell, step: str, number: int) -> None:
    code, said = shell.signalled(number, STEPS[step])
    assert code == 128 + number
    assert "hb batch resume out.jsonl" in said
    goes_on(shell)


@pytest.mark.parametrize("step", ["results", "delete"])
def test_a_kill_at_the_last_requests_loses_and_doubles_nothing(shell: Shell, step: str) -> None:
    """Kills at the other requests are tried with the commands."""
    is_step = STEPS[step]
    shell.server.script(lambda request: [Action.STALL] if is_step(request) else None)
    process = shell.started(*shell.begin)
    shell.server.wait_for(lambda server: any(map(is_step, server.requests)), timeout=30)
    shell.killed(process)
    shell.server.script(None)
    goes_on(shell)


def goes_on(shell: Shell) -> None:
    """It is shown, and gone on with to its end."""
    shell.hb("status", "out.jsonl")
    assert "3 success" in shell.hb("resume", "out.jsonl")
    assert shell.kept.made == 1
    assert set(shell.statuses.values()) == {"success"}


@pytest.mark.parametrize("size", [0, 1_500, 6_000])
def test_a_full_disk_is_told_and_what_was_sent_is_found_again(shell: Shell, size: int) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    command = [sys.executable, "-B", "-m", "heavenbase", "batch", *shell.begin]
    process = subprocess.Popen(
        command, cwd=shell.folder, env=shell.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=limited,
    )  # fmt: skip
    code, said = ended(process)
    assert code in (0, 1, 2), said
    assert "gateway" not in said
    if code == 0:
        return
    assert shell.kept.made <= 1
    words = ("resume", "out.jsonl") if (shell.folder / "out.jsonl.hb/manifest.json").exists() else shell.begin
    assert "3 success" in shell.hb(*words)
    assert shell.kept.made == 1


def test_an_input_that_changed_is_refused(shell: Shell) -> None:
    shell.signalled(signal.SIGINT, STEPS["look"])
    before = len(shell.server.requests)
    old = (shell.folder / "in.jsonl").read_text()
    (shell.folder / "in.jsonl").write_text(old + line("d"))
    for words in (("resume", "out.jsonl"), ("cancel", "out.jsonl"), ("retry-failed", "out.jsonl")):
        code, said = shell.ended(*words)
        assert (code, "has changed" in said) == (2, True), said
    assert len(shell.server.requests) == before
    (shell.folder / "in.jsonl").write_text(old)
    assert "3 success" in shell.hb("resume", "out.jsonl")


def test_a_key_that_was_changed_for_another_of_the_account_goes_on(shell: Shell) -> None:
    shell.signalled(signal.SIGINT, STEPS["look"])
    shell.environ[f"{shell.wire.upper()}_API_KEY"] = "sk-test-key-of-another-day"
    assert "3 success" in shell.hb("resume", "out.jsonl")
    assert shell.kept.made == 1


def test_an_address_that_changed_is_refused_and_a_finished_batch_needs_none(shell: Shell) -> None:
    assert "3 success" in shell.hb(*shell.begin, "--keep-files")
    with LoopbackServer() as other:
        shell.environ[f"{shell.wire.upper()}_BASE_URL"] = other.url(shell.wire)
        assert "3 success" in shell.hb("resume", "out.jsonl")
        said = shell.hb("resume", "out.jsonl", "--delete-files")
        assert "could not be deleted" in said
        assert "base_url" in said
        assert other.requests == []


def test_a_manifest_of_another_release_is_refused(shell: Shell) -> None:
    shell.hb(*shell.begin)
    path = shell.folder / "out.jsonl.hb/manifest.json"
    whole = json.loads(path.read_text())
    before = len(shell.server.requests)
    odd: list[dict[str, Any]] = [
        {"extra": {"native": {"speed": 9}}}, {"extra": {"native": {"poll": "x"}}}, {"extra": {"native": 7}},
        {"extra": 7}, {"format": 9}, {"mode": "telepathy"}, {"settings": {"model": "x"}}, {"input": {"path": 7}},
    ]  # fmt: skip
    for changes in odd:
        path.write_text(json.dumps({**whole, **changes}))
        code, said = shell.ended("resume", "out.jsonl")
        assert code == 2, (changes, code, said)
    assert len(shell.server.requests) == before


def test_each_command_at_each_state_is_answered(shell: Shell) -> None:
    def every(*codes: int) -> None:
        for words in (("status", "out.jsonl"), ("status", "out.jsonl", "--json")):
            assert shell.ended(*words)[0] == codes[0]
        code, said = shell.ended("merge", "in.jsonl", "out.jsonl", "-o", "all.jsonl")
        assert code in (0, 1), said

    for words in (("status",), ("resume",), ("cancel",), ("retry-failed",)):
        code, said = shell.ended(*words, "out.jsonl")
        assert (code, "belongs to no batch" in said) == (2, True), said
    shell.server.script(lambda it: Reply(status=401) if it.method == "POST" else None)
    code, said = shell.ended(*shell.begin)
    assert code not in (0, 130), said
    every(0)
    shell.server.script(None)
    shell.kept.looks = 10**6
    shell.signalled(signal.SIGTERM, STEPS["look"], "resume", "out.jsonl")
    every(0)
    shell.hb("cancel", "out.jsonl", code=1)
    every(0)
    shell.hb("cancel", "out.jsonl", code=1)
    shell.hb("resume", "out.jsonl", code=1)
    assert set(shell.statuses.values()) == {"cancelled"}
    every(0)
    shell.hb("cancel", "out.jsonl", code=1)
    shell.kept.looks = 1
    shell.hb("resume", "out.jsonl", code=1)
    assert "3 success" in shell.hb("retry-failed", "out.jsonl")
    for words in (("retry-failed", "out.jsonl"), ("resume", "out.jsonl"), ("cancel", "out.jsonl")):
        assert "3 success" in shell.hb(*words)
    every(0)
