"""A cap on costs, and batches that are cut into shards and run by another engine."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from hb_batch import Shard, ShardResult
from hb_batch.index import Index
from hb_batch.merging import merge
from hb_batch.runs import FileRun, Finished, Settings, ShardWork
from hb_batch.runs.tally import amount_of
from hb_batch.shards import shards_of
from hb_testing.server import LoopbackServer, Reply
from heavenbase.errors import InputError

from .support import by_id, line, rows, write


def spent(output: str) -> Decimal:
    """The dollars of all rows."""
    return sum((amount_of(row) or Decimal(0) for row in rows(output)), Decimal(0))


@pytest.mark.parametrize("concurrency", [1, 5])
def test_a_cap_is_not_passed_and_a_higher_one_goes_on(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path, concurrency: int
) -> None:
    server.script(lambda _: Reply("yes", usage={"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}))
    lines = [line(f"r{n}", "hi", max_tokens=10) for n in range(40)]  # 9 and 20 cents at most, 9 and 10 in the end
    source, output = write(tmp_path / "in.jsonl", lines), str(tmp_path / "out.jsonl")
    first = FileRun(kernel).begin(source, output, Settings(concurrency=concurrency, max_cost="2.00"))
    assert (first.is_complete, first.code) == (False, 1)
    assert "would pass 2.00" in (first.stopped or "")
    assert spent(output) == first.cost <= 2
    assert first.cost > Decimal("1.5")
    assert first.counts == {"success": len(server.requests)}
    again = FileRun(kernel).resume(output)
    assert (again.written, again.is_complete) == (0, False)
    higher = FileRun(kernel).resume(output, max_cost="100")
    assert (higher.is_complete, higher.code, higher.counts) == (True, 0, {"success": 40})
    assert spent(output) == higher.cost


def test_a_price_that_is_not_known_is_refused_unless_allowed(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path
) -> None:
    lines = [line("a", model="acme/free", max_tokens=5), line("b", model="acme/free", max_tokens=5)]
    source, output = write(tmp_path / "in.jsonl", lines), str(tmp_path / "out.jsonl")
    refused = FileRun(kernel).begin(source, output, Settings(max_cost="5"))
    assert (refused.counts, refused.code, server.requests) == ({}, 1, [])
    assert "line 1: what acme/free costs at most is not known" in (refused.stopped or "")
    allowed = FileRun(kernel).resume(output, unknown_cost="allow")
    assert (allowed.counts, allowed.is_cost_known) == ({"success": 2}, False)


def unread(kernel: hb.Kernel, server: LoopbackServer, folder: Path) -> tuple[Finished, str]:
    """A run under a cap whose answers cannot be read, though they were paid for, and its output."""
    server.script(lambda _: Reply(body=b"{", status=200))
    lines = [line(f"r{n}", "hi", max_tokens=10) for n in range(20)]
    source, output = write(folder / "in.jsonl", lines), str(folder / "out.jsonl")
    return FileRun(kernel).begin(source, output, Settings(max_cost="1.00", concurrency=2)), output


def test_a_failure_that_may_be_billed_counts_as_what_it_costs_at_most(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path
) -> None:
    found, _ = unread(kernel, server, tmp_path)
    assert not found.is_complete
    assert 1 <= len(server.requests) <= 4


def test_what_failures_may_have_cost_counts_in_later_runs_too(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path
) -> None:
    _, output = unread(kernel, server, tmp_path)
    before = len(server.requests)
    for again in (FileRun(kernel).resume, FileRun(kernel).retry_failed, FileRun(kernel).resume):
        found = again(output)
        assert "would pass 1.00" in (found.stopped or "")
    assert len(server.requests) == before


def test_shards_cover_every_line_once(tmp_path: Path) -> None:
    lines = [line(f"r{n % 90}", "x" * n) for n in range(100)]
    lines[17] = lines[18] = ""
    source = write(tmp_path / "in.jsonl", lines)
    with Index(str(tmp_path)) as index:
        shards = list(shards_of(source, index, lines=30))
    assert [(it.index, it.first_line, it.lines) for it in shards] == [(0, 1, 30), (1, 31, 30), (2, 61, 30), (3, 91, 10)]
    assert all(before.end == after.offset for before, after in pairwise(shards))
    assert shards[-1].end == Path(source).stat().st_size
    assert shards[3].repeated == {line: line - 90 for line in range(91, 101)}
    assert pickle.loads(pickle.dumps(shards[3])) == shards[3]  # noqa: S301


class Threads:
    """An engine that runs shards in any order, in threads."""

    def __init__(self) -> None:
        self.results: list[ShardResult] = []

    def run(self, shards: Iterable[Shard], work: Callable[[Shard], ShardResult]) -> Iterator[ShardResult]:
        """The results, the last shard first."""
        work = pickle.loads(pickle.dumps(work))  # noqa: S301  # it may go anywhere
        with ThreadPoolExecutor(3) as pool:
            self.results = list(pool.map(work, reversed(list(shards))))
        return iter(self.results)


@pytest.fixture
def surroundings(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kernel of its own finds where a shard runs."""
    monkeypatch.setenv("OPENAI_BASE_URL", server.url("openai"))
    monkeypatch.setenv("OPENAI_API_KEY", "key-0123456789")
    monkeypatch.setenv("HEAVENBASE_LLM__CACHE__ENABLED", "false")


