"""Batches in memory: order, what fails, limits, and what is told of them."""

from __future__ import annotations

import asyncio
import copy
import threading
import time
import traceback
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import hb_batch
import heavenbase as hb
from hb_batch import Progress
from hb_testing.server import LoopbackServer, RecordedRequest, Reply
from heavenbase.colour import call_in_thread
from heavenbase.errors import AuthError, DeadlineExceeded, InputError, RateLimitError, UnknownNameError
from heavenbase.types import Completion, Embedding, ImageResult

from .support import Batch, last_text

SLOW = 8.0
"""Seconds of a request that is too slow; nobody waits for it."""


def test_g15_answers_stand_in_the_order_of_their_requests(batch: Batch, server: LoopbackServer) -> None:
    def script(request: RecordedRequest) -> Reply:
        text = last_text(request)
        return Reply(f"answer to {text}", delay=0.03 if text == "one" else 0.0)

    server.script(script)
    found = batch(["one", [{"role": "user", "content": "two"}], {"messages": "three", "seed": 7}], max_concurrency=3)
    assert [answer.text for answer in found.results] == ["answer to one", "answer to two", "answer to three"]
    assert (found.succeeded, found.failed, found.cancelled, found.success_rate, found.errors) == (3, 0, 0, 1.0, [])
    assert found.total_tokens == sum(answer.usage.total_tokens for answer in found.results)
    assert found.cost == hb.Cost.total(answer.cost for answer in found.results)
    assert found.cost is not None
    assert found.cost.amount > 0
    assert next(it.json["seed"] for it in server.requests if last_text(it) == "three") == 7


def test_g15_a_failure_has_its_place_its_class_and_its_request(batch: Batch, server: LoopbackServer) -> None:
    server.script(lambda request: Reply("no", status=429) if last_text(request) == "two" else Reply("yes"))
    two = {"messages": "two", "api_key": "key-that-is-secret"}
    found = batch(["one", two, {"model": "acme/m"}, {"messages": "x", "sed": 7}, 5, {"messages": "a", "input": "b"}])
    assert [answer is not None for answer in found.results] == [True, False, False, False, False, False]
    assert [(error.index, error.error_type) for error in found.errors] == [
        (1, "RateLimitError"),
        (2, "UnknownNameError"),
        (3, "UnknownNameError"),
        (4, "InputTypeError"),
        (5, "InputError"),
    ]
    first = found.errors[0]
    assert isinstance(first.error, RateLimitError)
    assert first.retryable
    assert first.request == {"messages": "two"}
    assert "key-that-is-secret" not in f"{found!r}{found.errors!r}"
    assert "did you mean 'seed'" in found.errors[2].message
    assert (found.succeeded, found.failed) == (1, 5)
    assert found.success_rate == pytest.approx(1 / 6)
    assert len(server.requests) == 2


def test_g15_an_empty_batch_is_a_result(batch: Batch) -> None:
    found = batch([])
    assert (found.results, found.errors, found.success_rate, found.total_tokens) == ([], [], 0.0, 0)
    assert found.usage is None


@pytest.mark.parametrize("most", [1, 3])
def test_g15_no_more_run_at_once_than_allowed(batch: Batch, server: LoopbackServer, most: int) -> None:
    peaks: list[int] = []
    running = 0

    class Counting(hb.Middleware):
        """Counts calls in flight."""

        name = "counting"
        around = "call"

        async def __call__(self, call: Any, next: Any) -> Any:
            nonlocal running
            running += 1
            peaks.append(running)
            try:
                return await next(call)
            finally:
                running -= 1

    server.script(lambda _: Reply("yes", delay=0.005))
    found = batch([str(n) for n in range(9)], max_concurrency=most, middleware=[Counting()])
    assert (found.failed, max(peaks)) == (0, most)


def test_g15_vectors_and_images_are_answered_beside_chats(batch: Batch, server: LoopbackServer) -> None:
    found = batch(
        [{"input": ["a", "b"]}, {"prompt": "a cat", "n": 2}, "hi", {"input": "c"}, {"input": 5}, {"prompt": " "}]
    )
    kinds = [type(answer) for answer in found.results[:4]]
    assert kinds == [Embedding, ImageResult, Completion, Embedding], found.errors
    assert [len(found.results[0].vectors), len(found.results[1].images), len(found.results[3].vectors)] == [2, 2, 1]
    assert [error.index for error in found.errors] == [4, 5]


