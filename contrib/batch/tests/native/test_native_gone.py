"""What the provider does not have any more, and rows that the output does not have any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from hb_batch.journal import rows_of
from hb_testing.conformance.colours import Colour
from hb_testing.server import LoopbackServer
from heavenbase.errors import RequestRejected

from .bench import MODELS, Bench, line

FAILED = {"error", "expired", "missing"}


class Stopped(BaseException):
    """In the place of a signal."""


def stopping(seconds: float) -> None:
    raise Stopped


@pytest.fixture(params=sorted(MODELS))
def bench(request: pytest.FixtureRequest, server: LoopbackServer, colour: Colour, tmp_path: Path) -> Bench:
    """Two jobs that are submitted, and not looked at yet."""
    made = Bench(server, colour, request.param, tmp_path, *(line(name) for name in "abcd"))
    made.kept.looks = 1_000
    clock = made.clock.sleep, made.clock.asleep
    made.clock.sleep = made.clock.asleep = stopping  # type: ignore[assignment,method-assign]
    with pytest.raises(Stopped):
        made.run(most_requests=2)
    made.clock.sleep, made.clock.asleep = clock  # type: ignore[method-assign]
    made.kept.looks = 0
    return made


def test_a_job_that_is_gone_holds_up_no_other_and_its_rows_are_missing(bench: Bench) -> None:
    del bench.kept.kept[next(iter(bench.kept.kept))]
    began = bench.clock()
    report = bench.run()
    assert bench.clock() - began >= 600
    assert (report.counts, report.is_complete, report.left) == ({"success": 2, "missing": 2}, True, [])
    assert bench.statuses == {"a": "missing", "b": "missing", "c": "success", "d": "success"}
    assert "no more" in bench.rows["a"]["error"]["message"]
    assert bench.run().counts == report.counts
    assert bench.run(again=FAILED).counts == {"success": 4}
    assert bench.submits == 3


def test_a_job_that_is_not_found_for_a_moment_is_waited_for(bench: Bench) -> None:
    name, job = next(iter(bench.kept.kept.items()))
    del bench.kept.kept[name]
    sleep, asleep = bench.clock.sleep, bench.clock.asleep

    def back(seconds: float) -> None:
        bench.kept.kept[name] = job
        sleep(seconds)

    async def aback(seconds: float) -> None:
        bench.kept.kept[name] = job
        await asleep(seconds)

    bench.clock.sleep, bench.clock.asleep = back, aback  # type: ignore[method-assign]
    assert bench.run().counts == {"success": 4}
    assert bench.submits == 2


def test_the_users_word_counts_at_once(bench: Bench) -> None:
    del bench.kept.kept[next(iter(bench.kept.kept))]
    began = bench.clock()
    assert bench.run(resubmit=True).counts == {"success": 2, "missing": 2}
    assert bench.clock() - began < 600


def test_a_look_that_is_refused_holds_up_no_other_job(bench: Bench) -> None:
    first, second = bench.kept.kept
    wire, handle = bench.server.wires[bench.wire], bench.server.wires[bench.wire].handle

    def refusing(exchange: object) -> object:
        if exchange.path.endswith(f"/{first}"):  # type: ignore[attr-defined]
            return wire.error(400, "no")
        return handle(exchange)  # type: ignore[arg-type]

    wire.handle = refusing  # type: ignore[assignment,method-assign]
    with pytest.raises(RequestRejected):
        bench.run()
    assert bench.statuses == {"c": "success", "d": "success"}
    wire.handle = handle  # type: ignore[method-assign]
    assert bench.run().counts == {"success": 4}
    assert second != first


def test_a_row_that_was_lost_is_asked_for_anew(bench: Bench) -> None:
    assert bench.run().counts == {"success": 4}
    kept = bench.output.read_text().splitlines(keepends=True)
    bench.output.write_text("".join(kept[:3]))
    assert bench.run().counts == {"success": 4}
    assert bench.submits == 3
    assert len(list(rows_of(str(bench.output)))) == 4


def test_a_kill_before_the_older_rows_are_gone_is_told_to_who_goes_on(bench: Bench) -> None:
    assert bench.run().counts == {"success": 4}
    assert not bench.has_replaced
    bench.output.write_text(bench.output.read_text() * 2)
    assert bench.run().counts == {"success": 4}
    assert bench.has_replaced
