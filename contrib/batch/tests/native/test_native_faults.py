"""Native batches where the provider is late, refuses, or answers nonsense: nothing is sent twice, nothing is lost."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hb_batch.errors import BatchFileError
from hb_testing.conformance.colours import Colour
from hb_testing.conformance.rig import Clock
from hb_testing.server import Action, LoopbackServer, Reply
from hb_testing.server.recorder import RecordedRequest
from heavenbase.errors import AuthError, HBError, ProviderError, RateLimitError

from ..support import shorten_lines
from .bench import Bench, line


class Stopped(BaseException):
    """In the place of a signal."""


def stopping(seconds: float) -> Any:
    raise Stopped


@pytest.fixture
def openai(server: LoopbackServer, colour: Colour, tmp_path: Path) -> Bench:
    return Bench(server, colour, "openai", tmp_path)


def is_create(request: RecordedRequest) -> bool:
    return request.method == "POST" and request.path.endswith("/batches")


def is_list(request: RecordedRequest) -> bool:
    return request.method == "GET" and request.path.partition("?")[0].endswith("/batches")


def is_results(request: RecordedRequest) -> bool:
    return request.path.endswith(("/content", "/results"))


def uploads(bench: Bench) -> int:
    return sum(it.method == "POST" and it.path.endswith("/files") for it in bench.server.requests)


def looks(bench: Bench) -> int:
    return sum(map(is_list, bench.server.requests))


def interrupted(bench: Bench, **settings: Any) -> None:
    """Run until it waits, as a signal would end it there."""
    bench.clock.sleep = bench.clock.asleep = stopping  # type: ignore[method-assign, assignment]
    with pytest.raises(Stopped):
        bench.run(**settings)
    bench.clock = Clock()


def refusing(bench: Bench, times: int, **reply: Any) -> None:
    """So many submits make no job and get this reply."""

    def refused(request: RecordedRequest) -> Reply | None:
        return Reply(**reply) if is_create(request) and bench.submits <= times else None

    bench.server.script(refused)


# Uploads


@pytest.mark.parametrize("status", [429, 503])
def test_requests_are_uploaded_once_however_often_the_job_is_refused(openai: Bench, status: int) -> None:
    refusing(openai, 3, status=status, body={"error": {"message": "busy"}}, headers={"retry-after": "1"})
    assert openai.run().counts == {"success": 3}
    assert (uploads(openai), openai.kept.made, openai.submits) == (1, 1, 4)


def test_a_process_that_ended_at_the_upload_has_made_no_job_and_nothing_is_looked_for(openai: Bench) -> None:
    openai.server.script(lambda request: [Action.RESET] if request.path.endswith("/files") else None)
    interrupted(openai)
    assert openai.events[-1]["event"] == "intent"
    openai.server.script(None)
    assert openai.run().counts == {"success": 3}
    assert (openai.kept.made, looks(openai)) == (1, 0)


def test_a_process_that_ended_behind_the_upload_does_not_upload_again(openai: Bench) -> None:
    openai.server.script(lambda request: [Action.RESET] if is_create(request) else None)
    interrupted(openai)
    assert openai.events[-1]["event"] == "file"
    openai.server.script(None)
    assert openai.run().counts == {"success": 3}
    assert (openai.kept.made, uploads(openai)) == (1, 1)
    assert sum(openai.clock.slept) >= 600


def test_an_upload_that_is_refused_ends_the_run_and_is_made_later(openai: Bench) -> None:
    openai.server.script(lambda request: Reply(status=401) if request.path.endswith("/files") else None)
    with pytest.raises(AuthError):
        openai.run()
    assert openai.events[-1]["event"] == "refused"
    openai.server.script(None)
    assert openai.run().counts == {"success": 3}
    assert openai.kept.made == 1


# Deleting


def kept_by(bench: Bench) -> int:
    """What the provider keeps, that is deleted on its wire."""
    return len(bench.kept.kept) if bench.wire == "anthropic" else len(bench.server.wires["openai"].files.kept)  # type: ignore[attr-defined]


def test_nothing_is_left_at_the_provider_and_no_second_run_asks_for_it(bench: Bench) -> None:
    bench.run(most_requests=2)
    assert kept_by(bench) == 0
    before = len(bench.server.requests)
    report = bench.run()
    assert (report.counts, report.left, len(bench.server.requests)) == ({"success": 3}, [], before)


def test_files_are_kept_where_that_is_asked_for(bench: Bench) -> None:
    report = bench.run(keep_files=True)
    assert (report.counts, report.left) == ({"success": 3}, [])
    assert kept_by(bench) == (1 if bench.wire == "anthropic" else 2)
    assert not any(it.method == "DELETE" for it in bench.server.requests)
    bench.run()
    assert kept_by(bench) == 0


def test_what_cannot_be_deleted_is_told_and_tried_again(bench: Bench) -> None:
    bench.server.script(lambda request: Reply(status=403) if request.method == "DELETE" else None)
    report = bench.run()
    assert (report.counts, report.is_complete) == ({"success": 3}, True)
    [told] = report.left
    assert "403" in told or "denied" in told.lower() or "permission" in told.lower(), told
    assert len(bench.rows) == 3
    bench.server.script(None)
    assert bench.run().left == []
    assert kept_by(bench) == 0


def test_the_upload_of_a_refused_job_is_deleted(openai: Bench) -> None:
    openai.server.script(lambda request: Reply(status=400) if is_create(request) else None)
    with pytest.raises(HBError):
        openai.run()
    openai.server.script(None)
    assert openai.run().counts == {"success": 3}
    assert uploads(openai) == 2
    assert kept_by(openai) == 0


def test_results_that_no_row_has_stay_on_disk(bench: Bench) -> None:
    bench.kept.foreign = [b'{"custom_id": "stranger", "paid": "for"}']
    report = bench.run()
    [path] = report.files
    assert b"paid" in Path(path).read_bytes()
    assert os.stat(path).st_mode & 0o777 == 0o600


# Late lists


def hidden(bench: Bench, until: float) -> None:
    """The provider's list shows nothing before a time of the clock."""

    def late(request: RecordedRequest) -> Reply | None:
        body = {"object": "list", "data": [], "has_more": False}
        return Reply(body=body) if is_list(request) and bench.clock() < until else None

    bench.server.script(late)


