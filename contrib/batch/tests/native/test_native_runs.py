"""Native batches: submitted once, found again, read to the last row; for both providers, in both colours."""

from __future__ import annotations

import json
import os
import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hb_batch.errors import BatchFileError
from hb_testing.conformance.colours import COLOURS, Colour
from hb_testing.conformance.rig import Clock, environment
from hb_testing.server import Action, LoopbackServer, Reply
from hb_testing.server.recorder import RecordedRequest
from heavenbase.config.config import Config
from heavenbase.errors import AuthError, InputError, ProviderError, RateLimitError, UnsupportedError
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM

from .bench import MODELS, Bench, line

Event = dict[str, Any]


def kinds(bench: Bench) -> list[str]:
    """The events in order, but for the upload that only one wire has."""
    return [event["event"] for event in bench.events if event["event"] != "file"]


def test_each_request_gets_the_row_that_a_live_call_gives(bench: Bench) -> None:
    bench.kept.looks = 2
    for text in ("one", "two", "three"):
        bench.server.reply(text)
    report = bench.run()
    assert (report.counts, report.is_complete, report.unknown, report.doubled) == ({"success": 3}, True, [], [])
    texts = {name: row["response"]["body"]["choices"][0]["message"]["content"] for name, row in bench.rows.items()}
    assert texts == {"a": "one", "b": "two", "c": "three"}
    row = bench.rows["b"]
    assert (row["line"], row["attempts"], row["error"], row["elapsed"]) == (2, 1, None, None)
    assert row["usage"]["output"] > 0
    assert row["response"]["request_id"]
    assert kinds(bench) == ["run", "intent", "job", "ended", "merged", "deleted"]
    assert bench.submits == 1
    assert bench.clock.slept[:2] == [5.0, 7.5]
    assert [(it.done, it.requests) for it in bench.progress][-1] == (3, 3)


def test_a_row_equals_that_of_a_live_call(bench: Bench) -> None:
    from hb_batch.rows import read_row, success_row

    bench.input.write_text(line("a", "how much?", max_tokens=20))
    reply = {"text": "forty-two", "reasoning": "six times seven"}
    bench.server.reply(**reply)
    bench.run()
    clock = Clock()
    with Kernel(Config.from_dict({}, environ=environment()), clock=clock, sleep=clock.sleep) as kernel:
        url = bench.server.url(bench.wire)
        llm = LLM(model=MODELS[bench.wire], gateway=bench.wire, base_url=url, api_key="k", cache=False, kernel=kernel)
        bench.server.reply(**reply)
        live = success_row(read_row(bench.input.read_bytes(), 1), llm.complete("how much?", max_tokens=20))
    native = bench.rows["a"]
    for row in (live, native):
        row["response"]["body"] = {**row["response"]["body"], "created": 0}
        row["response"].pop("request_id")
        row["elapsed"] = None
    assert native["response"]["body"].pop("id")
    assert live["response"]["body"].pop("id")
    told, asked = native.pop("cost"), live.pop("cost")
    assert Decimal(told["amount"]) * 2 == Decimal(asked["amount"]) > 0  # half the price, as these providers say
    assert native["usage"].pop("tier") == "batch"
    live["usage"].pop("tier", None)
    assert json.loads(json.dumps(live)) == native


def test_parts_keep_to_the_limits_of_count_and_bytes(bench: Bench) -> None:
    names = [f"r{number}" for number in range(7)]
    bench.input.write_text("".join(map(line, names)))
    assert bench.run(most_requests=3).counts == {"success": 7}
    parts = [event["lines"] for event in bench.events if event["event"] == "intent"]
    assert parts == [[[1, 3]], [[4, 6]], [[7, 7]]]
    other = Bench(bench.server, bench.colour, bench.wire, bench.input.parent)
    other.output = bench.input.parent / "other.jsonl"
    other.input.write_text("".join(line(name, "x" * 400) for name in names) + line("large", "x" * 3000))
    report = other.run(most_bytes=2_000)
    assert report.counts == {"success": 7, "invalid": 1}
    assert "2000 at most" in other.rows["large"]["error"]["message"]
    sizes = [event["bytes"] for event in other.events if event["event"] == "intent"]
    assert len(sizes) > 1
    assert max(sizes) <= 2_000


