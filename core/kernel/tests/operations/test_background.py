"""Answers in the background: sent once, looked up until they are done, cancelled, in both colours."""

from __future__ import annotations

import asyncio
import pickle
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.conformance.colours import COLOURS, Colour
from hb_testing.conformance.rig import Clock, environment
from hb_testing.server import LoopbackServer, Reply
from hb_testing.server.recorder import RecordedRequest
from heavenbase.config.config import Config
from heavenbase.errors import (
    CallTimeout,
    DeadlineExceeded,
    GenerationFailed,
    InputError,
    InputTypeError,
    LossyRequestError,
    ModelNotFound,
    ProviderError,
    RateLimitError,
    StructuredOutputError,
    UnsupportedError,
)
from heavenbase.kernel import Kernel
from heavenbase.ledger import Cost
from heavenbase.operations import Job
from heavenbase.resolution import ModelTable
from heavenbase.types import Usage

SCHEMA = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "required": ["n"]}}}


class Bench:
    """A model behind a loopback server, in one colour, with a clock that jumps where hb waits."""

    def __init__(
        self, server: LoopbackServer, colour: Colour, gateway: str = "responses", plugins: Any = (), **options: Any
    ) -> None:
        self.server, self.colour, self.clock = server, colour, Clock()
        clock = self.clock
        self.kernel = Kernel(
            Config.from_dict({}, environ=environment()),
            plugins=plugins,
            clock=clock,
            sleep=clock.sleep,
            asleep=clock.asleep,
        )
        wire = {"responses": "openai_responses"}.get(gateway, gateway)
        given: dict[str, Any] = {"gateway": gateway, "base_url": server.url(wire), "api_key": "sk-test"}
        self.llm = hb.LLM(model="openai/gpt-5.6", kernel=self.kernel, cache=False, **given, **options)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """`bench.poll(...)`: the method of the LLM in the colour."""
        method, twin = getattr(self.llm, name), getattr(self.llm, f"a{name}")
        return lambda *args, **options: self.colour.run(
            lambda: method(*args, **options), lambda: twin(*args, **options)
        )

    @property
    def sent(self) -> list[str]:
        return [f"{request.method} {request.path.rpartition('/v1')[2]}" for request in self.server.requests]


@pytest.fixture
def bench(server: LoopbackServer, colour: Colour) -> Iterator[Bench]:
    made = Bench(server, colour)
    yield made
    made.kernel.close()


@pytest.mark.parametrize("verb", ["complete", "chat", "submit"])
def test_b6_a_job_is_made_once_and_polled_until_it_is_done(bench: Bench, verb: str) -> None:
    bench.server.reply("forty-two")
    options = {} if verb == "submit" else {"background": True}
    job: Job = getattr(bench, verb)("How much?", **options)
    assert (job.status, job.is_done, job.completion, job.provider) == ("queued", False, None, "openai")
    assert bench.server.requests[0].json["background"] is True
    answer = bench.poll(job)
    assert answer.text == "forty-two"
    assert answer.finish_reason == "stop"
    assert [message["role"] for message in answer.messages] == ["user", "assistant"]
    assert answer.usage.output > 0
    assert bench.sent == ["POST /responses", *[f"GET /responses/{job.id}"] * 2]
    assert len(answer.attempts) == 3
    assert bench.clock.slept == [1.0]


class Penny(ModelTable):
    """A penny for each token."""

    name = "prices"

    def cost(self, provider: str, model_id: str, usage: Usage, *, at: float) -> Cost | None:
        return Cost(Decimal(usage.total_tokens or 0) / 100, source="pennies")


def test_a_job_costs_what_its_answer_does_and_looking_it_up_nothing(server: LoopbackServer, colour: Colour) -> None:
    bench = Bench(server, colour, plugins=[Penny()])
    server.reply("forty-two")
    job = bench.submit("How much?")
    assert [attempt.cost.amount for attempt in job.attempts] == [0]
    answer = bench.poll(job)
    assert answer.cost.amount == Decimal(answer.usage.total_tokens) / 100 > 0
    assert [attempt.cost.amount for attempt in answer.attempts] == [0, 0, answer.cost.amount]
    assert answer.attempts[-1].usage == answer.usage
    assert bench.retrieve(job).completion.cost == Cost(answer.cost.amount, source="pennies")
    server.reply("no counts", usage={})
    assert bench.poll(bench.submit("How much?")).cost is None
    bench.kernel.close()


