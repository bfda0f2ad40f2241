"""Many requests at once: order, limits of each, what fails, and what is told of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import hb_llmgate
from hb_llmgate.exceptions import AuthError, BatchTimeoutError, InvalidRequestError, ModelNotFoundError, RateLimitError
from hb_llmgate.types import BatchResult, CompletionRequest
from hb_testing.server import LoopbackServer, RecordedRequest, Reply

from .support import USER, Caller, addresses, keys, make_kernel, provider_of

SLOW = 0.4
"""Seconds of a request that is too slow; nobody waits for it."""


def asked(text: str, model: str = "gpt-4o-mini", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def last_text(request: RecordedRequest) -> str:
    """What the user said last."""
    body = request.json
    if "contents" in body:
        return str(body["contents"][-1]["parts"][0]["text"])
    return str(body["messages"][-1]["content"])


def test_g15_answers_stand_in_the_order_of_their_requests(caller: Caller, server: LoopbackServer) -> None:
    def script(request: RecordedRequest) -> Reply:
        text = last_text(request)
        return Reply(f"answer to {text}", delay=0.03 if text == "one" else 0.0)

    server.script(script)
    found = caller.batch(
        [asked("one"), asked("two", "groq/llama-3.1-8b-instant"), asked("three", "gemini-2.5-flash-lite")],
        max_concurrency=3,
    )
    assert [answer.text for answer in found.results] == ["answer to one", "answer to two", "answer to three"]
    assert [answer.provider for answer in found.results] == ["openai", "groq", "gemini"]
    assert (found.successful, found.failed, found.success_rate, found.errors) == (3, 0, 1.0, [])
    assert found.total_tokens == sum(answer.usage.total_tokens for answer in found.results)


def test_g15_a_failure_has_its_place_and_its_class(caller: Caller, server: LoopbackServer) -> None:
    server.script(lambda request: Reply("no", status=429) if last_text(request) == "two" else Reply("yes"))
    broken = {"model": "gpt-4o-mini"}
    found = caller.batch([asked("one"), asked("two"), broken, asked("four", "nothing-known"), 5, asked("six")])
    assert [answer is not None for answer in found.results] == [True, False, False, False, False, True]
    told = [(error.index, error.error_type) for error in found.errors]
    assert told == [
        (1, "RateLimitError"),
        (2, "InvalidRequestError"),
        (3, "ModelNotFoundError"),
        (4, "InvalidRequestError"),
    ]
    assert isinstance(found.errors[0].exception, RateLimitError)
    assert found.errors[0].request == asked("two")
    assert "messages" in found.errors[1].error
    assert (found.successful, found.failed) == (2, 4)
    assert found.success_rate == pytest.approx(1 / 3)
    assert len(server.requests) == 3


def test_g15_an_empty_batch_is_a_result(caller: Caller) -> None:
    found = caller.batch([])
    assert isinstance(found, BatchResult)
    assert (found.results, found.errors, found.success_rate, found.total_tokens) == ([], [], 0.0, 0)


def test_g15_all_keys_of_a_dictionary_count(caller: Caller, server: LoopbackServer) -> None:
    given: list[Any] = [
        asked("one", "my-model", provider="groq", seed=7, stop=["x"], api_key="key-of-one-1234"),
        CompletionRequest(model="gpt-4o-mini", messages=USER, temperature=0.5, seed=9),
        CompletionRequest(model="gpt-4o-mini", messages=USER, extra_kwargs={"user": "me"}),
    ]
    found = caller.batch(given, max_concurrency=1)
    assert found.errors == []
    first, second, third = server.requests
    assert (provider_of(first), first.json["model"], first.json["seed"], first.json["stop"]) == (
        "groq",
        "my-model",
        7,
        ["x"],
    )
    assert first.bearer == "key-of-one-1234"
    assert (second.json["temperature"], second.json["seed"]) == (0.5, 9)
    assert third.json["user"] == "me"


def test_g15_options_of_the_batch_count_where_a_request_says_nothing(caller: Caller, server: LoopbackServer) -> None:
    caller.batch([asked("one"), asked("two", temperature=0.1)], max_concurrency=1, temperature=0.7)
    assert [request.json["temperature"] for request in server.requests] == [0.7, 0.1]


@pytest.mark.parametrize("most", [1, 3])
def test_g15_no_more_run_at_once_than_allowed(caller: Caller, server: LoopbackServer, most: int) -> None:
    running: set[int] = set()
    peaks: list[int] = []
    lock = threading.Lock()

    class Counting(hb_llmgate.BaseMiddleware):
        """Counts calls in flight."""

        def handle(self, request: Any, call_next: Any) -> Any:
            """Count around the call."""
            with lock:
                running.add(id(request))
                peaks.append(len(running))
            try:
                return call_next(request)
            finally:
                with lock:
                    running.remove(id(request))

    server.script(lambda _: Reply("yes", delay=0.01))
    assert caller.batch([asked(str(n)) for n in range(8)], max_concurrency=most, middleware=[Counting()]).failed == 0
    assert max(peaks) == most


def test_g16_a_limit_is_that_of_each_request_from_its_start(caller: Caller, server: LoopbackServer) -> None:
    server.script(lambda request: Reply("yes", delay=SLOW if last_text(request) == "slow" else 0.0))
    started = time.monotonic()
    found = caller.batch([asked("slow"), *(asked(f"quick {n}") for n in range(5))], max_concurrency=1, timeout=0.1)
    assert time.monotonic() - started < SLOW
    assert [(error.index, error.error_type) for error in found.errors] == [(0, "BatchTimeoutError")]
    error = found.errors[0].exception
    assert isinstance(error, BatchTimeoutError)
    assert (error.index, error.timeout) == (0, 0.1)
    assert found.successful == 5


def test_g16_a_middleware_that_hangs_is_left_behind(caller: Caller, server: LoopbackServer) -> None:
    release = threading.Event()

    class Hanging(hb_llmgate.BaseMiddleware):
        """Waits where it is told to."""

        def handle(self, request: Any, call_next: Any) -> Any:
            """Wait for the test."""
            if request.messages[0].content == "hang":
                release.wait(5)
            return call_next(request)

    try:
        started = time.monotonic()
        found = caller.batch([asked("hang"), asked("two")], max_concurrency=1, timeout=0.05, middleware=[Hanging()])
        assert time.monotonic() - started < 2
    finally:
        release.set()
    assert [error.error_type for error in found.errors] == ["BatchTimeoutError"]
    assert found.results[1].text


def test_g16_fail_fast_ends_at_the_first_failure(caller: Caller, server: LoopbackServer) -> None:
    server.script(lambda request: Reply("no", status=401) if last_text(request) == "bad" else Reply("yes", delay=SLOW))
    started = time.monotonic()
    with pytest.raises(AuthError):
        caller.batch([asked("slow"), asked("bad"), asked("never")], max_concurrency=2, fail_fast=True)
    assert time.monotonic() - started < SLOW
    assert "never" not in map(last_text, server.requests)


@pytest.mark.parametrize(
    "given", [{"max_concurrency": 0}, {"max_concurrency": True}, {"timeout": 0}, {"timeout": "5"}], ids=repr
)
def test_g16_limits_that_are_none_are_refused(caller: Caller, server: LoopbackServer, given: Any) -> None:
    with pytest.raises(InvalidRequestError):
        caller.batch([asked("one")], **given)
    for requests in ("one", None, 5, asked("one")):
        with pytest.raises(InvalidRequestError, match="requests must be a list"):
            caller.batch(requests)
    assert server.requests == []


def test_g15_a_thousand_requests_leave_no_thread(server: LoopbackServer) -> None:
    before = threading.active_count()
    with make_kernel({**addresses(server), **keys()}) as kernel:
        found = hb_llmgate.batch([asked("hi")] * 300, max_concurrency=8, kernel=kernel)
    assert found.successful == 300
    end = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_g15_an_unknown_model_is_raised_at_once_with_fail_fast(caller_of: Callable[..., Caller]) -> None:
    with pytest.raises(ModelNotFoundError):
        caller_of().batch([asked("one", "nothing-known")], fail_fast=True)


class Leaving(hb_llmgate.BaseMiddleware):
    """Raises what is no Exception."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def handle(self, request: Any, call_next: Any) -> Any:
        """Leave."""
        raise self.error