@pytest.mark.usefixtures("surroundings")
def test_another_engine_runs_the_shards_and_their_parts_are_joined(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path
) -> None:
    lines = [line(f"r{n}", f"number {n}", model="gpt-4o-mini") for n in range(50)]
    lines[49] = line("r0", model="gpt-4o-mini")
    source, output = write(tmp_path / "in.jsonl", lines), str(tmp_path / "out.jsonl")
    engine = Threads()
    found = FileRun(kernel, engine=engine, shard_lines=20).begin(source, output, Settings(concurrency=2))
    assert (found.counts, found.is_complete) == ({"success": 49, "invalid": 1}, True)
    assert [it.index for it in engine.results] == [2, 1, 0]
    assert len(server.requests) == 49
    assert merge(source, [output], str(tmp_path / "all.jsonl")) == {"success": 49, "invalid": 1}
    assert [it["line"] for it in rows(tmp_path / "all.jsonl")] == list(range(1, 51))
    with pytest.raises(InputError, match="the engine of this process alone"):
        FileRun(kernel, engine=engine).resume(output, max_cost="5")


@pytest.mark.usefixtures("surroundings")
def test_a_shard_that_is_given_again_goes_on(server: LoopbackServer, tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [line(f"r{n}", str(n), model="gpt-4o-mini") for n in range(10)])
    work = ShardWork(source, str(tmp_path), Settings())
    with Index(str(tmp_path)) as index:
        (shard,) = shards_of(source, index)
    first = work(shard)
    assert (first.counts, first.is_complete, first.output) == ({"success": 10}, True, str(tmp_path / "000000.jsonl"))
    kept = Path(str(first.output)).read_bytes().splitlines(keepends=True)
    Path(str(first.output)).write_bytes(b"".join(kept[:6]) + kept[6][:50])
    assert work(shard).counts == {"success": 10}
    assert len(server.requests) == 14
    assert len(by_id(str(first.output))) == 10


def test_shards_in_this_process_follow_each_other(kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", [line(f"r{n}") for n in range(25)]), str(tmp_path / "out.jsonl")
    found = FileRun(kernel, shard_lines=10).begin(source, output, Settings(concurrency=3))
    assert found.counts == {"success": 25}
    assert len(server.requests) == 25
    with pytest.raises(InputError, match="has no requests"):
        FileRun(kernel).begin(write(tmp_path / "empty.jsonl", ["", " "]), str(tmp_path / "2.jsonl"), Settings())


def test_an_engine_needs_nothing_but_the_interface() -> None:
    results: Any = Threads()
    from hb_batch import Engine

    checked: Engine = results
    assert list(checked.run([], int)) == []  # type: ignore[arg-type]