def test_a_job_is_known_by_its_id_in_another_process(bench: Bench) -> None:
    bench.server.reply("yes")
    job = bench.complete("q", background=True)
    copied = pickle.loads(pickle.dumps(job))  # noqa: S301
    assert copied.to_dict()["status"] == "queued"
    assert bench.retrieve(copied).status == "in_progress"
    other = Bench(bench.server, bench.colour)
    found = other.retrieve(job.id)
    assert (found.status, found.completion.text, found.completion.messages[-1]["role"]) == (
        "completed",
        "yes",
        "assistant",
    )
    assert other.poll(job.id).text == "yes"
    assert other.clock.slept == []
    other.kernel.close()


def test_a_job_can_be_cancelled(bench: Bench) -> None:
    job = bench.complete("q", background=True)
    assert bench.cancel(job).status == "cancelled"
    with pytest.raises(GenerationFailed, match="cancelled"):
        bench.poll(job)
    assert bench.sent[1] == f"POST /responses/{job.id}/cancel"
    done = bench.complete("another", background=True)
    bench.poll(done)
    assert bench.cancel(done.id).status == "completed"


def test_the_ends_of_a_job_are_told_apart(bench: Bench) -> None:
    bench.server.reply("cut off here", finish_reason="max_output_tokens")
    assert bench.poll(bench.complete("q", background=True)).finish_reason == "length"
    bench.server.reply("x", finish_reason="failed")
    job = bench.complete("q2", background=True)
    with pytest.raises(ProviderError, match="failed to generate"):
        bench.poll(job)
    failed = bench.retrieve(job)
    assert failed.status == "failed"
    assert failed.to_dict()["error"]["message"]


def test_polling_ends_with_its_timeout_and_the_job_goes_on(bench: Bench) -> None:
    known = "resp_slow"

    def busy(request: RecordedRequest) -> Reply | None:
        return Reply(body={"id": known, "status": "in_progress", "output": []}) if request.method == "GET" else None

    bench.server.script(busy)
    with pytest.raises(DeadlineExceeded, match="goes on"):
        bench.poll(known, timeout=100)
    assert sum(bench.clock.slept) <= 100
    assert max(bench.clock.slept) == 15.0
    bench.clock.slept.clear()
    with pytest.raises(DeadlineExceeded):
        bench.poll(known, timeout=10, interval=4)
    assert bench.clock.slept == [4, 4]


def test_polling_waits_no_longer_for_a_server_that_says_nothing(bench: Bench) -> None:
    bench.server.script(lambda request: Reply(body={"id": "r", "status": "queued"}, delay=20))
    before = time.monotonic()
    with pytest.raises(CallTimeout) as raised:
        bench.poll("resp_slow", timeout=0.05)
    assert time.monotonic() - before < 10
    assert any("goes on" in note for note in raised.value.__notes__)


@pytest.mark.parametrize("fault", ["S5.500", "S5.503", "N2.a", "N2.b"])
def test_b6_a_job_that_may_have_been_made_is_not_made_again(server: LoopbackServer, colour: Colour, fault: str) -> None:
    bench = Bench(server, colour)
    status = int(fault[-3:]) if fault.startswith("S5") else None
    if status is not None:
        server.script(lambda request: Reply(status=status, body={"error": {"message": "oops"}}))
    else:
        server.strike(fault, "openai_responses")
    with pytest.raises(ProviderError):
        bench.complete("q", background=True, max_retries=3)
    assert server.request_count == 1
    bench.kernel.close()


def test_a_job_that_was_refused_is_asked_for_again(bench: Bench) -> None:
    refused = iter([True])

    def busy(request: RecordedRequest) -> Reply | None:
        return Reply(status=429, body={"error": {"message": "slow down"}}) if next(refused, False) else None

    bench.server.script(busy)
    assert bench.complete("q", background=True).status == "queued"
    assert bench.server.request_count == 2


