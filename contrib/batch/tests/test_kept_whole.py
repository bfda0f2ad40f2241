"""What is there is never lost, doubled or written over: kills between two steps, merging, other engines, manifests."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from hb_batch import Shard, ShardResult
from hb_batch.errors import BatchFileError, BatchLocked
from hb_batch.folder import Folder, Source
from hb_batch.journal import Journal
from hb_batch.lines import CHUNK
from hb_batch.merging import merge
from hb_batch.runs import FileRun, Settings
from hb_batch.runs import files as files_of_runs
from hb_batch.runs.tally import Tally
from hb_batch.runs.telling import estimate, status
from hb_testing.server import LoopbackServer, Reply
from heavenbase.errors import InputError

from .support import by_id, last_text, line, rows, write


class Killed(BaseException):
    """In the place of SIGKILL."""


def killed(*_: Any) -> None:
    raise Killed


def failing(server: LoopbackServer, *names: str) -> None:
    """Have the server refuse these texts, and no others."""
    server.script(lambda request: Reply("answer", status=400 if last_text(request) in names else 200))


# A kill before two rows of one request are made one


def test_a_kill_before_the_older_rows_are_gone_doubles_nothing(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, output = (
        write(tmp_path / "in.jsonl", [line(f"r{n}", str(n)) for n in range(8)]),
        str(tmp_path / "out.jsonl"),
    )
    failing(server, "1", "3")
    FileRun(kernel).begin(source, output, Settings())
    failing(server)
    with monkeypatch.context() as patched:
        patched.setattr(files_of_runs, "compact", killed)
        with pytest.raises(Killed):
            FileRun(kernel).retry_failed(output)
    assert len(rows(output)) == 10
    found = FileRun(kernel).resume(output)
    assert (found.counts, found.written) == ({"success": 8}, 0)
    assert len(by_id(output)) == 8


def test_any_number_of_rows_of_one_request_become_one(kernel: hb.Kernel, tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", [line("a")]), tmp_path / "out.jsonl"
    FileRun(kernel).begin(source, str(output), Settings())
    output.write_text(output.read_text() * 300)
    assert FileRun(kernel).resume(str(output)).counts == {"success": 1}
    assert len(rows(output)) == 1


@pytest.mark.skipif(os.name != "posix", reason="elsewhere an open file needs its name")
def test_killed_runs_leave_no_files_behind(kernel: hb.Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, output = write(tmp_path / "in.jsonl", [line(f"r{n}") for n in range(5)]), str(tmp_path / "out.jsonl")
    seen: list[set[str]] = []
    append = Journal.append

    def looking(journal: Journal, row: dict[str, Any]) -> None:
        seen.append(set(os.listdir(Folder(output).path)))
        append(journal, row)

    monkeypatch.setattr(Journal, "append", looking)
    FileRun(kernel).begin(source, output, Settings())
    assert {name for names in seen for name in names} == {"lock", "manifest.json"}
    Path(Folder(output).file(".out.jsonl.of-a-dead-process")).write_text("half")
    FileRun(kernel).resume(output)
    assert set(os.listdir(Folder(output).path)) == {"lock", "manifest.json"}


def test_to_ask_whether_a_run_goes_on_does_not_keep_one_from_beginning(kernel: hb.Kernel, tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", [line("a")]), str(tmp_path / "out.jsonl")
    FileRun(kernel).begin(source, output, Settings())
    asked, held = threading.Event(), threading.Event()

    def ask() -> None:
        with Folder(output).locked():
            held.set()
            asked.wait(5)
            time.sleep(0.02)

    thread = threading.Thread(target=ask)
    thread.start()
    assert held.wait(5)
    asked.set()
    assert FileRun(kernel).resume(output).counts == {"success": 1}
    thread.join()


# Merging


def test_merged_rows_take_the_place_of_neither_requests_nor_a_running_journal(
    kernel: hb.Kernel, tmp_path: Path
) -> None:
    source, output = write(tmp_path / "in.jsonl", [line("a"), line("b")]), str(tmp_path / "out.jsonl")
    FileRun(kernel).begin(source, output, Settings())
    before = Path(source).read_bytes()
    os.symlink(source, tmp_path / "link.jsonl")
    for target in (source, str(tmp_path / "link.jsonl")):
        with pytest.raises(InputError, match="over the requests"):
            merge(source, [output], target)
    assert Path(source).read_bytes() == before
    with Folder(output).locked(), pytest.raises(BatchLocked):
        merge(source, [output], output)
    assert merge(source, [output], output) == {"success": 2}
    assert FileRun(kernel).resume(output).counts == {"success": 2}


# Manifests


@pytest.mark.parametrize(
    "extra",
    [{"spent": "abc"}, {"spent": None}, {"spent": "NaN"}, {"spent": "-5"}, {"spent": "1e99999"}, {"resumed": "x"}],
    ids=str,
)
def test_notes_that_hb_never_wrote_are_a_damaged_manifest(
    kernel: hb.Kernel, tmp_path: Path, extra: dict[str, Any]
) -> None:
    source, output = write(tmp_path / "in.jsonl", [line("a")]), str(tmp_path / "out.jsonl")
    FileRun(kernel).begin(source, output, Settings())
    path = Path(Folder(output).file("manifest.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "extra": extra}))
    with pytest.raises(BatchFileError, match="the manifest is damaged"):
        status(output, 0.0)
    with pytest.raises(BatchFileError, match="the manifest is damaged"):
        FileRun(kernel).resume(output, max_cost="5")


# Blank lines


def test_blank_lines_are_no_requests_in_what_is_told(kernel: hb.Kernel, tmp_path: Path) -> None:
    source, output = (
        write(tmp_path / "in.jsonl", ["", line("a"), " \t", "", line("b"), ""]),
        str(tmp_path / "out.jsonl"),
    )
    shown: list[str] = []

    def meter(tally: Tally) -> Callable[[], None]:
        return lambda: shown.append(tally.line())

    FileRun(kernel, meter=meter).begin(source, output, Settings())
    assert shown[-1].startswith("2/2 done")
    Path(output).write_text(Path(output).read_text().splitlines(keepends=True)[0])
    Folder(output).update(finished=None)
    assert status(output, 0.0).left == 1
    blank = write(tmp_path / "blank.jsonl", ["", "  "])
    with pytest.raises(BatchFileError, match="no requests"):
        FileRun(kernel).begin(blank, str(tmp_path / "none.jsonl"), Settings())
    assert not list(tmp_path.glob("none*"))


def test_requests_are_counted_where_lines_span_what_is_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    long = b"x" * (CHUNK - 1)
    for data, counts in (
        (long + b"\n" + long + b"\n\n", (3, 2)),
        (b" " * (CHUNK + 1) + b"\nx", (2, 1)),
        (b" " * CHUNK + b"x\n" + b" " * CHUNK, (2, 1)),
        (b"\n" * CHUNK + b"x" + long * 2 + b"\n", (CHUNK + 1, 1)),
        (b"", (0, 0)),
    ):
        path.write_bytes(data)
        found = Source.of(str(path))
        assert (found.lines, found.requests) == counts


# What a request comes to at most


def test_what_is_asked_of_all_counts_under_a_cap_and_in_an_estimate(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path
) -> None:
    source, output = write(tmp_path / "in.jsonl", [line("a", max_tokens=1)]), str(tmp_path / "out.jsonl")
    words, few = "word " * 500, estimate(kernel, source, Settings())
    described = {"name": "f", "description": words, "parameters": {"type": "object", "properties": {}}}
    shape = {"type": "object", "properties": {"a": {"type": "string", "description": words}}}
    asked: list[dict[str, Any]] = [
        {"system": words},
        {"tools": [{"type": "function", "function": described}]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": shape}}},
    ]
    for options in asked:
        found = estimate(kernel, source, Settings(options=options))
        assert found.input >= few.input + 500
        assert found.cost_most is not None
        assert found.cost_most >= 5
    assert estimate(kernel, write(tmp_path / "own.jsonl", [line("a", system=words)]), Settings()).input >= 500
    stopped = FileRun(kernel).begin(source, output, Settings(options=asked[0], max_cost="0.50"))
    assert "would pass 0.50" in (stopped.stopped or "")
    assert server.requests == []


@pytest.mark.parametrize("bad", [{"max_tokens": -5}, {"max_tokens": "7"}, {"max_tokens": 1.5}, {"n": -1}], ids=str)
def test_a_bad_limit_in_a_row_stops_no_run_under_a_cap(kernel: hb.Kernel, tmp_path: Path, bad: dict[str, Any]) -> None:
    lines = [line("a", **{"max_tokens": 5, **bad}), line("b", max_tokens=5)]
    source, output = write(tmp_path / "in.jsonl", lines), str(tmp_path / "out.jsonl")
    assert (found := estimate(kernel, source, Settings())).invalid == 1
    assert next(iter(bad)) in found.problems[0]
    ran = FileRun(kernel).begin(source, output, Settings(max_cost="5", concurrency=1))
    assert (ran.counts, ran.stopped) == ({"invalid": 1, "success": 1}, None)


# Another engine


class Dying:
    """An engine that runs so many shards, and then is killed."""

    def __init__(self, shards: int) -> None:
        self._shards = shards

    def run(self, shards: Iterable[Shard], work: Callable[[Shard], ShardResult]) -> Iterator[ShardResult]:
        """The results of the shards."""
        for number, shard in enumerate(shards):
            if number == self._shards:
                raise Killed
            yield work(shard)


@pytest.fixture
def source(server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file of three shards, and surroundings in which shards find the server."""
    monkeypatch.setenv("OPENAI_BASE_URL", server.url("openai"))
    monkeypatch.setenv("OPENAI_API_KEY", "key-0123456789")
    monkeypatch.setenv("HEAVENBASE_LLM__CACHE__ENABLED", "false")
    return write(tmp_path / "in.jsonl", [line(f"r{n}", str(n), model="gpt-4o-mini") for n in range(9)])


