"""`hb batch --mode native` from the command line, in processes that are killed, and gone on with in this one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hb_testing.conformance.rig import environment
from hb_testing.server import Action, LoopbackServer
from hb_testing.server.recorder import RecordedRequest

from ..support import command
from .bench import MODELS, line

KEY = "sk-test-key-0123456789"


class Shell:
    """Files in a folder, a provider on loopback, and `hb`: here, or in processes of its own that may be ended."""

    def __init__(self, server: LoopbackServer, wire: str, folder: Path, here: pytest.MonkeyPatch) -> None:
        self.server, self.wire, self.folder = server, wire, folder
        self.kept: Any = server.wires[wire].batches  # type: ignore[attr-defined]
        (folder / "in.jsonl").write_text("".join(map(line, ("a", "b", "c"))))
        name = wire.upper()
        given = {
            f"{name}_BASE_URL": server.url(wire),
            f"{name}_API_KEY": KEY,
        }
        self.environ = environment(**given, NO_COLOR="1")
        here.chdir(folder)

    @property
    def begin(self) -> tuple[str, ...]:
        own = ("--mode", "native", "--poll", "0.02", "--settle", "0.1")
        return ("run", "in.jsonl", "-o", "out.jsonl", "-m", MODELS[self.wire], *own)

    def started(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "heavenbase", "batch", *words]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def ended(self, *words: str) -> tuple[int, str]:
        """How a command ends in this process, and what it says: no error that nobody foresaw, and never the key."""
        code, said = command(self.environ, *words)
        assert "should not happen" not in said
        assert KEY not in said
        return code, said

    def hb(self, *words: str, code: int = 0) -> str:
        """What a command says that ends with this code."""
        ended, said = self.ended(*words)
        assert ended == code, (words, ended, said)
        return said

    def signalled(self, number: int, is_step: Callable[[RecordedRequest], bool], *words: str) -> tuple[int, str]:
        """How a command, a new run by default, ends in this process by a signal while such a request is on its way."""

        def script(request: RecordedRequest) -> Any:
            if not is_step(request):
                return None
            # To this very thread, so that what it waits for is broken off.
            signal.pthread_kill(threading.main_thread().ident or 0, number)
            return [Action.STALL]

        self.server.script(script)
        found = self.ended(*(words or self.begin))
        self.server.script(None)
        return found

    def killed(self, process: subprocess.Popen[str]) -> None:
        """As `kill -9`."""
        process.kill()
        process.communicate(timeout=60)

    @property
    def statuses(self) -> dict[str, str]:
        rows = [json.loads(it) for it in (self.folder / "out.jsonl").read_text().splitlines()]
        return {row["custom_id"]: row["status"] for row in rows}

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(it) for it in (self.folder / "out.jsonl.hb/native.jsonl").read_text().splitlines()]


@pytest.fixture(params=sorted(MODELS))
def shell(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    with LoopbackServer(require_key=KEY) as server:
        yield Shell(server, request.param, tmp_path, monkeypatch)


# What comes behind a kill is tried with both wires, at each request, without processes.
with_one_wire = pytest.mark.parametrize("shell", ["openai"], indirect=True)


def is_submit(request: RecordedRequest) -> bool:
    """Whether a request begins a submit: with OpenAI its file is uploaded first."""
    return request.method == "POST" and request.path.endswith(("/files", "/batches"))


def test_a_file_is_answered_and_put_into_order(shell: Shell) -> None:
    shell.kept.is_shuffled = True
    assert "3 success" in shell.hb(*shell.begin)
    assert shell.kept.made == 1
    shell.hb("merge", "in.jsonl", "out.jsonl", "-o", "all.jsonl")
    rows = [json.loads(it) for it in (shell.folder / "all.jsonl").read_text().splitlines()]
    assert [row["custom_id"] for row in rows] == ["a", "b", "c"]
    found = json.loads(shell.hb("status", "out.jsonl", "--json"))
    assert (found["mode"], found["left"], found["next"]) == ("native", 0, None)
    job = next(event["job"] for event in shell.events if event["event"] == "job")
    assert found["jobs"] == {"part 1": f"{job}, merged"}
    assert shell.kept.kept.keys() == ({job} if shell.wire == "openai" else set())
    assert shell.wire == "anthropic" or not shell.server.wires["openai"].files.kept
    assert "exists" in shell.hb(*shell.begin, code=2)


@with_one_wire
def test_killed_between_intent_and_submit(shell: Shell) -> None:
    shell.server.script(lambda request: [Action.STALL] if is_submit(request) else None)
    process = shell.started(*shell.begin)
    shell.server.wait_for(lambda server: any(map(is_submit, server.requests)), timeout=30)
    shell.killed(process)
    assert [event["event"] for event in shell.events] == ["run", "intent"]
    shell.server.script(None)
    assert shell.kept.made == 0
    assert "3 success" in shell.hb("resume", "out.jsonl")
    assert shell.kept.made == 1


def test_killed_after_a_submit_that_was_not_answered_yet(shell: Shell) -> None:
    shell.server.strike("J1.stall", shell.wire)
    process = shell.started(*shell.begin)
    shell.server.wait_for(lambda server: bool(shell.kept.struck), timeout=30)
    shell.killed(process)
    assert [event["event"] for event in shell.events if event["event"] != "file"] == ["run", "intent"]
    assert shell.kept.made == 1
    shell.server.strike(None)
    assert "3 success" in shell.hb("resume", "out.jsonl")
    assert shell.kept.made == 1


@with_one_wire
def test_ctrl_c_leaves_the_job_running_and_cancel_stops_it(shell: Shell) -> None:
    shell.kept.looks, shell.kept.answered = 10**6, 1
    process = shell.started(*shell.begin)
    shell.server.wait_for(lambda server: len(server.requests) > 4, timeout=30)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "hb batch resume out.jsonl" in err
    assert "hb batch cancel out.jsonl" in err
    [job] = shell.kept.kept.values()
    assert not job.is_cancelled
    assert "submitted" in shell.hb("status", "out.jsonl")
    assert "cancelling" in shell.hb("cancel", "out.jsonl", code=1)
    assert job.is_cancelled
    shell.hb("resume", "out.jsonl", code=1)
    assert shell.statuses == {"a": "success", "b": "cancelled", "c": "cancelled"}
    shell.kept.looks = 1
    assert "3 success" in shell.hb("retry-failed", "out.jsonl")
    assert shell.kept.made == 2


def test_what_expires_and_what_fails_is_told_and_asked_again(shell: Shell) -> None:
    def fated(request: RecordedRequest) -> None:
        run = shell.events[0]["run"]
        shell.kept.fates.update({f"{run}-2": "expired", f"{run}-3": 400})
        shell.kept.foreign = [b'{"custom_id": "stranger"}']

    shell.server.script(lambda request: fated(request))
    said = shell.hb(*shell.begin, code=1)
    assert "1 success, 1 error, 1 expired" in said
    assert "'stranger' has no request" in said
    assert "hb batch retry-failed out.jsonl" in said
    assert shell.statuses == {"a": "success", "b": "expired", "c": "error"}
    shell.server.script(None)
    shell.kept.fates.clear()
    shell.kept.foreign = []
    assert "3 success" in shell.hb("retry-failed", "out.jsonl")


def test_options_of_the_other_mode_are_refused(shell: Shell) -> None:
    assert "--max-cost is for mode sync" in shell.hb(*shell.begin, "--max-cost", "1", code=2)
    words = ("run", "in.jsonl", "-o", "out.jsonl", "-m", MODELS[shell.wire], "--poll", "1")
    assert "mode native" in shell.hb(*words, code=2)
    assert shell.server.requests == []