def lost(bench: Bench) -> None:
    """The first job is made, its maker is told of a failure, and the list shows nothing."""
    bench.server.strike("J1.500", bench.wire)
    hidden(bench, float("inf"))


def test_a_job_that_the_list_shows_late_is_found_and_not_submitted_twice(bench: Bench) -> None:
    hidden(bench, bench.clock() + 400)
    assert bench.run(fault="J1.500", poll=0.02).counts == {"success": 3}
    assert bench.kept.made == 1


def test_another_process_looks_as_long_before_it_submits_again(bench: Bench) -> None:
    lost(bench)
    interrupted(bench, poll=0.02)
    hidden(bench, bench.clock() + 400)
    assert bench.run(poll=0.02).counts == {"success": 3}
    assert bench.kept.made == 1


def test_a_job_that_is_not_listed_for_long_is_submitted_again(bench: Bench) -> None:
    refusing(bench, 1, status=503)
    assert bench.run(settle=100.0).counts == {"success": 3}
    assert bench.kept.made == 1
    assert 100 <= sum(bench.clock.slept) < 500
    assert looks(bench) >= 3


def test_the_users_word_counts_at_once_and_once(bench: Bench) -> None:
    refusing(bench, 3, status=503)
    interrupted(bench)
    interrupted(bench, resubmit=True)
    assert (bench.submits, looks(bench)) == (2, 2)
    interrupted(bench, resubmit=True, poll=0.02)
    assert bench.submits == 3
    assert bench.run(resubmit=True).counts == {"success": 3}
    assert bench.kept.made == 1


