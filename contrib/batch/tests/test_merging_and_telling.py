"""Rows put together in the order of their requests, and what is told of a batch without sending anything."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import heavenbase as hb
from hb_batch import BatchFileError
from hb_batch.folder import Folder
from hb_batch.merging import merge
from hb_batch.rows import encoded, output_row
from hb_batch.runs import FileRun, Settings
from hb_batch.runs.tally import rate_told, usd
from hb_batch.runs.telling import estimate, status
from hb_cli.app import app
from hb_cli.state import State
from hb_testing.server import LoopbackServer, Reply

from .support import VECTORS, last_text, line, rows, write


def row(name: str, number: int, kind: str, text: str = "") -> str:
    """A row of an output file."""
    return encoded(output_row(number, name, kind, response={"status_code": 200, "body": text})).decode().rstrip()


def test_merged_rows_stand_in_the_order_of_their_requests(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [line("a"), line("b"), "", "broken", line("c"), line("a"), line("d")])
    one = write(tmp_path / "1.jsonl", [row("c", 5, "error"), row("a", 1, "success", "first"), '{"custom_id": "d", "st'])
    two = write(tmp_path / "2.jsonl", [row("c", 5, "success", "late"), row("a", 1, "error"), row("x", 9, "success")])
    counts = merge(source, [one, two], str(tmp_path / "all.jsonl"))
    found = rows(tmp_path / "all.jsonl")
    assert [(it["custom_id"], it["status"]) for it in found] == [
        ("a", "success"),
        ("b", "missing"),
        (None, "invalid"),
        ("c", "success"),
        (None, "invalid"),
        ("d", "missing"),
    ]
    assert (found[0]["response"]["body"], found[3]["response"]["body"]) == ("first", "late")
    assert counts == {"success": 2, "missing": 2, "invalid": 2}
    assert sorted(it.name for it in tmp_path.iterdir()) == ["1.jsonl", "2.jsonl", "all.jsonl", "in.jsonl"]
    assert merge(source, [str(tmp_path / "all.jsonl"), one], str(tmp_path / "all.jsonl")) == counts


def test_a_merge_never_takes_the_requests_for_rows_nor_writes_over_them(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [line("a")])
    output = write(tmp_path / "1.jsonl", [row("a", 1, "success")])
    with pytest.raises(hb.errors.InputError, match="written over the requests"):
        merge(source, [output], str(tmp_path / "." / "in.jsonl"))
    with pytest.raises(hb.errors.InputError, match="name the file of requests first"):
        merge(output, [source], str(tmp_path / "all.jsonl"))
    assert (tmp_path / "in.jsonl").read_text() == line("a") + "\n"
    assert sorted(it.name for it in tmp_path.iterdir()) == ["1.jsonl", "in.jsonl"]


def test_rows_that_openai_wrote_are_merged_too(tmp_path: Path) -> None:
    theirs = {"id": "b", "custom_id": "b", "response": {"status_code": 200, "body": {"id": "x"}}, "error": None}
    source, output = write(tmp_path / "in.jsonl", [line("a"), line("b")]), tmp_path / "1.jsonl"
    merge(source, [write(output, [json.dumps(theirs)])], str(tmp_path / "all.jsonl"))
    found = rows(tmp_path / "all.jsonl")
    assert (found[0]["status"], found[1]) == ("missing", theirs)


def test_status_tells_how_far_a_run_is(kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path) -> None:
    source, output = write(tmp_path / "in.jsonl", [line(f"r{n}", str(n)) for n in range(10)]), tmp_path / "out.jsonl"
    server.script(lambda request: Reply("no", status=500 if last_text(request) == "3" else 200))
    done = FileRun(kernel).begin(source, str(output), Settings())
    found = status(str(output), kernel.wall())
    assert (found.counts, found.left, found.is_running) == ({"success": 9, "error": 1}, 0, False)
    assert found.command == f"hb batch retry-failed {output}"
    assert (found.cost, found.tokens) == (
        done.cost,
        sum(it["usage"]["total_tokens"] for it in rows(output) if it["usage"]),
    )
    assert found.is_cost_known
    # As a kill leaves it: half of the rows, and no word of an end.
    write(output, [json.dumps(it) for it in rows(output)[:4]])
    Folder(str(output)).update(finished=None)
    with Folder(str(output)).locked():
        running = status(str(output), Folder(str(output)).read().extra["resumed"] + 2)
        assert (running.is_running, running.left, running.command) == (True, 6, None)
        assert running.rate == pytest.approx(2)
    assert status(str(output), kernel.wall()).command == f"hb batch resume {output}"
    with pytest.raises(BatchFileError, match="belongs to no batch"):
        status(str(tmp_path / "other.jsonl"), 0.0)


def test_an_estimate_sends_nothing_and_says_what_is_not_known(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path
) -> None:
    lines = [line("a", "one two three", max_tokens=10), line("b", "one", url=VECTORS), "broken", line("a")]
    found = estimate(kernel, write(tmp_path / "in.jsonl", lines), Settings())
    assert (found.requests, found.invalid, found.unpriced, found.uncounted) == (2, 2, 0, 0)
    assert found.models == {"acme/m": 2}
    assert (found.output, found.output_most) == (10, 10)
    assert found.cost is not None
    assert found.cost_most is not None
    assert Decimal(0) < found.cost <= found.cost_most
    assert found.problems[0].startswith("line 3 is not JSON")
    assert "custom_id of line 1" in found.problems[1]
    assert found.price_source == "table 1 of 2026-11-01"
    unknown = estimate(kernel, write(tmp_path / "in.jsonl", [line("a", model="acme/free"), line("b")]), Settings())
    assert (unknown.cost, unknown.cost_most, unknown.unpriced, unknown.output_most) == (None, None, 1, None)
    assert server.requests == []


def test_tokens_are_estimated_where_no_table_counts_them(server: LoopbackServer, tmp_path: Path) -> None:
    from .support import make_kernel

    with make_kernel(server) as plain:
        found = estimate(plain, write(tmp_path / "in.jsonl", [line("a", "word " * 100)]), Settings(model="acme/m"))
    assert (found.requests, found.uncounted, found.cost) == (1, 1, None)
    assert 60 < found.input < found.input_most
    assert found.input_most >= 500


def run(kernel: hb.Kernel, *arguments: str) -> Any:
    """The command line in this process."""
    return CliRunner().invoke(app, ["batch", *arguments], obj=State(kernel))


def test_the_command_line_runs_tells_and_merges(kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [line("a"), line("b", "two", model="acme/other"), "broken"])
    output, whole = str(tmp_path / "out.jsonl"), str(tmp_path / "all.jsonl")
    server.script(lambda request: Reply("no", status=500 if last_text(request) == "two" else 200))
    first = run(kernel, "run", source, "-o", output, "--concurrency", "2", "--option", "seed=7", "--json")
    assert first.exit_code == 1, first.output
    told = json.loads(first.stdout)
    assert told["counts"] == {"success": 1, "error": 1, "invalid": 1}
    assert told["complete"]
    assert "3/3 done, 2 failed" in first.stderr
    assert f"hb batch retry-failed {output}" in first.stderr
    assert {(it.json["model"], it.json["seed"]) for it in server.requests} == {("m", 7), ("other", 7)}
    again = run(kernel, "run", source, "-o", output)
    assert again.exit_code == 2
    assert "hb batch resume" in again.stderr
    server.script(lambda _: Reply("yes"))
    retried = run(kernel, "retry-failed", output, "--quiet")
    assert (retried.exit_code, retried.stdout) == (1, "2 success, 1 invalid\n")
    assert retried.stderr == ""
    resumed = run(kernel, "resume", output, "--json", "--timeout", "5")
    assert json.loads(resumed.stdout)["counts"] == {"success": 2, "invalid": 1}
    shown = run(kernel, "status", output)
    assert shown.exit_code == 0
    assert "at rest" in shown.stdout
    told = json.loads(run(kernel, "status", output, "--json").stdout)
    assert (told["left"], told["running"], told["next"]) == (0, False, None)
    assert run(kernel, "merge", source, output, "-o", whole).exit_code == 1
    assert [it["line"] for it in rows(whole)] == [1, 2, 3]
    assert run(kernel, "merge", source, "-o", whole).exit_code == 2
    guessed = run(kernel, "estimate", source)
    assert guessed.exit_code == 1
    assert "input tokens" in guessed.stdout
    assert "line 3 is not JSON" in guessed.stderr
    assert json.loads(run(kernel, "estimate", source, "--json").stdout)["requests"] == 2


def test_one_model_for_all_takes_the_place_of_the_rows(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path
) -> None:
    source = write(tmp_path / "in.jsonl", [line("a"), line("b", model="nothing-known")])
    done = run(kernel, "run", source, "-o", str(tmp_path / "out.jsonl"), "-m", "acme/mine", "--quiet")
    assert (done.exit_code, done.stdout) == (0, "2 success\n")
    assert {it.json["model"] for it in server.requests} == {"mine"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["-m", "nothing-known"], "nothing-known"),
        (["--option", "temprature=1"], "did you mean"),
        (["--option", "api_key=x"], "show the credential"),
        (["--option", "temperature=hot"], "temperature must be a number"),
        (["-o", "/dev/null"], "/dev/null is none"),
        (["--max-cost", "nothing"], "max_cost must be"),
        (["--max-cost", "-1"], "max_cost must be"),
        (["--concurrency", "0"], "concurrency"),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, list) else "",
)
def test_what_is_wrong_with_all_is_told_before_a_file_is_made(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path, given: list[str], says: str
) -> None:
    source = write(tmp_path / "in.jsonl", [line("a")])
    done = run(kernel, "run", source, "-o", str(tmp_path / "out.jsonl"), *given)
    assert done.exit_code == 2
    assert says in done.stderr
    assert not (tmp_path / "out.jsonl").exists()
    assert server.requests == []
    assert run(kernel, "run", source, "-o", str(tmp_path / "out.jsonl"), "--quiet").exit_code == 0


def test_a_terminal_gets_a_bar(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("hb_cli.output.is_terminal", lambda stream: True)
    source = write(tmp_path / "in.jsonl", [line(f"r{n}") for n in range(5)])
    done = run(kernel, "run", source, "-o", str(tmp_path / "out.jsonl"))
    assert (done.exit_code, done.stdout) == (0, "5 success\n")
    assert "5/5 done, 0 failed" in done.stderr
    assert "USD" in done.stderr


def test_why_rows_failed_is_told_by_the_run_and_by_its_status(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path
) -> None:
    server.script(lambda request: Reply(status=400, body={"error": {"message": "no\nsuch thing"}}))
    output = str(tmp_path / "out.jsonl")
    lines = ["broken", line("a"), line("b"), line("c").replace("/v1/chat/", "/v1/"), line("d", model="nobody/m")]
    done = run(kernel, "run", write(tmp_path / "in.jsonl", lines), "-o", output, "--concurrency", "1")
    told = [it for it in done.stderr.splitlines() if "first line" in it or "stand in the rows" in it]
    assert len(told) == 4
    assert told[0].startswith("2 request_rejected, first line 2: ")
    assert "no such thing" in told[0]
    assert told[1].startswith("1 invalid_json, first line 1 is not JSON")
    assert told[3] == "others stand in the rows"
    shown = run(kernel, "status", output)
    assert [it for it in told if it not in shown.stdout] == []
    assert json.loads(run(kernel, "status", output, "--json").stdout)["failures"] == told


def test_requests_are_asked_again_when_what_made_them_invalid_is_mended(
    kernel: hb.Kernel, server: LoopbackServer, tmp_path: Path
) -> None:
    output = str(tmp_path / "out.jsonl")
    source = write(tmp_path / "in.jsonl", [line("a", model="later/m"), "broken"])
    assert FileRun(kernel).begin(source, output, Settings()).counts == {"invalid": 2}
    assert FileRun(kernel).resume(output).counts == {"invalid": 2}
    later = {"heavenbase.llm.providers.later": {"base_url": server.url("openai"), "api_key": "key-of-later-0123"}}
    with hb.Kernel({**later, "heavenbase.llm.cache.enabled": False}) as another:
        assert FileRun(another).retry_failed(output).counts == {"success": 1, "invalid": 1}
    assert sorted(it["status"] for it in rows(output)) == ["invalid", "success"]


def test_rows_that_were_lost_behind_a_finished_run_are_told_as_left(kernel: hb.Kernel, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    source = write(tmp_path / "in.jsonl", [line("a"), "", line("b")])
    assert FileRun(kernel).begin(source, str(output), Settings()).is_complete
    assert status(str(output), 0.0).left == 0
    output.write_text(output.read_text().splitlines()[0] + "\n")
    found = status(str(output), 0.0)
    assert (found.left, found.command) == (1, f"hb batch resume {output}")
    output.unlink()
    assert status(str(output), 0.0).left == 2


def test_blank_lines_are_no_requests_at_the_end(kernel: hb.Kernel, tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", ["", line("a"), "  ", line("b"), "", ""])
    done = run(kernel, "run", source, "-o", str(tmp_path / "out.jsonl"))
    assert done.stderr.splitlines()[-1].startswith("2/2 done, 0 failed")


def test_an_estimate_names_what_has_no_price_and_finds_wrong_options(kernel: hb.Kernel, tmp_path: Path) -> None:
    lines = [line("a"), line("b", model="acme/free"), line("c", temperature="hot"), line("d", temprature=1)]
    done = run(kernel, "estimate", write(tmp_path / "in.jsonl", lines))
    assert "not known (acme/free); say one in heavenbase.tables.prices.models" in done.stderr
    assert "line 3: temperature must be a number" in done.stderr
    assert "line 4: unknown option 'temprature'" in done.stderr
    assert done.exit_code == 1


def test_small_amounts_and_slow_rates_are_no_zeros() -> None:
    assert [usd(Decimal(it)) for it in ("0", "0.00000312", "0.01", "12.34567")] == [
        *("0.0000 USD", "0.0000031 USD", "0.0100 USD", "12.3457 USD"),
    ]
    assert [rate_told(it) for it in (0, 0.02, 1, 250.04)] == ["0.0/s", "1.2/min", "1.0/s", "250.0/s"]


@pytest.mark.parametrize("command", ["run", "estimate"])
def test_requests_from_a_pipe_are_refused_with_the_reason(kernel: hb.Kernel, tmp_path: Path, command: str) -> None:
    rest = ["-o", str(tmp_path / "out.jsonl")] if command == "run" else []
    done = run(kernel, command, "-", *rest)
    assert (done.exit_code, "write them to a file" in done.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []
