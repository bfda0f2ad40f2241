"""Runs that are interrupted, killed or stopped at their cap, and gone on with: nothing is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from hb_batch import BatchFileError, BatchLocked, JournalError
from hb_batch.folder import Folder
from hb_batch.journal import Journal, mend
from hb_batch.runs import FileRun, Settings
from hb_batch.runs.telling import status
from hb_testing.conformance.rig import environment
from hb_testing.server import LoopbackServer, RecordedRequest, Reply

from .support import by_id, command, last_text, line, make_kernel, rows, write

HB = str(Path(sys.executable).with_name("hb"))
KILLED = Path(__file__).with_name("killed.py")


def surroundings(server: LoopbackServer) -> dict[str, str]:
    """The variables of `hb batch`."""
    return environment(OPENAI_BASE_URL=server.url("openai"), OPENAI_API_KEY="key-0123456789")


def started(server: LoopbackServer, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command `hb batch`, in a process of its own."""
    env, words = surroundings(server), [HB, "batch", *arguments]
    return subprocess.Popen(words, env=env, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code", "is_here"), [(signal.SIGINT, 130, False), (signal.SIGTERM, 143, True)])
def test_k1_an_interrupted_run_writes_what_is_in_flight_and_goes_on_later(
    server: LoopbackServer, tmp_path: Path, number: int, code: int, is_here: bool
) -> None:
    total = 200
    lines = [line(f"r{n}", f"number {n}", model="gpt-4o-mini") for n in range(total)]
    source, output = write(tmp_path / "in.jsonl", lines), tmp_path / "out.jsonl"
    ids: list[int] = []
    count = 0

    def script(request: RecordedRequest) -> Reply:
        nonlocal count
        count += 1
        if count == 50:
            os.kill(ids[0], number)
        return Reply(f"answer to {last_text(request)}", delay=0.005)

    server.script(script)
    words = ("run", source, "-o", str(output), "--concurrency", "8")
    if is_here:
        ids.append(os.getpid())
        ended, told = command(surroundings(server), *words)
    else:
        process = started(server, tmp_path, *words)
        ids.append(process.pid)
        told, ended = process.communicate(timeout=60)[1], process.returncode
    assert ended == code, told
    assert f"hb batch resume {output}" in told
    before = by_id(output)
    assert 50 <= len(before) < total
    assert len(before) == len(server.requests)  # what was sent is answered, and what was answered is on disk
    assert {row["status"] for row in before.values()} == {"success"}
    assert not Folder(str(output)).is_locked

    server.script(lambda request: Reply(f"answer to {last_text(request)}"))
    ended, told = command(surroundings(server), "resume", str(output), "--quiet")
    assert ended == 0, told
    found = by_id(output)
    assert len(found) == total
    assert len(server.requests) == total
    for name, row in found.items():
        text = row["response"]["body"]["choices"][0]["message"]["content"]
        assert text == f"answer to number {name[1:]}"


@pytest.mark.slow
def test_k1_the_second_interrupt_ends_at_once(server: LoopbackServer, tmp_path: Path) -> None:
    lines = [line(f"r{n}", str(n), model="gpt-4o-mini") for n in range(100)]
    source, output = write(tmp_path / "in.jsonl", lines), tmp_path / "out.jsonl"
    hanging, release = threading.Event(), threading.Event()

    def script(request: RecordedRequest) -> Reply:
        if int(last_text(request)) >= 20:
            hanging.set()
            release.wait(30)
        return Reply("yes")

    server.script(script)
    process = started(server, tmp_path, "run", source, "-o", "out.jsonl", "--concurrency", "4")
    try:
        assert hanging.wait(30)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = ""
        while "stopping" not in said:
            said += process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 130
    finally:
        release.set()
    assert f"hb batch resume {output}" in said + process.stderr.read()
    process.communicate()
    assert {row["status"] for row in rows(output)} == {"success"}


def test_k1_what_does_not_end_within_the_grace_is_cancelled_and_asked_again(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path
) -> None:
    source, output = write(tmp_path / "in.jsonl", [line(f"r{n}", str(n)) for n in range(30)]), tmp_path / "out.jsonl"

    def script(request: RecordedRequest) -> Reply:
        if last_text(request) == "10":
            os.kill(os.getpid(), signal.SIGINT)
        return Reply("yes", delay=20.0 if last_text(request) in ("9", "10") else 0.0)

    server.script(script)
    said: list[str] = []
    found = FileRun(kernel, told=said.append).begin(source, str(output), Settings(concurrency=3, grace=0.03))
    assert (found.code, found.is_complete, found.stopped) == (130, False, "interrupt")
    assert "in flight get 0.03 s" in said[0]
    cancelled = {name for name, row in by_id(output).items() if row["status"] == "cancelled"}
    assert cancelled <= {"r9", "r10"}
    assert "r10" in cancelled

    server.script(lambda _: Reply("yes"))
    again = FileRun(kernel).resume(str(output))
    assert (again.code, again.is_complete, again.counts) == (0, True, {"success": 30})
    assert len(by_id(output)) == 30


@pytest.mark.slow
def test_k2_a_run_that_is_killed_again_and_again_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    count, kills, concurrency = 120, 6, 8
    source = write(tmp_path / "in.jsonl", [line(f"r{n}", f"number {n}") for n in range(count)])
    output = tmp_path / "out.jsonl"
    with LoopbackServer() as server:
        server.script(lambda request: Reply(f"answer to {last_text(request)}", delay=0.002))
        arguments = (server.url("openai"), source, str(output), str(kills), "11", str(concurrency))
        done = subprocess.run([sys.executable, str(KILLED), *arguments], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        asked = Counter(last_text(request) for request in server.requests)
    found = by_id(output)
    assert set(found) == {f"r{n}" for n in range(count)}
    for name, row in found.items():
        content = row["response"]["body"]["choices"][0]["message"]["content"]
        assert (row["status"], content) == ("success", f"answer to number {name[1:]}")
    assert sum(asked.values()) - count <= concurrency * kills


def test_k2_a_torn_row_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    assert mend(str(path)) == 0
    for whole, torn in ((b"", b'{"a'), (b"{}\n", b'{"a'), (b"{}\n", b""), (b"{}\n" * 30_000, b"x" * 70_000)):
        path.write_bytes(whole + torn)
        assert mend(str(path)) == len(torn)
        assert path.read_bytes() == whole


def test_rows_that_cannot_be_written_end_the_run(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, output = write(tmp_path / "in.jsonl", [line(f"r{n}") for n in range(50)]), str(tmp_path / "out.jsonl")
    write_row, written = Journal._write, 0

    def full(journal: Journal, data: bytes) -> None:
        nonlocal written
        written += 1
        if written > 5:
            raise OSError(28, "No space left on device")
        write_row(journal, data)

    monkeypatch.setattr(Journal, "_write", full)
    with pytest.raises(JournalError, match="No space left"):
        FileRun(kernel).begin(source, output, Settings(concurrency=2))
    assert len(server.requests) <= 5 + 2
    monkeypatch.setattr(Journal, "_write", write_row)
    assert FileRun(kernel).resume(output).counts == {"success": 50}
    assert len(by_id(output)) == 50


def test_a_changed_input_is_noticed(kernel: hb.Kernel, tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", [line("a"), line("b")]), str(tmp_path / "out.jsonl")
    FileRun(kernel).begin(source, output, Settings())
    write(tmp_path / "in.jsonl", [line("b"), line("a")])
    for again in (FileRun(kernel).resume, FileRun(kernel).retry_failed):
        with pytest.raises(BatchFileError, match="has changed since this batch began"):
            again(output)


def test_one_run_at_a_time_works_on_a_batch(kernel: hb.Kernel, tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", [line("a")]), str(tmp_path / "out.jsonl")
    FileRun(kernel).begin(source, output, Settings())
    with Folder(output).locked(), pytest.raises(BatchLocked, match="another process works on"):
        FileRun(kernel).resume(output)


def test_nothing_that_is_there_is_written_over(kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", [line("a")]), str(tmp_path / "out.jsonl")
    run = FileRun(kernel)
    with pytest.raises(hb.errors.InputError, match="over the input"):
        run.begin(source, source, Settings())
    with pytest.raises(BatchFileError, match="no such folder"):
        run.begin(source, str(tmp_path / "nowhere" / "out.jsonl"), Settings())
    with pytest.raises(BatchFileError, match="cannot be read"):
        run.begin(str(tmp_path / "nothing.jsonl"), output, Settings())
    with pytest.raises(BatchFileError, match="belongs to no batch"):
        run.resume(output)
    Path(output).write_text("mine\n")
    with pytest.raises(BatchFileError, match="exists"):
        run.begin(source, output, Settings())
    Path(output).unlink()
    run.begin(source, output, Settings())
    with pytest.raises(BatchFileError, match="hb batch resume"):
        run.begin(source, output, Settings())
    assert len(server.requests) == 1


def test_what_cannot_be_a_run_leaves_nothing_behind(kernel: hb.Kernel, tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", [line("a")]), str(tmp_path / "out.jsonl")
    empty, pipe = write(tmp_path / "empty.jsonl", []), str(tmp_path / "pipe")
    Path(empty).write_bytes(b"")
    os.mkfifo(pipe)
    for path, target, says in (
        (empty, output, "no requests"),
        (pipe, output, "read again"),
        (source, "-", "in a file"),
    ):
        with pytest.raises(hb.errors.InputError, match=says):
            FileRun(kernel).begin(path, target, Settings())
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl", "empty.jsonl", "pipe"}


def test_rows_that_were_edited_are_asked_again_and_forgotten(kernel: hb.Kernel, tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", [line(f"r{n}", str(n)) for n in range(6)]), tmp_path / "out.jsonl"
    FileRun(kernel).begin(source, str(output), Settings())
    kept = sorted(output.read_text().splitlines(), key=lambda it: json.loads(it)["line"])
    odd = ['{"line":true,"custom_id":"x"}', '{"line":999999999999,"custom_id":"z"}', "[]", kept[5][:40]]
    odd.append('{"line":5,"custom_id":"r4","status":["x"],"usage":{"total_tokens":"x"},"cost":{"amount":"x"}}')
    output.write_text("\n".join([*kept[:4], *odd]) + "\n")
    assert status(str(output), 0.0).counts == {"success": 4, "error": 1}
    found = FileRun(kernel).retry_failed(str(output))
    assert (found.counts, found.written) == ({"success": 6}, 2)
    assert sorted(by_id(output)) == [f"r{n}" for n in range(6)]


def test_a_batch_that_cannot_be_locked_can_be_looked_at(kernel: hb.Kernel, tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", [line("a")]), str(tmp_path / "out.jsonl")
    FileRun(kernel).begin(source, output, Settings())
    lock = Path(Folder(output).file("lock"))
    lock.unlink()
    lock.mkdir()
    assert status(output, 0.0).counts == {"success": 1}
    with pytest.raises(BatchFileError, match="cannot be locked"):
        FileRun(kernel).resume(output)


def test_a_manifest_that_was_changed_is_refused(kernel: hb.Kernel, tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", [line("a")]), str(tmp_path / "out.jsonl")
    FileRun(kernel).begin(source, output, Settings())
    path = Path(Folder(output).file("manifest.json"))
    told = json.loads(path.read_text())
    changes: list[Any] = [
        ({**told, "format": 99}, "another release"),
        ({**told, "settings": {**told["settings"], "model": "dearer"}}, "changed by hand"),
        ({"format": 1}, "damaged"),
    ]
    for changed, says in changes:
        path.write_text(json.dumps(changed))
        with pytest.raises(BatchFileError, match=says):
            FileRun(kernel).resume(output)
    path.write_text("{")
    with pytest.raises(BatchFileError, match="cannot be read"):
        FileRun(kernel).resume(output)


def test_failures_are_asked_again_and_each_request_has_one_row_at_the_end(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path
) -> None:
    lines = [*(line(f"r{n}", str(n)) for n in range(20)), "not json"]
    source, output = write(tmp_path / "in.jsonl", lines), str(tmp_path / "out.jsonl")
    server.script(lambda request: Reply("no", status=500 if int(last_text(request)) % 4 == 0 else 200))
    first = FileRun(kernel).begin(source, output, Settings())
    assert first.counts == {"success": 15, "error": 5, "invalid": 1}
    assert FileRun(kernel).resume(output).written == 0
    server.script(lambda request: Reply("no", status=500 if last_text(request) == "8" else 200))
    second = FileRun(kernel).retry_failed(output, concurrency=2)
    assert (second.counts, second.written, second.code) == ({"success": 19, "error": 1, "invalid": 1}, 6, 1)
    assert len(by_id(output)) == 21
    assert len(server.requests) == 25
    assert Path(output).stat().st_mode & 0o777 == 0o600


def test_what_cancels_itself_is_one_failed_row(server: LoopbackServer, tmp_path: Path) -> None:
    class Cancelling(hb.Middleware):
        """Is cancelled from within."""

        name = "cancelling"
        around = "call"

        async def __call__(self, call: Any, next: Any) -> Any:
            if call.messages[-1]["content"] == "3":
                raise asyncio.CancelledError
            return await next(call)

    lines = [line(f"r{n}", str(n)) for n in range(8)]
    source, output = write(tmp_path / "in.jsonl", lines), str(tmp_path / "out.jsonl")
    with make_kernel(server, middleware=[Cancelling()]) as odd:
        found = FileRun(odd).begin(source, output, Settings(concurrency=2))
    assert (found.counts, found.is_complete) == ({"success": 7, "error": 1}, True)
    assert by_id(output)["r3"]["error"]["type"] == "CancelledError"


def test_an_option_that_cannot_be_kept_is_refused(kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", [line("a")]), str(tmp_path / "out.jsonl")
    with pytest.raises(hb.errors.InputError, match="middleware is no plain data"):
        FileRun(kernel).begin(source, output, Settings(options={"middleware": [object()]}))
    assert server.requests == []
    assert not Path(output).exists()