def test_g16_a_limit_is_that_of_each_request_from_its_start(batch: Batch, server: LoopbackServer) -> None:
    server.script(lambda request: Reply("yes", delay=SLOW if last_text(request) == "slow" else 0.0))
    started = time.monotonic()
    found = batch(["slow", *(f"quick {n}" for n in range(5))], max_concurrency=1, timeout=0.1)
    assert time.monotonic() - started < SLOW
    assert [(error.index, type(error.error)) for error in found.errors] == [(0, DeadlineExceeded)]
    assert found.succeeded == 5


def test_g16_a_limit_of_a_request_of_its_own_wins(batch: Batch, server: LoopbackServer) -> None:
    server.script(lambda request: Reply("yes", delay=0.06))
    found = batch([{"messages": "a", "timeout": 5}, "b"], max_concurrency=2, timeout=0.03)
    assert [answer is not None for answer in found.results] == [True, False]


def test_g16_a_gateway_that_blocks_in_a_thread_is_left_behind(batch: Batch) -> None:
    release = threading.Event()

    def script(call: Any) -> str:
        if call.messages[-1]["content"] == "hang":
            release.wait(5)
        return "yes"

    class Blocking(hb.Middleware):
        """Waits in a thread, and for no clock."""

        name = "blocking"
        around = "call"

        async def __call__(self, call: Any, next: Any) -> Any:
            await call_in_thread(script, call)
            return await next(call)

    try:
        started = time.monotonic()
        found = batch(["hang", "two"], max_concurrency=1, timeout=0.05, middleware=[Blocking()], mock_text="yes")
        assert time.monotonic() - started < 2
    finally:
        release.set()
    assert [(error.index, error.error_type) for error in found.errors] == [(0, "DeadlineExceeded")]
    assert "no answer within its 0.05 s" in found.errors[0].message
    assert found.results[1].text == "yes"


def test_g16_fail_fast_ends_at_the_first_failure(batch: Batch, server: LoopbackServer) -> None:
    def script(request: RecordedRequest) -> Reply:
        text = last_text(request)
        return Reply("no", status=401) if text == "bad" else Reply("yes", delay=SLOW if text == "slow" else 0.0)

    server.script(script)
    started = time.monotonic()
    with pytest.raises(AuthError) as caught:
        batch(["quick", "slow", "bad", "never", "never"], max_concurrency=2, fail_fast=True)
    assert time.monotonic() - started < SLOW
    assert "never" not in map(last_text, server.requests)
    so_far = caught.value.batch  # type: ignore[attr-defined]
    assert [answer is not None for answer in so_far.results] == [True, False, False, False, False]
    assert (so_far.failed, so_far.cancelled) == (1, 3)


@pytest.mark.parametrize(
    "given",
    [
        *(
            {"max_concurrency": 0},
            {"max_concurrency": True},
            {"max_concurrency": "4"},
            {"timeout": 0},
            {"timeout": "5"},
        ),
        *({"timeout": float("nan")}, {"fail_fast": "yes"}, {"on_progress": 5}, {"temprature": 1}, {"stream": True}),
        *({"llm": "gpt-4o"}, {"include": "text"}),
    ],
    ids=repr,
)
def test_g16_what_is_wrong_with_the_whole_is_refused_before_anything_is_sent(
    batch: Batch, server: LoopbackServer, given: Any
) -> None:
    with pytest.raises(InputError):
        batch(["one"], **given)
    assert server.requests == []


@pytest.mark.parametrize("given", ["one", None, 5, {"messages": "one"}, b"one"], ids=repr)
def test_g16_what_is_no_list_of_requests_is_refused(batch: Batch, given: Any) -> None:
    with pytest.raises(InputError, match="requests must be a list"):
        batch(given)


