"""Rows E1 to E6, E8 to E11: event streams."""

from __future__ import annotations

import asyncio
import gc
import random
import time

import pytest

from hb_testing.server import FAULT_TEXT, SEPARATORS_TEXT, LoopbackServer
from heavenbase.errors import (
    FirstTokenTimeout,
    IdleTimeout,
    Overloaded,
    ResponseTimeout,
    StallTimeout,
    StreamInterrupted,
    StreamTruncated,
)
from tests.faults.harness import Harness, Mode, check_error, every, harness

STREAMS = every(("stream", "astream"))


@pytest.mark.parametrize(
    ("fault", "requests"), [("E1.before", 2), ("E1.before-eof", 2), ("E1.after", 1), ("E1.after-eof", 1)]
)
@STREAMS
def test_e1_a_stream_without_a_terminal_marker_is_truncated(
    server: LoopbackServer, mode: Mode, fault: str, requests: int
) -> None:
    with harness(server, fault) as made:
        ran = made.run(mode)
    error = check_error(ran, StreamTruncated, requests=requests)
    assert len(server.requests) == requests
    if fault.startswith("E1.after"):
        assert error.partial is not None
        assert error.partial.text == "".join(ran.pieces) != ""
        assert error.partial.finish_reason == "other"


@STREAMS
def test_e2_a_reset_after_tokens_keeps_what_came(server: LoopbackServer, mode: Mode) -> None:
    with harness(server, "E2.3") as made:
        ran = made.run(mode)
    error = check_error(ran, StreamInterrupted, requests=1)
    assert error.partial is not None
    assert error.partial.text == "".join(ran.pieces)
    assert len(server.requests) == 1


@STREAMS
def test_e3_an_error_event_before_content_is_its_class_and_retried(server: LoopbackServer, mode: Mode) -> None:
    with harness(server, "E3.a") as made:
        check_error(made.run(mode), Overloaded, requests=3)


@STREAMS
def test_e3_an_error_event_after_content_interrupts_with_its_cause(server: LoopbackServer, mode: Mode) -> None:
    with harness(server, "E3.b") as made:
        ran = made.run(mode)
    error = check_error(ran, StreamInterrupted, requests=1)
    assert isinstance(error.__cause__, Overloaded)
    assert error.partial is not None
    assert error.partial.text == "".join(ran.pieces) != ""


@pytest.mark.parametrize("fault", ["E4.lf", "E4.cr", "E4.crlf", "E4.lf-bytes", "E4.cr-bytes", "E4.crlf-bytes"])
@STREAMS
def test_e4_line_ends_and_single_bytes_change_nothing(server: LoopbackServer, mode: Mode, fault: str) -> None:
    with harness(server, fault) as made:
        ran = made.run(mode)
    assert ran.error is None
    assert ran.text == FAULT_TEXT


@STREAMS
def test_e5_separators_inside_data_survive(server: LoopbackServer, mode: Mode) -> None:
    with harness(server, "E5.text") as made:
        assert made.run(mode).text == SEPARATORS_TEXT


@STREAMS
def test_e6_comments_do_not_hold_off_the_stall_clock(server: LoopbackServer, mode: Mode) -> None:
    with harness(server, "E6", limits={"stall": 0.1, "idle": 5.0, "first_token": 5.0}) as made:
        error = check_error(made.run(mode), StallTimeout, requests=2)
    assert error.maybe_billed


@pytest.mark.parametrize("fault", ["E8.no-index", "E8.empty-arguments", "E8.one-based", "E8.reused-index"])
@pytest.mark.parametrize("mode", ["stream", "astream"])
def test_e8_no_call_is_lost_and_none_merged(server: LoopbackServer, mode: Mode, fault: str) -> None:
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
        for name in ("get_weather", "get_time", "now", "ping")
    ]
    with harness(server, fault) as made:
        if mode == "stream":
            items = list(made.llm.stream("hi", include="completion", tools=tools))
        else:

            async def run() -> list[object]:
                found = [item async for item in made.llm.astream("hi", include="completion", tools=tools)]
                await made.kernel.clients.aclose()
                return found

            items = asyncio.run(run())
    (answer,) = items
    assert answer.finish_reason == "tool_calls"
    assert len({call.id for call in answer.tool_calls}) == len(answer.tool_calls) >= 1
    for call in answer.tool_calls:
        assert call.name
        assert isinstance(call.parse(), dict)
    if fault == "E8.empty-arguments":
        assert any(call.parse() == {} for call in answer.tool_calls)


@pytest.mark.parametrize(
    ("fault", "clock", "expected", "requests"),
    [
        ("E9.a", "first_token", ResponseTimeout, 2),
        ("E9.b", "first_token", FirstTokenTimeout, 2),
        ("E9.c", "idle", IdleTimeout, 1),
    ],
)
@STREAMS
def test_e9_each_silence_has_its_clock(
    server: LoopbackServer, mode: Mode, fault: str, clock: str, expected: type[ResponseTimeout], requests: int
) -> None:
    # The other clocks are long, as a busy machine is slow to answer.
    with harness(server, fault, limits={"first_token": 5.0, "idle": 5.0, "stall": 5.0, clock: 0.1}) as made:
        ran = made.run(mode)
    error = check_error(ran, expected, requests=requests)
    assert error.maybe_billed
    if fault == "E9.c":
        assert error.partial is not None
        assert error.partial.text == "".join(ran.pieces) != ""


@every(("chat", "achat"))
def test_e9_a_chat_that_is_never_answered_is_a_response_timeout(server: LoopbackServer, mode: Mode) -> None:
    with harness(server, "E9.a", limits={"first_token": 0.1}) as made:
        assert check_error(made.run(mode), ResponseTimeout, requests=2).maybe_billed


def test_e10_leaving_a_sync_stream_closes_the_connection(server: LoopbackServer) -> None:
    with harness(server, "E9.c", limits={"idle": 30.0}) as made:
        for _ in made.llm.stream("hi"):
            break
        gc.collect()
        server.wait_for(lambda s: s.requests[0].closed_at is not None, timeout=1.0)


def test_e10_leaving_an_async_stream_closes_the_connection(server: LoopbackServer) -> None:
    async def run(made: Harness) -> None:
        async for _ in made.llm.astream("hi"):
            break
        gc.collect()
        await server.await_for(lambda s: s.requests[0].closed_at is not None, timeout=1.0)
        await made.kernel.clients.aclose()

    with harness(server, "E9.c", limits={"idle": 30.0}) as made:
        asyncio.run(run(made))


def test_e11_after_a_cancellation_storm_every_call_succeeds(server: LoopbackServer) -> None:
    chance = random.Random(11)

    async def run(slow: Harness, good: Harness) -> None:
        for _ in range(10):
            tasks = [asyncio.create_task(slow.llm.achat("hi")) for _ in range(20)]
            for task in tasks:
                await asyncio.sleep(chance.random() * 0.002)
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                assert isinstance(ended, asyncio.CancelledError | str), repr(ended)
        answers = await asyncio.gather(*(good.llm.achat("hi") for _ in range(100)))
        assert len(answers) == 100
        await good.kernel.clients.aclose()
        await slow.kernel.clients.aclose()

    config = {"heavenbase.llm.gateways.openai.max_connections": 10}
    with harness(server, config=config) as made:
        began = time.monotonic()
        asyncio.run(run(made, made))
        assert time.monotonic() - began < 20