def test_another_engine_asks_nothing_again_that_is_done(server: LoopbackServer, tmp_path: Path, source: str) -> None:
    output = str(tmp_path / "out.jsonl")
    failing(server, "2", "7")
    run = FileRun(engine=Dying(99), shard_lines=3)
    first = run.begin(source, output, Settings())
    assert (first.counts, first.written) == ({"success": 7, "error": 2}, 9)
    assert first.cost > Decimal(0) or not first.is_cost_known
    assert (run.resume(output).written, len(server.requests)) == (0, 9)
    failing(server)
    again = run.retry_failed(output)
    assert (again.counts, again.written, again.is_complete) == ({"success": 9}, 2, True)
    assert len(server.requests) == 11
    assert len(by_id(output)) == 9


def test_what_shards_have_answered_is_kept_whoever_goes_on(server: LoopbackServer, tmp_path: Path, source: str) -> None:
    output = str(tmp_path / "out.jsonl")
    with pytest.raises(Killed):
        FileRun(engine=Dying(2), shard_lines=3).begin(source, output, Settings())
    assert len(server.requests) == 6
    with hb.Kernel() as kernel:
        found = FileRun(kernel).resume(output)
    assert (found.counts, found.written, len(server.requests)) == ({"success": 9}, 3, 9)
    assert len(by_id(output)) == 9
    assert os.listdir(Folder(output).file("parts")) == []