def test_what_is_no_request_gets_its_row_and_costs_nothing(bench: Bench) -> None:
    empty = json.dumps({"custom_id": "e", "url": "/v1/embeddings", "body": {"input": []}})
    bad = ["{\n", line("a"), "\n", line("a"), f"{empty}\n", line("late", n="x")]
    bench.input.write_text("".join(bad) + line("b"))
    report = bench.run()
    assert report.counts["success"] == 2
    assert report.counts["invalid"] == 4
    found = {row["line"]: (row["status"], row["error"] and row["error"]["code"]) for row in bench.rows.values()}
    assert found[5][0] == "invalid"
    assert found[7] == ("success", None)
    before = bench.output.read_bytes()
    assert bench.run().counts == report.counts
    assert bench.output.read_bytes() == before


def test_results_in_another_order_and_of_every_kind_become_their_rows(bench: Bench) -> None:
    bench.input.write_text("".join(map(line, "abcdefg")))
    bench.kept.is_shuffled = True

    def fated(request: RecordedRequest) -> None:
        run = bench.events[0]["run"]
        fates: list[tuple[int, str | int]] = [(2, 429), (3, "expired"), (4, "missing"), (5, "twice"), (6, 400)]
        bench.kept.fates.update({f"{run}-{number}": fate for number, fate in fates})
        bench.kept.foreign = [b'{"custom_id": "' + run.encode() + b'-77"}', b'{"custom_id": "x"}', b"half a li"]

    bench.server.script(lambda request: fated(request))
    report = bench.run()
    assert bench.statuses == {
        "a": "success", "b": "error", "c": "expired", "d": "expired", "e": "success", "f": "error", "g": "success",
    }  # fmt: skip
    assert bench.rows["b"]["response"]["status_code"] == 429
    assert bench.rows["b"]["error"]["kind"] == "rate_limit"
    assert bench.rows["d"]["error"]["code"] == "batch_expired"
    assert sorted(report.unknown) == sorted([f"{bench.events[0]['run']}-77", "x", "(none)"])
    assert report.doubled == []  # the same answer twice is one
    assert bench.events[-2] == {"event": "merged", "part": 1, "unknown": 3, "doubled": 0}


def test_two_answers_to_one_request_are_trusted_neither(bench: Bench) -> None:
    def fated(request: RecordedRequest) -> Any:
        if not request.path.endswith(("/content", "/results")):
            return None
        run = bench.events[0]["run"]
        good = {"response": {"status_code": 200, "request_id": "r", "body": {}}, "result": {"type": "expired"}}
        bench.kept.foreign = [json.dumps({"custom_id": f"{run}-2", **good}).encode()]
        for file in bench.kept.kept.values():
            file.files = None
        rows = b"".join(it + b"\n" for it in bench.kept.foreign)
        return Reply(body=rows + rows.replace(b'"r"', b'"q"').replace(b"expired", b"canceled"))

    bench.server.script(fated)
    report = bench.run()
    assert bench.statuses == {"a": "missing", "b": "error", "c": "missing"}
    assert bench.rows["b"]["error"]["code"] == "doubled_result"
    assert report.doubled == ["b"]


def test_a_form_that_is_not_kept_to_is_an_error_that_has_the_answer(bench: Bench) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "required": ["n"]}}}
    bench.input.write_text(line("a", "json", response_format=schema) + line("b", "json", response_format=schema))
    bench.server.reply('{"n": 1}')
    bench.server.reply('{"m": 1}')
    bench.run()
    assert bench.statuses == {"a": "success", "b": "error"}
    assert bench.rows["b"]["error"]["type"] == "StructuredOutputError"
    assert bench.rows["b"]["response"]["body"]["choices"][0]["message"]["content"] == '{"m": 1}'
    assert bench.rows["b"]["usage"]["output"] > 0


def test_a_limit_on_submits_is_waited_for(bench: Bench) -> None:
    assert bench.run(fault="J1.429").counts == {"success": 3}
    assert bench.kept.made == 1
    assert bench.clock.slept[0] >= 2


@pytest.mark.parametrize("fault", ["J1.500", "J1.reset"])
def test_a_submit_that_was_heard_and_not_answered_is_found_again(bench: Bench, fault: str) -> None:
    assert bench.run(fault=fault).counts == {"success": 3}
    assert bench.kept.made == 1
    assert kinds(bench) == ["run", "intent", "job", "ended", "merged", "deleted"]


def test_a_submit_that_was_not_heard_is_sent_again(bench: Bench) -> None:
    failing = iter([True])

    def once(request: RecordedRequest) -> Reply | None:
        is_submit = request.method == "POST" and request.path.endswith("/batches")
        return Reply(status=503) if is_submit and next(failing, False) else None

    bench.server.script(once)
    assert bench.run().counts == {"success": 3}
    assert bench.kept.made == 1
    assert kinds(bench) == ["run", "intent", "intent", "job", "ended", "merged", "deleted"]
    assert [event["try"] for event in bench.events if event["event"] == "intent"] == [1, 2]