def test_a_cancelled_job_that_is_found_late_is_stopped(bench: Bench) -> None:
    bench.kept.looks = 10**6
    lost(bench)
    interrupted(bench)
    hidden(bench, bench.clock() + 50)
    assert not bench.run("cancel").is_complete
    [job] = bench.kept.kept.values()
    assert not job.is_cancelled
    bench.kept.looks = 10**6
    if bench.wire == "anthropic":  # which shows whose it is when it has ended, and stops nobody else's
        return
    assert bench.run().counts == {"cancelled": 3}
    assert job.is_cancelled


def test_all_parts_are_cancelled_though_one_has_ended(bench: Bench) -> None:
    bench.kept.looks = 10**6
    interrupted(bench, most_requests=1)
    jobs = list(bench.kept.kept.values())
    jobs[0].ended = bench.server.now()

    def refused(request: RecordedRequest) -> Reply | None:
        is_first = request.path.endswith(f"{jobs[0].id}/cancel")
        return Reply(status=409, body={"error": {"message": "it has ended"}}) if is_first else None

    bench.server.script(refused)
    bench.run("cancel")
    assert [job.is_cancelled for job in jobs] == [False, True, True]
    bench.server.script(None)
    assert bench.run().counts == {"success": 1, "cancelled": 2}


def test_a_process_that_ended_before_it_cancelled_is_made_up_for(bench: Bench) -> None:
    bench.kept.looks = 10**6
    interrupted(bench)
    bench.server.script(lambda request: [Action.RESET] if request.path.endswith("/cancel") else None)
    with pytest.raises(ProviderError):
        bench.run("cancel", patience=0.1)
    bench.server.script(None)
    assert bench.run().counts == {"cancelled": 3}


def test_one_part_that_is_limited_does_not_hold_up_the_others(bench: Bench) -> None:
    left = [10**6]
    first: list[str] = []

    def limited(request: RecordedRequest) -> Reply | None:
        is_first = first and request.method == "GET" and request.path.endswith(first[0])
        return Reply(status=429, headers={"retry-after": "5"}) if is_first and left[0] else None

    bench.server.script(lambda request: limited(request))
    bench.kept.looks = 10**6
    interrupted(bench, most_requests=1)
    bench.kept.looks = 1
    first.append(next(iter(bench.kept.kept)))
    with pytest.raises(RateLimitError):
        bench.run(patience=100.0)
    assert list(bench.statuses.values()) == ["success", "success"]
    left[0] = 0
    assert bench.run().counts == {"success": 3}


# Nonsense


def answered_with(bench: Bench, *lines: bytes) -> None:
    """The provider's results are these lines."""

    def nonsense(request: RecordedRequest) -> Reply | None:
        run = bench.events[0]["run"].encode()
        body = b"".join(it.replace(b"RUN", run) + b"\n" for it in lines)
        return Reply(body=body) if is_results(request) else None

    bench.server.script(nonsense)


NONSENSE: dict[str, list[bytes]] = {
    "types": [
        b'{"custom_id": "RUN-1", "response": 3, "error": "x", "result": []}',
        b'{"custom_id": "RUN-2", "response": {"status_code": "200", "body": []}, "result": {"type": {}}}',
        b'{"custom_id": "RUN-3", "response": {"status_code": 200, "body": {"choices": 7, "created": 1e400}}, '
        b'"result": {"type": "succeeded", "message": {"content": 7, "usage": []}}}',
    ],
    "bytes": [
        b'\xff\xfe{"custom_id": "RUN-1"}',
        b'{"custom_id": "RUN-2", "response": {"status_code": 200, "body": "\xff"}, "result": {"type": "\xff"}}',
        b'{"custom_id": "RUN-3"' + b"[" * 50_000,
    ],
    "names": [b'{"custom_id": 7}', b'{"custom_id": "RUN-0"}', b'{"custom_id": "RUN-9999999999999"}', b"null", b"[]"],
    "nothing": [],
    "half": [b'{"custom_id": "RUN-1", "response": {"status_co'],
}