class Unspeakable(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_error_without_a_text_is_that_of_its_request_alone(server: LoopbackServer) -> None:
    kernel = make_kernel({**addresses(server), **keys()})
    found = hb_llmgate.LLMGate(middleware=[Leaving(Unspeakable())], kernel=kernel).batch([asked("one")])
    kernel.close()
    assert found.errors[0].error == "the error has no text: its __str__ raised RuntimeError"


@pytest.mark.parametrize("kind", [asyncio.CancelledError, SystemExit, GeneratorExit])
def test_what_is_no_exception_ends_a_batch(server: LoopbackServer, kind: type[BaseException]) -> None:
    caught: list[BaseException] = []
    kernel = make_kernel({**addresses(server), **keys()})
    gate = hb_llmgate.LLMGate(middleware=[Leaving(kind())], kernel=kernel)

    def run() -> None:
        try:
            gate.batch([asked("one"), asked("two")], max_concurrency=1)
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(5)
    kernel.close()
    assert [type(error) for error in caught] == [kind]


def test_an_interrupt_ends_the_submitting(server: LoopbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def script(request: RecordedRequest) -> Reply:
        begun.set()
        go_on.wait(5)
        return Reply("done")

    class Interrupted(threading.Condition):
        """A wait that Ctrl-C ends."""

        def wait(self, timeout: float | None = None) -> bool:
            """Wait for the first request, then be interrupted."""
            self.release()
            begun.wait(5)
            self.acquire()
            raise KeyboardInterrupt

    server.script(script)
    monkeypatch.setattr("hb_llmgate.batches.Condition", Interrupted)
    kernel = make_kernel({**addresses(server), **keys()})
    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        hb_llmgate.batch([asked("one"), asked("two"), asked("three")], max_concurrency=1, kernel=kernel)
    go_on.set()
    for thread in set(threading.enumerate()) - before:
        if thread.name == "hb-llmgate-batch":
            thread.join(5)
    assert len(server.requests) == 1
    kernel.close()