def test_looking_up_outlasts_a_server_that_is_away(bench: Bench) -> None:
    job = bench.complete("q", background=True)
    away = iter(range(7))

    def busy(request: RecordedRequest) -> Reply | None:
        return Reply(status=503, body={"error": {"message": "away"}}) if next(away, None) is not None else None

    bench.server.script(busy)
    assert bench.poll(job).text.startswith("echo")
    bench.server.script(lambda request: Reply(status=429, body={"error": {"message": "never"}}))
    with pytest.raises(RateLimitError) as raised:
        bench.poll(job)
    assert any("goes on" in note for note in raised.value.__notes__)


def test_the_form_of_an_answer_is_kept_in_the_background(bench: Bench) -> None:
    bench.server.reply('{"n": 4}')
    job = bench.complete("q", background=True, response_format=SCHEMA)
    assert bench.server.requests[0].json["text"]["format"]["type"] == "json_schema"
    assert bench.poll(job).structured == {"n": 4}
    assert bench.poll(job.id, response_format=SCHEMA).structured == {"n": 4}
    bench.server.reply("no json")
    with pytest.raises(StructuredOutputError):
        bench.poll(bench.complete("q2", background=True, response_format=SCHEMA))


def test_calls_of_tools_wait_for_their_results(bench: Bench) -> None:
    bench.server.reply(tool_calls=[{"name": "w", "arguments": {}}])
    tool = {"name": "w", "parameters": {"type": "object", "properties": {}}}
    answer = bench.poll(bench.complete("q", background=True, tools=[tool]))
    assert [call.name for call in answer.pending] == ["w"]
    bench.server.reply("done")
    assert bench.llm.resume(answer, {answer.pending[0].id: "r"}).text == "done"

    def run() -> str:
        """A tool."""
        return "r"

    with pytest.raises(UnsupportedError, match="no tools in the background"):
        bench.complete("q", background=True, tools=[run])


def test_what_cannot_be_in_the_background_is_refused_before_sending(bench: Bench) -> None:
    with pytest.raises(UnsupportedError, match="without a stream"):
        list(bench.llm.stream("q", background=True))
    with pytest.raises(UnsupportedError, match="session"):
        hb.LLMSession(bench.llm).send("q", background=True)
    with pytest.raises(InputError, match="store"):
        bench.complete("q", background=True, store=False)
    with pytest.raises(LossyRequestError, match="stop"):
        bench.complete("q", background=True, stop=["x"])
    for wrong in ("", 3, None):
        with pytest.raises(InputTypeError, match="id"):
            bench.retrieve(wrong)
    chat = Bench(bench.server, bench.colour, gateway="openai")
    with pytest.raises(UnsupportedError, match="in the background; gateway='responses' has"):
        chat.complete("q", background=True)
    with pytest.raises(UnsupportedError, match="in the background"):
        chat.poll("resp_1")
    chat.kernel.close()
    assert bench.server.request_count == 0
    assert bench.complete("q", background=False).text.startswith("echo")
    assert "background" not in bench.server.requests[0].json


def test_an_unknown_job_is_told(bench: Bench) -> None:
    with pytest.raises(ModelNotFound, match="not found"):
        bench.poll("resp_gone")
    assert bench.server.request_count == 1


def test_an_llm_may_answer_in_the_background_by_default(server: LoopbackServer, colour: Colour) -> None:
    bench = Bench(server, colour, background=True)
    assert bench.chat("q").status == "queued"
    assert bench.chat("q", background=False).startswith("echo")
    bench.kernel.close()


def test_polling_can_be_given_up(server: LoopbackServer) -> None:
    colour = COLOURS["async"]()
    bench = Bench(server, colour)

    async def given_up() -> None:
        job = await bench.llm.acomplete("q", background=True)
        task = asyncio.ensure_future(bench.llm.apoll(job))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await bench.llm.apoll(job)).text.startswith("echo")

    colour.run(lambda: None, given_up)
    bench.kernel.close()
    colour.close()