def test_requests_are_taken_as_workers_become_free(batch: Batch, server: LoopbackServer) -> None:
    taken = 0
    ahead: list[int] = []

    def requests() -> Iterator[str]:
        nonlocal taken
        for number in range(12):
            taken += 1
            yield str(number)

    found = batch(requests(), max_concurrency=2, on_progress=lambda it: ahead.append(taken - it.done))
    assert [answer is not None for answer in found.results] == [True] * 12
    assert max(ahead) <= 2 + 2 + 1  # in flight, handed over, and the one that waits for room


def test_a_generator_is_read_in_the_thread_that_made_it(kernel: hb.Kernel) -> None:
    threads = set()

    def requests() -> Iterator[str]:
        threads.add(threading.current_thread())
        yield "one"

    assert hb.batch(requests(), kernel=kernel, mock_text="yes").succeeded == 1
    assert threads == {threading.current_thread()}


def test_what_a_generator_raises_ends_the_batch(batch: Batch) -> None:
    def requests() -> Iterator[str]:
        yield "one"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        batch(requests(), mock_text="yes")


def test_requests_may_come_from_an_async_generator(kernel: hb.Kernel) -> None:
    async def requests() -> AsyncIterator[str]:
        for number in range(20):
            await asyncio.sleep(0)
            yield str(number)

    async def run() -> Any:
        return await hb.abatch(requests(), kernel=kernel, mock_text="yes", max_concurrency=3)

    assert asyncio.run(run()).succeeded == 20
    with pytest.raises(InputError, match=r"for hb\.abatch"):
        hb.batch(requests(), kernel=kernel)


def test_a_batch_works_inside_a_running_loop(kernel: hb.Kernel, server: LoopbackServer) -> None:
    async def cell() -> Any:
        return hb.batch(["one", "two"], kernel=kernel, model="acme/m")

    assert asyncio.run(cell()).succeeded == 2


def test_an_llm_answers_what_names_no_model(batch: Batch, kernel: hb.Kernel, server: LoopbackServer) -> None:
    llm = hb.LLM(model="acme/m", kernel=kernel, seed=3)
    found = batch(["one", {"messages": "two", "model": "acme/other"}], llm=llm, model=None, max_concurrency=1)
    assert found.failed == 0
    assert [(it.json["model"], it.json["seed"]) for it in server.requests] == [("m", 3), ("other", 42)]
    with pytest.raises(InputError, match="llm and model both"):
        batch(["one"], llm=llm)


def test_calls_of_an_llm_go_through_its_own_kernel(kernel: hb.Kernel, server: LoopbackServer) -> None:
    llm = hb.LLM(model="acme/m", kernel=kernel)
    assert hb.batch(["one"], llm=llm).succeeded == 1
    assert asyncio.run(hb.abatch(["two"], llm=llm)).succeeded == 1
    assert [last_text(request) for request in server.requests] == ["one", "two"]
    with pytest.raises(InputError, match="another kernel"):
        hb.batch(["three"], llm=llm, kernel=hb.Kernel())


def test_options_of_the_batch_count_where_a_request_says_nothing(batch: Batch, server: LoopbackServer) -> None:
    batch(["one", {"messages": "two", "temperature": 0.1}], max_concurrency=1, temperature=0.7, system="Be brief.")
    assert [it.json["temperature"] for it in server.requests] == [0.7, 0.1]
    assert [it.json["messages"][0]["content"] for it in server.requests] == ["Be brief.", "Be brief."]


def test_progress_tells_how_far_it_is_and_may_fail(batch: Batch) -> None:
    told: list[Progress] = []

    def look(progress: Progress) -> None:
        told.append(progress)
        raise RuntimeError("nobody minds")

    found = batch(["one", 5, "three"], max_concurrency=1, on_progress=look, mock_text="yes")
    assert found.succeeded == 2
    assert [(it.done, it.failed, it.total) for it in told] == [(1, 0, 3), (2, 1, 3), (3, 1, 3)]
    assert told[-1].eta == 0
    assert told[-1].tokens == found.total_tokens


def test_a_cost_that_is_not_known_of_all_is_not_known(batch: Batch, server: LoopbackServer) -> None:
    assert batch(["one", {"messages": "two", "model": "acme/free"}]).cost is None


