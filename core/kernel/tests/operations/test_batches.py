"""Batches as operations of gateways: made as live calls are made, read as live answers are read, in both colours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.conformance.colours import Colour
from hb_testing.conformance.rig import Clock, environment
from hb_testing.server import LoopbackServer, Reply
from hb_testing.server.recorder import RecordedRequest
from heavenbase.config.config import Config
from heavenbase.errors import (
    GenerationFailed,
    HBError,
    InputError,
    LossyRequestError,
    ModelNotFound,
    ProviderError,
    RateLimitError,
    RequestRejected,
    ResponseShapeError,
    ServerError,
    UnsupportedError,
)
from heavenbase.kernel import Kernel
from heavenbase.messages import to_messages
from heavenbase.operations import BatchJob, BatchPart, ask
from heavenbase.types import Completion

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
MODELS = {"openai": "openai/gpt-4o-mini", "responses": "openai/gpt-5.4", "anthropic": "anthropic/claude-opus-4-5"}
WIRES = {"responses": "openai_responses"}
DOUBTFUL = {"max_retries": 0}


class Bench:
    """A model behind a loopback server, in one colour."""

    def __init__(self, server: LoopbackServer, colour: Colour, gateway: str, fault: str | None = None) -> None:
        self.server, self.colour, self.gateway, self.clock = server, colour, gateway, Clock()
        clock = self.clock
        config = Config.from_dict({}, environ=environment())
        self.kernel = Kernel(config, clock=clock, sleep=clock.sleep, asleep=clock.asleep)
        self.wire: Any = server.wires[WIRES.get(gateway, gateway)]
        url = server.url(self.wire.name, fault=fault)
        self.llm = hb.LLM(
            model=MODELS[gateway], gateway=gateway, base_url=url, api_key="sk-test", kernel=self.kernel, cache=False
        )

    def ask(self, operation: str, subject: Any, **options: Any) -> Any:
        return self.colour.run(
            lambda: hb.colour.drive.run(ask(self.llm, operation, dict(options), is_async=False, subject=subject)),
            lambda: ask(self.llm, operation, dict(options), is_async=True, subject=subject),
        )

    def of_chat(self, operation: str, content: Any, subject: Any, **options: Any) -> Any:
        """An operation on one request or its answer, with the call that a chat would be."""

        def call(is_async: bool) -> Any:
            made = self.kernel.call(
                "complete", self.llm.spec, options, is_async=is_async, messages=to_messages(content)
            )
            controls = {**made.controls, "max_retries": 0}
            return self.kernel.answer_once(
                made.replace(verb=operation, subject=subject, tools={}, format=None, controls=controls)
            )

        return self.colour.run(lambda: hb.colour.drive.run(call(False)), lambda: call(True))

    def submit(self, *contents: Any, **options: Any) -> BatchJob:
        entries = [self.of_chat("batches.entry", it, f"r{n}", **options) for n, it in enumerate(contents)]
        lines = [line for it in entries for line in it.lines]
        made = BatchPart(lines, entries[0].endpoint, entries[0].headers, {"hb_run": "x"})
        return self.ask("batches.submit", made)  # type: ignore[no-any-return]

    def ended(self, job: BatchJob) -> BatchJob:
        while not job.is_done:
            job = self.ask("batches.get", job.id)
        return job

    def lines(self, job: BatchJob) -> dict[str, bytes]:
        pieces: list[bytes] = []
        self.ask("batches.results", (job, pieces.append))
        rows = b"".join(pieces).splitlines()
        return {json.loads(row)["custom_id"]: row for row in rows}


@pytest.fixture(params=sorted(MODELS))
def bench(request: pytest.FixtureRequest, server: LoopbackServer, colour: Colour) -> Iterator[Bench]:
    made = Bench(server, colour, request.param)
    yield made
    made.kernel.close()


def told(answer: Completion) -> dict[str, Any]:
    """What an answer says, but for when it was made and by what requests."""
    passing = ("created_at", "elapsed", "attempts", "request_id", "served_by", "raw", "hops", "report", "id")
    return {name: value for name, value in answer.to_dict().items() if name not in passing}


REPLIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text": ({"text": "forty-two"}, {}),
    "tools": ({"tool_calls": [{"name": "look", "arguments": {"a": 1}}]}, {"tools": [TOOL]}),
    "cut": ({"text": "forty", "finish_reason": "length"}, {"max_tokens": 20}),
    "thoughts": ({"text": "42", "reasoning": "six times seven"}, {}),
    "tagged": ({"text": "<think>six</think>42"}, {"think": False}),
    "form": ({"text": '{"a": 1}'}, {"response_format": {"type": "json_object"}}),
}


@pytest.mark.parametrize("kind", REPLIES)
def test_an_answer_of_a_batch_is_that_of_a_live_call(bench: Bench, kind: str) -> None:
    fields, options = REPLIES[kind]
    if "finish_reason" in fields and bench.gateway != "openai":
        words = {"responses": "max_output_tokens", "anthropic": "max_tokens"}
        fields = {**fields, "finish_reason": words[bench.gateway]}
    question = "Say json: how much?"
    bench.server.reply(**fields)
    live: Any = bench.colour.run(
        lambda: bench.llm.complete(question, **options), lambda: bench.llm.acomplete(question, **options)
    )
    sent = bench.server.requests[-1].json
    bench.server.reply(**fields)
    job = bench.submit(question, **options)
    line = bench.lines(bench.ended(job))["r0"]
    answer = bench.of_chat("batches.answer", question, line, **options)
    wanted = told(live)
    if kind == "form":  # which is judged by whoever reads it
        assert wanted.pop("structured") == {"a": 1}
    assert told(answer) == wanted
    assert answer.usage.output > 0
    assert answer.attempts[-1].usage == answer.usage
    entry: BatchPart = bench.of_chat("batches.entry", question, "r0", **options)
    assert json.loads(entry.lines[0])["params" if bench.gateway == "anthropic" else "body"] == sent


def test_a_job_is_submitted_looked_up_listed_and_read(bench: Bench) -> None:
    bench.wire.batches.looks = 2
    job = bench.submit("one", "two", "three")
    assert (job.is_done, job.counts["total"], job.provider) == (False, 3, bench.llm.spec.provider)
    assert job.created == pytest.approx(bench.server.now(), abs=5)
    assert job.expires is not None
    assert job.expires - job.created == pytest.approx(86_400, abs=2)
    seen = [bench.ask("batches.get", job.id) for _ in range(3)]
    assert [it.status for it in seen] == ["in_progress", "in_progress", "completed"]
    assert (seen[-1].counts["succeeded"], seen[-1].is_done) == (3, True)
    if bench.gateway != "anthropic":
        assert seen[-1].metadata == {"hb_run": "x"}
    assert bench.lines(seen[-1]).keys() == {"r0", "r1", "r2"}
    other = bench.submit("four")
    found = bench.ask("batches.list", 10)
    assert [it.id for it in found] == [other.id, job.id]
    assert not found.has_more
    first = bench.ask("batches.list", 1)
    assert ([it.id for it in first], first.has_more) == ([other.id], True)


def test_each_result_says_what_became_of_its_request(bench: Bench) -> None:
    bench.wire.batches.fates |= {"r1": 429, "r2": "expired", "r3": 400, "r4": 500}
    job = bench.ended(bench.submit(*"abcde"))
    assert job.status == "expired"
    lines = bench.lines(job)
    assert bench.of_chat("batches.answer", "a", lines["r0"]).finish_reason == "stop"
    kinds: dict[str, type[HBError]] = {
        "r1": RateLimitError, "r2": GenerationFailed, "r3": RequestRejected, "r4": ServerError,
    }  # fmt: skip
    for name, kind in kinds.items():
        with pytest.raises(kind) as failed:
            bench.of_chat("batches.answer", "b", lines[name])
        assert failed.value.model == bench.llm.spec.model_id
        if name == "r2":
            assert failed.value.code == "batch_expired"
        else:
            assert failed.value.request_id == f"req_{name}"
    assert bench.clock.slept == []


def test_a_job_is_cancelled_and_keeps_what_was_answered(bench: Bench) -> None:
    bench.wire.batches.looks, bench.wire.batches.answered = 10, 1
    job = bench.submit("a", "b")
    assert bench.ask("batches.cancel", job.id).status == "cancelling"
    found = bench.ask("batches.get", job.id)
    assert found.status == "cancelled"
    lines = bench.lines(found)
    assert bench.of_chat("batches.answer", "a", lines["r0"]).text
    if "r1" in lines:
        with pytest.raises(GenerationFailed) as failed:
            bench.of_chat("batches.answer", "b", lines["r1"])
        assert failed.value.code == "batch_cancelled"


@pytest.mark.parametrize("line", [b"{}", b'{"result": {}}', b"[]", b'{"response": {"status_code": 200, "body": 3}}'])
def test_a_line_that_is_no_result_is_an_error(bench: Bench, line: bytes) -> None:
    with pytest.raises(ResponseShapeError):
        bench.of_chat("batches.answer", "a", line)


def test_what_a_chat_would_lose_is_refused_in_a_batch_too(bench: Bench) -> None:
    if bench.gateway == "anthropic":
        with pytest.raises(LossyRequestError):
            bench.of_chat("batches.entry", "a", "r0", seed=1, on_lossy="error")
    for name in ("extra_headers", "extra_query"):
        with pytest.raises(InputError, match=name):
            bench.of_chat("batches.entry", "a", "r0", **{name: {"x-a": "b"}})
    assert bench.server.requests == []


def test_a_job_that_nobody_knows_is_an_error_without_a_retry(bench: Bench) -> None:
    with pytest.raises((ModelNotFound, RequestRejected)) as failed:
        bench.ask("batches.get", "batch_9")
    assert failed.value.status == 404
    assert bench.clock.slept == []


def test_images_are_encoded_as_in_a_live_call(server: LoopbackServer, colour: Colour) -> None:
    from heavenbase.image import make_picture

    picture = make_picture("seen")
    for gateway in ("openai", "anthropic"):
        bench = Bench(server, colour, gateway)
        content = to_messages("what is it?", images=[picture])
        entry = bench.of_chat("batches.entry", content, "r0")
        assert b"base64" in entry.lines[0]
        bench.kernel.close()


@pytest.mark.parametrize("gateway", ["openai", "anthropic"])
def test_a_limit_is_waited_for_and_a_doubtful_submit_is_not_repeated(
    server: LoopbackServer, colour: Colour, gateway: str
) -> None:
    limited = Bench(server, colour, gateway, "J1.429")
    assert limited.submit("a").id
    assert limited.clock.slept[0] >= 2
    for fault in ("J1.500", "J1.reset"):
        limited.wire.batches.struck = 0
        before = len(limited.wire.batches.kept)
        bench = Bench(server, colour, gateway, fault)
        entry = bench.of_chat("batches.entry", "a", "r0")
        with pytest.raises(ProviderError):
            bench.ask("batches.submit", entry, **DOUBTFUL)
        assert len(bench.wire.batches.kept) == before + 1
        bench.kernel.close()
    limited.kernel.close()


@pytest.mark.parametrize("gateway", ["openai", "anthropic"])
def test_results_that_break_off_are_an_error(server: LoopbackServer, colour: Colour, gateway: str) -> None:
    bench = Bench(server, colour, gateway, "J2.cut")
    job = bench.ended(bench.submit("a", "b"))
    pieces: list[bytes] = []
    with pytest.raises(ProviderError):
        bench.ask("batches.results", (job, pieces.append), **DOUBTFUL)
    assert bench.lines(job).keys() == {"r0", "r1"}
    bench.kernel.close()


def test_results_pass_by_in_pieces_however_many_there_are(server: LoopbackServer, colour: Colour) -> None:
    bench = Bench(server, colour, "openai")
    job = bench.ended(bench.submit("a"))
    size = 70 * 2**20  # above what an answer may have that is kept in memory

    def long(request: RecordedRequest) -> Reply | None:
        return Reply(body=b"x" * size) if request.path.endswith("/content") else None

    server.script(long)
    sizes: list[int] = []
    bench.ask("batches.results", (job, lambda piece: sizes.append(len(piece))))
    assert sum(sizes) == size
    assert max(sizes) <= 2**20
    bench.kernel.close()


def test_a_gateway_in_the_middle_and_a_provider_without_have_none(colour: Colour, server: LoopbackServer) -> None:
    bench = Bench(server, colour, "anthropic")
    url = server.url("openai")
    other = hb.LLM(
        model="anthropic/claude-opus-4-5", gateway="openai", base_url=url, api_key="sk-test", kernel=bench.kernel
    )
    bench.llm = other
    with pytest.raises(UnsupportedError, match=r"has no batches.*capabilities\.batches.*openai"):
        bench.ask("batches.get", "batch_1")
    assert server.requests == []
    bench.kernel.close()