def test_a_refusal_ends_the_run_and_its_requests_are_sent_later(bench: Bench) -> None:
    bench.server.require_key = "sk-other"
    with pytest.raises(AuthError):
        bench.run()
    assert kinds(bench) == ["run", "intent", "refused"]
    assert bench.rows == {}
    assert bench.run(api_key="sk-other").counts == {"success": 3}
    assert bench.kept.made == 1


def test_another_process_goes_on_where_one_was_killed(bench: Bench) -> None:
    """After each request that may be its last, as a kill leaves the files."""
    bench.run()
    whole = len(bench.server.requests)
    for cut in range(1, whole + 1):
        folder = bench.input.parent / f"cut{cut}"
        folder.mkdir()
        other = Bench(bench.server, bench.colour, bench.wire, folder)
        before, left = bench.kept.made, [cut]

        class Killed(BaseException):
            pass

        def killed(seconds: float) -> None:
            raise Killed

        def counted(request: RecordedRequest, left: list[int] = left) -> Any:
            left[0] -= 1
            return [Action.RESET] if left[0] < 0 else None

        bench.server.script(counted)
        other.clock.sleep = killed  # type: ignore[method-assign]

        async def akilled(seconds: float) -> None:
            raise Killed

        other.clock.asleep = akilled  # type: ignore[method-assign]
        with pytest.raises((Killed, ProviderError)):
            other.run(patience=0.1)
        other.clock = Clock()
        bench.server.script(None)
        assert other.run().counts == {"success": 3}
        assert bench.kept.made == before + 1
        assert len(other.rows) == 3


def test_a_lost_submit_without_a_mark_waits_until_it_can_be_told(server: LoopbackServer, tmp_path: Path) -> None:
    colour = COLOURS["sync"]()
    bench = Bench(server, colour, "anthropic", tmp_path)
    stranger = Bench(server, colour, "anthropic", tmp_path / "..", *map(line, "xyz"))
    stranger.output = tmp_path / "stranger.jsonl"
    stranger.run()
    bench.kept.looks = 4
    report = bench.run(fault="J1.500")
    assert report.counts == {"success": 3}
    assert bench.kept.made == 2
    assert sum(event["event"] == "intent" for event in bench.events) == 1
    colour.close()


def test_a_lost_submit_is_not_repeated_under_another_credential(bench: Bench) -> None:
    def lost(request: RecordedRequest) -> Reply | None:
        return Reply(status=503) if request.method == "POST" and request.path.endswith("/batches") else None

    bench.server.script(lost)
    bench.clock.sleep = bench.clock.asleep = stopping  # type: ignore[method-assign, assignment]
    with pytest.raises(Stopped):
        bench.run()
    bench.clock = Clock()
    bench.server.script(None)
    with pytest.raises(BatchFileError, match="another credential"):
        bench.run(api_key="sk-new")
    assert bench.kept.made == 0
    assert bench.run(api_key="sk-new", resubmit=True).counts == {"success": 3}


class Stopped(BaseException):
    """In the place of a signal."""


def stopping(seconds: float) -> Any:
    raise Stopped


def test_a_job_of_another_place_is_not_looked_for_here(bench: Bench, server: LoopbackServer) -> None:
    bench.kept.looks = 10
    bench.clock.sleep = bench.clock.asleep = stopping  # type: ignore[method-assign, assignment]
    with pytest.raises(Stopped):
        bench.run()
    bench.clock = Clock()
    with LoopbackServer() as other:
        bench.server = other
        with pytest.raises(BatchFileError, match="base_url"):
            bench.run()
        assert other.requests == []


def test_a_batch_is_cancelled_and_keeps_what_was_answered(bench: Bench) -> None:
    bench.kept.looks, bench.kept.answered = 10, 1
    bench.clock.sleep = bench.clock.asleep = stopping  # type: ignore[method-assign, assignment]
    with pytest.raises(Stopped):
        bench.run(most_requests=2)
    bench.clock = Clock()
    report = bench.run("cancel")
    assert set(report.jobs.values()) == {"cancelling"}
    assert not report.is_complete
    report = bench.run()
    assert report.is_complete
    assert bench.statuses == {"a": "success", "b": "cancelled", "c": "success"}
    before = bench.submits
    assert bench.run().counts == report.counts
    assert bench.submits == before
    assert bench.run(again=("cancelled",)).counts == {"success": 3}
    assert bench.has_replaced
    assert bench.submits == before + 1