def test_ctrl_c_cancels_a_sync_batch(kernel: hb.Kernel, server: LoopbackServer) -> None:
    def requests() -> Iterator[str]:
        yield "one"
        yield "two"
        raise KeyboardInterrupt

    server.script(lambda _: Reply("late", delay=SLOW))
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        hb.batch(requests(), kernel=kernel, model="acme/m")
    assert time.monotonic() - started < SLOW


def test_a_batch_leaves_no_thread_and_no_connection(kernel: hb.Kernel, server: LoopbackServer) -> None:
    before = threading.active_count()
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        for _ in range(3):
            assert hb.batch(["hi"] * 20, kernel=kernel, model="acme/m", max_concurrency=4).succeeded == 20
    end = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_many_models_have_one_llm_each(kernel: hb.Kernel, server: LoopbackServer) -> None:
    found = hb.batch([{"messages": "hi", "model": f"acme/m{n % 70}"} for n in range(140)], kernel=kernel)
    assert found.succeeded == 140
    assert {it.json["model"] for it in server.requests} == {f"m{n}" for n in range(70)}


def test_an_unknown_model_is_the_error_of_its_request(batch: Batch) -> None:
    found = batch([{"messages": "hi", "model": "nothing-known"}, {"messages": "hi", "mock_text": "yes"}])
    assert [error.error_type for error in found.errors] == ["UnknownModelError"]
    assert isinstance(found.errors[0].error, UnknownNameError)
    assert found.results[1].text == "yes"


def test_the_package_names_what_it_gives() -> None:
    assert hb_batch.__all__ == sorted(hb_batch.__all__)
    assert all(getattr(hb_batch, name) is not None for name in hb_batch.__all__)


def test_a_request_that_cancels_itself_ends_the_batch(batch: Batch) -> None:
    class Cancelling(hb.Middleware):
        """Is cancelled from within."""

        name = "cancelling"
        around = "call"

        async def __call__(self, call: Any, next: Any) -> Any:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        batch(["one", "two"], max_concurrency=1, middleware=[Cancelling()])


def test_answers_keep_what_is_their_own(batch: Batch, server: LoopbackServer) -> None:
    lean, whole = batch(["one", "two"]), batch(["one", "two"], keep_raw=True)
    assert [answer.raw for answer in lean.results] == [None, None]
    assert all(answer.raw["choices"] for answer in whole.results)
    first, second = lean.results
    assert first.report is second.report
    assert first.report.to_dict() == whole.results[0].report.to_dict()
    assert first.tool_calls is second.pending
    assert (first.tool_calls, repr(first.images), first.to_dict()["hops"]) == ([], "[]", [])
    for change in (lambda it: it.append(1), lambda it: it.extend([1]), lambda it: it.insert(0, 1)):
        with pytest.raises(TypeError, match="shared by the answers of a batch"):
            change(first.tool_calls)
    copied = copy.copy(first.tool_calls)
    copied.append("own")
    assert (copied, first.tool_calls, copy.deepcopy(first).images) == (["own"], [], [])
    with pytest.raises(InputError, match="keep_raw must be"):
        batch(["one"], keep_raw="yes")


def test_a_result_is_shown_by_its_counts(batch: Batch, server: LoopbackServer) -> None:
    server.script(lambda _: Reply("a word that is not shown"))
    found = batch(["one"] * 20 + [5])
    assert repr(found).startswith("BatchResult(20 of 21 succeeded, 1 failed, 0 cancelled, ")
    assert len(repr(found)) < 120


def test_errors_hold_no_frames_of_their_calls(batch: Batch, server: LoopbackServer) -> None:
    class Odd(hb.Middleware):
        """Raises what is no error of hb."""

        name = "odd"
        around = "call"

        async def __call__(self, call: Any, next: Any) -> Any:
            if call.messages[-1]["content"] == "odd":
                raise LookupError("odd")
            return await next(call)

    server.script(lambda _: Reply("no", status=500))
    found = batch(["one", {"messages": "odd", "middleware": [Odd()]}])
    hb_error, odd = (it.error for it in found.errors)
    assert hb_error.__traceback__ is None
    assert isinstance(odd, LookupError)
    frames = [frame for frame, _ in traceback.walk_tb(odd.__traceback__)]
    assert frames[-1].f_code.co_name == "__call__"
    assert all(not frame.f_locals for frame in frames[1:])