def test_a_kill_while_parts_are_joined_doubles_nothing(
    server: LoopbackServer, tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = str(tmp_path / "out.jsonl")
    with monkeypatch.context() as patched:
        patched.setattr(Journal, "sync", killed)  # rows are written, and their part is there still
        with pytest.raises(Killed):
            FileRun(engine=Dying(99), shard_lines=3).begin(source, output, Settings())
    assert FileRun(engine=Dying(99), shard_lines=3).resume(output).counts == {"success": 9}
    assert (len(by_id(output)), len(server.requests)) == (9, 9)


class Losing:
    """An engine that loses the second shard."""

    def run(self, shards: Iterable[Shard], work: Callable[[Shard], ShardResult]) -> Iterator[ShardResult]:
        """The results of the others."""
        for shard in shards:
            if shard.index != 1:
                yield work(shard)


def test_a_run_whose_shard_was_lost_is_not_complete(server: LoopbackServer, tmp_path: Path, source: str) -> None:
    output = str(tmp_path / "out.jsonl")
    found = FileRun(engine=Losing(), shard_lines=3).begin(source, output, Settings())
    assert (found.counts, found.is_complete, found.code) == ({"success": 6}, False, 1)
    assert status(output, 0.0).left == 3
    assert FileRun(engine=Dying(99), shard_lines=3).resume(output).is_complete
    assert (len(by_id(output)), len(server.requests)) == (9, 9)


def test_an_input_that_is_cut_off_meanwhile_makes_no_complete_run(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path
) -> None:
    path, output = write(tmp_path / "in.jsonl", [line(f"r{n}", str(n)) for n in range(40)]), str(tmp_path / "out.jsonl")

    def script(_: Any) -> Reply:
        os.truncate(path, 0)
        return Reply("yes")

    server.script(script)
    found = FileRun(kernel, shard_lines=5).begin(path, output, Settings(concurrency=2))
    assert (found.is_complete, found.code) == (False, 1)
    with pytest.raises(BatchFileError, match="has changed"):
        FileRun(kernel).resume(output)


# Those who look on


def test_who_looks_on_and_fails_costs_no_answers(kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path) -> None:
    path, output = write(tmp_path / "in.jsonl", [line(f"r{n}", str(n)) for n in range(20)]), str(tmp_path / "out.jsonl")

    def broken(*_: Any) -> Any:
        raise BrokenPipeError("the terminal is gone")

    server.script(lambda _: Reply("yes", delay=0.005))
    found = FileRun(kernel, meter=lambda _: broken, interval=0.01, shard_lines=5).begin(path, output, Settings())
    assert (found.counts, found.is_complete) == ({"success": 20}, True)


def test_the_grace_counts_though_nobody_can_be_told_of_it(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path
) -> None:
    path, output = write(tmp_path / "in.jsonl", [line(f"r{n}", str(n)) for n in range(20)]), str(tmp_path / "out.jsonl")

    def script(request: Any) -> Reply:
        if last_text(request) == "5":
            os.kill(os.getpid(), signal.SIGINT)
        return Reply("yes", delay=20.0 if last_text(request) == "4" else 0.0)

    def broken(text: str) -> None:
        raise BrokenPipeError("the terminal is gone")

    server.script(script)
    began = time.monotonic()
    found = FileRun(kernel, told=broken).begin(path, output, Settings(concurrency=2, grace=0.02))
    assert time.monotonic() - began < 10
    assert (found.code, by_id(output)["r4"]["status"]) == (130, "cancelled")