def test_what_was_never_sent_is_cancelled_too(bench: Bench) -> None:
    bench.server.require_key = "sk-other"
    with pytest.raises(AuthError):
        bench.run()
    bench.run("cancel")
    assert bench.run().counts == {"cancelled": 3}
    assert bench.kept.made == 0


def test_a_job_that_the_provider_refuses_tells_why_in_each_row(
    server: LoopbackServer, colour: Colour, tmp_path: Path
) -> None:
    bench = Bench(server, colour, "openai", tmp_path)

    def refused(request: RecordedRequest) -> None:
        for batch in bench.kept.kept.values():
            batch.problems = [
                {"code": "token_limit_exceeded", "message": "Enqueued token limit reached.", "line": None}
            ]

    server.script(lambda request: refused(request))
    assert bench.run().counts == {"error": 3}
    assert "Enqueued token limit" in bench.rows["a"]["error"]["message"]
    server.script(None)
    assert bench.run(again=("error",)).counts == {"success": 3}


def test_results_that_break_off_are_fetched_again(bench: Bench) -> None:
    assert bench.run(fault="J2.cut").counts == {"success": 3}
    assert not list(Path(f"{bench.output}.hb").glob("*.results*"))


def test_a_provider_out_of_reach_is_waited_for_and_then_told_of(bench: Bench) -> None:
    down = [6]

    def away(request: RecordedRequest) -> Reply | None:
        if request.method == "GET" and down[0]:
            down[0] -= 1
            return Reply(status=503)
        return None

    bench.server.script(away)
    assert bench.run().counts == {"success": 3}
    down[0] = 10**6
    other = Bench(bench.server, bench.colour, bench.wire, bench.input.parent)
    other.output = bench.input.parent / "other.jsonl"
    with pytest.raises(ProviderError):
        other.run(patience=60.0)
    assert sum(other.clock.slept) < 200


def test_the_wait_that_a_provider_asks_for_is_respected(bench: Bench) -> None:
    told = iter([True])

    def limited(request: RecordedRequest) -> Reply | None:
        if request.method == "GET" and next(told, False):
            return Reply(status=429, headers={"retry-after": "33"})
        return None

    bench.server.script(limited)
    assert bench.run().counts == {"success": 3}
    assert any(32.5 <= slept < 40 for slept in bench.clock.slept), bench.clock.slept


def test_nothing_secret_is_in_the_files_and_nobody_else_may_read_them(bench: Bench) -> None:
    bench.kept.looks = 10
    bench.clock.sleep = bench.clock.asleep = stopping  # type: ignore[method-assign, assignment]
    with pytest.raises(Stopped):
        bench.run(api_key="sk-very-secret-key-0123456789")
    folder = Path(f"{bench.output}.hb")
    for path in [*folder.iterdir(), bench.output]:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert b"very-secret" not in path.read_bytes()


def test_an_event_that_was_half_written_counts_as_none(bench: Bench) -> None:
    bench.run()
    path = Path(f"{bench.output}.hb", "native.jsonl")
    events = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(events[:-1]) + events[-1][:9])
    assert bench.run().counts == {"success": 3}
    assert kinds(bench)[-1] == "deleted"


def test_a_target_without_batches_is_refused_before_anything_is_sent(colour: Colour, tmp_path: Path) -> None:
    with LoopbackServer() as server:
        bench = Bench(server, colour, "openai", tmp_path)
        settings: dict[str, Any] = {"heavenbase.llm.providers.openai.capabilities.batches": False}
        from heavenbase.config.config import Config as Configuration

        with Kernel(Configuration.from_dict(settings, environ=environment())) as kernel:
            made = bench.made(kernel, None, (), "k", {})
            from heavenbase.colour import drive

            with pytest.raises(UnsupportedError, match=r"capabilities\.batches"):
                bench.colour.run(lambda: drive.run(made.run()), lambda: made.run())
        assert server.requests == []


@pytest.mark.parametrize("name", ["most_requests", "most_bytes", "poll", "longest", "patience"])
def test_bad_settings_are_refused(name: str) -> None:
    from hb_batch.native import NativeSettings

    for value in (0, -1, True, "5"):
        with pytest.raises(InputError, match=name):
            NativeSettings(**{name: value})


def test_a_limit_on_submits_that_does_not_end_is_told(bench: Bench) -> None:
    with pytest.raises(RateLimitError):
        bench.run(fault="J1.429-99", patience=30.0)
    assert kinds(bench)[-1] == "refused"