@pytest.mark.parametrize("kind", sorted(NONSENSE))
def test_results_that_are_none_give_each_request_its_row(bench: Bench, kind: str) -> None:
    answered_with(bench, *NONSENSE[kind])
    report = bench.run()
    assert report.is_complete
    assert set(report.counts) <= {"error", "missing"}
    assert sum(report.counts.values()) == 3
    assert bool(report.files) == (kind != "nothing")
    bench.server.script(None)
    assert bench.run(again=("error", "missing")).counts == {"success": 3}


def test_a_line_of_results_may_be_long(openai: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 2**16  # of what a line of the input may have
    shorten_lines(monkeypatch, limit)
    text = "x" * (40 * limit)
    openai.input.write_text(line("a"))
    body = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}]}
    found = {"custom_id": "RUN-1", "response": {"status_code": 200, "request_id": "r", "body": body}, "error": None}
    answered_with(openai, json.dumps(found).encode())
    assert openai.run().counts == {"success": 1}
    assert openai.output.stat().st_size > len(text)


def test_a_state_that_nobody_knows_ends_the_run_and_loses_nothing(bench: Bench) -> None:
    name = "status" if bench.wire == "openai" else "processing_status"

    def odd(request: RecordedRequest) -> Reply | None:
        made = next(iter(bench.kept.kept), None)
        if request.method == "GET" and made is not None and request.path.endswith(made):
            return Reply(body={"id": made, name: "paused"})
        return None

    bench.server.script(odd)
    with pytest.raises(ProviderError, match="paused"):
        bench.run(patience=60.0)
    bench.server.script(None)
    assert bench.run().counts == {"success": 3}
    assert bench.kept.made == 1


# Files


DAMAGED: list[str] = [
    "[1]",
    "{}",
    '{"event": "job", "part": 7, "job": "batch_1"}',
    '{"event": "paused", "part": 1}',
    '{"event": "intent", "part": 2, "try": 1, "at": 1, "bytes": 1, "count": 9, "place": {}, "lines": [[1, 999999999]]}',
    '{"event": "intent", "part": 2, "try": 1, "at": 1, "bytes": 1, "count": 2, "place": {}, "lines": [["1", 2]]}',
    '{"event": "intent", "part": "2", "try": 1, "at": 1, "bytes": 1, "count": 2, "place": {}, "lines": [[1, 2]]}',
    '{"event": "intent", "part": 2, "try": 1, "at": 1, "bytes": 1, "count": 2, "place": {}, "lines": []}',
    '{"event": "intent", "part": 2, "try": 1, "at": "x", "bytes": 1, "count": 2, "place": 3, "lines": [[1, 2]]}',
    '{"event": "intent", "part": 2, "try": 1, "at": 1, "bytes": 1, "count": 2, "place": {}, "lines": [[8, 9]]}',
    '{"event": "job", "part": 1, "job": 7}',
    '{"event": "run", "run": "0", "format": 99}',
    "\udcff",
    "[" * 100_000,
]


@pytest.mark.parametrize("event", DAMAGED, ids=[str(place) for place in range(len(DAMAGED))])
def test_a_damaged_file_of_intents_sends_nothing(openai: Bench, event: str) -> None:
    openai.kept.looks = 10**6
    interrupted(openai)
    before = len(openai.server.requests)
    path = Path(f"{openai.output}.hb", "native.jsonl")
    with path.open("ab") as file:
        file.write(event.encode("utf-8", "surrogateescape") + b"\n")
    with pytest.raises(BatchFileError, match=r"damaged|release|has no line|lead"):
        openai.run()
    assert len(openai.server.requests) <= before + 1
    assert openai.kept.made == 1


@pytest.mark.parametrize("lines", [[], ["\n", "\n"], ["{\n", "7\n"], [line("a")]], ids=["none", "blank", "bad", "one"])
def test_files_of_no_request_and_of_one(bench: Bench, lines: list[str]) -> None:
    bench.input.write_text("".join(lines))
    report = bench.run()
    assert report.is_complete
    assert report.counts == ({"success": 1} if len(lines) == 1 else {"invalid": 2} if "{\n" in lines else {})
    assert bench.kept.made == (len(lines) == 1)
    assert bench.run("cancel").is_complete
    assert bench.run().counts == report.counts
