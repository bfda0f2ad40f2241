"""Rows of the fault matrix, one attempt each: the class of the error, and every fact on it."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from hb_testing.server import (
    FAULT_TEXT,
    FAULT_TOKENS,
    SEPARATORS_TEXT,
    LoopbackServer,
    black_hole,
    refused_port,
    tls_server,
)
from heavenbase import errors

from .support import CANARY, QUICK, Caller, assert_clean, make_call, make_spec


def failure(caller: Caller, mode: str, base_url: str, **options: Any) -> errors.HBError:
    fields = {name: options.pop(name) for name in ("gateway_record",) if name in options}
    with pytest.raises(errors.HBError) as caught:
        caller.run(mode, make_spec(base_url, **fields), **options)
    assert_clean(caught.value)
    assert caught.value.provider == "custom"
    return caught.value


# N: the network


def test_n1_a_refused_port(caller: Caller, mode: str) -> None:
    with refused_port() as port:
        error = failure(caller, mode, f"http://127.0.0.1:{port}/v1")
    assert type(error) is errors.ConnectError
    assert f"127.0.0.1:{port}" in str(error)
    assert error.retryable
    assert not error.maybe_billed


def test_n1_a_name_that_does_not_exist(caller: Caller, mode: str) -> None:
    error = failure(caller, mode, "http://no-such-host.invalid/v1", timeout={"connect": 4.0})
    assert isinstance(error, errors.ConnectError | errors.ConnectTimeout)
    assert "no-such-host.invalid" in str(error)


def test_n1_a_port_that_swallows_packets(caller: Caller, mode: str) -> None:
    with black_hole() as port:
        started = time.monotonic()
        error = failure(caller, mode, f"http://127.0.0.1:{port}/v1", timeout={"connect": 0.3})
        took = time.monotonic() - started
    assert type(error) is errors.ConnectTimeout
    assert took < 0.3 * 1.1 + 0.2
    assert not error.maybe_billed


@pytest.mark.parametrize("fault", ["N2.b", "N2.c"])
def test_n2_closed_after_the_request(caller: Caller, server: LoopbackServer, mode: str, fault: str) -> None:
    error = failure(caller, mode, server.url(fault=fault))
    assert type(error) is errors.TransportClosed
    assert error.retryable
    assert error.maybe_billed
    assert server.request_count == 1
    server.wait_for(lambda s: s.connections == 0, 1)


def test_n2_closed_before_the_request_was_read(caller: Caller, server: LoopbackServer, mode: str) -> None:
    long = [{"role": "user", "content": "x" * 8_000_000}]
    error = failure(caller, mode, server.url(fault="N2.a"), messages=long)
    assert type(error) is errors.TransportClosed
    assert error.retryable
    assert not error.maybe_billed


@pytest.mark.parametrize("kind", ["self-signed", "expired", "wrong-host"])
def test_n3_certificates(caller: Caller, mode: str, kind: str, tmp_path: Path) -> None:
    with tls_server(kind) as server:
        authorities = tmp_path / "ca.pem"
        authorities.write_bytes(server.ca_pem)
        error = failure(caller, mode, server.url(), gateway_record={"ca_file": str(authorities)})
        assert type(error) is errors.TLSVerifyError
        assert not error.retryable
        assert server.request_count == 0


def test_n3_a_trusted_certificate(caller: Caller, mode: str, tmp_path: Path) -> None:
    with tls_server() as server:
        authorities = tmp_path / "ca.pem"
        authorities.write_bytes(server.ca_pem)
        spec = make_spec(server.url(), gateway_record={"ca_file": str(authorities)})
        assert caller.run(mode, spec).text == "echo: hi"


# S: statuses


@pytest.mark.parametrize(
    ("fault", "kind", "retryable"),
    [
        ("S1.400", errors.RequestRejected, False),
        ("S1.401", errors.AuthError, False),
        ("S1.403", errors.AuthError, False),
        ("S1.404", errors.ModelNotFound, False),
        ("S1.422", errors.RequestRejected, False),
        ("S2.402", errors.QuotaExhausted, False),
        ("S2.429", errors.QuotaExhausted, False),
        ("S3.number", errors.RateLimitError, True),
        ("S4.retry-after", errors.RateLimitError, True),
        ("S4.should-retry", errors.Overloaded, False),
        ("S5.500", errors.ServerError, True),
        ("S5.502", errors.ServerError, True),
        ("S5.503", errors.Overloaded, True),
        ("S5.504", errors.ServerError, True),
        ("S5.529", errors.Overloaded, True),
    ],
)
def test_s_statuses(
    caller: Caller, server: LoopbackServer, mode: str, fault: str, kind: type[errors.HBError], retryable: bool
) -> None:
    error = failure(caller, mode, server.url(fault=fault))
    assert type(error) is kind
    assert error.retryable is retryable
    assert error.status is not None
    assert error.status >= 400
    assert error.body
    assert not error.maybe_billed
    assert len(error.message) < 700
    assert server.request_count == 1


@pytest.mark.parametrize(("fault", "low", "high"), [("S3.number", 2, 2), ("S3.date", 1, 3), ("S3.ms", 2, 2)])
def test_s3_how_long_to_wait(caller: Caller, server: LoopbackServer, fault: str, low: float, high: float) -> None:
    error = failure(caller, "chat", server.url(fault=fault))
    assert error.retry_after is not None
    assert low <= error.retry_after <= high


def test_s3_a_date_is_read_by_the_kernels_clock(server: LoopbackServer) -> None:
    moment = parsedate_to_datetime("Sun, 06 Nov 1994 08:49:37 GMT").timestamp()
    server.reply(status=429, text="slow", headers={"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"})
    caller = Caller(wall=lambda: moment - 7)
    assert failure(caller, "chat", server.url()).retry_after == 7.0
    caller.clients.close()


def test_s4_a_long_wait_is_told(caller: Caller, server: LoopbackServer) -> None:
    assert failure(caller, "chat", server.url(fault="S4.retry-after")).retry_after == 3600.0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_s6_a_redirect_is_not_followed(caller: Caller, mode: str, status: int) -> None:
    with LoopbackServer() as other, LoopbackServer(redirect_to=other.origin) as server:
        error = failure(caller, mode, server.url(fault=f"S6.{status}"))
        assert type(error) is errors.RedirectRefused
        assert other.origin in str(error)
        assert not error.retryable
        assert (server.request_count, other.request_count) == (1, 0)


def test_the_request_id_is_on_the_error(caller: Caller, server: LoopbackServer, mode: str) -> None:
    server.reply(status=500, text="no")
    assert failure(caller, mode, server.url()).request_id == "req_1"


# B: bodies


@pytest.mark.parametrize(
    "fault",
    [
        "html",
        "empty",
        "invalid-json",
        "invalid-utf8",
        "choices-null",
        "choices-empty",
        "choices-missing",
        "message-null",
    ],
)
def test_b1_bodies_that_are_no_answer(caller: Caller, server: LoopbackServer, mode: str, fault: str) -> None:
    error = failure(caller, mode, server.url(fault=f"B1.{fault}"))
    assert isinstance(error, errors.ResponseShapeError | errors.ResponseDecodeError)
    assert error.retryable
    assert error.maybe_billed
    assert error.status == 200
    assert error.body is not None
    assert len(error.body) <= 200
    assert bool(error.body) is (fault != "empty")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.AuthError),
        (429, errors.RateLimitError),
        (502, errors.ServerError),
        (503, errors.Overloaded),
    ],
)
def test_b2_errors_inside_a_success(
    caller: Caller, server: LoopbackServer, mode: str, status: int, kind: type[errors.HBError]
) -> None:
    error = failure(caller, mode, server.url(fault=f"B2.{status}"))
    assert type(error) is kind
    assert error.status == status
    assert not error.maybe_billed


@pytest.mark.parametrize("fault", ["depth", "nan", "infinity", "1e400"])
def test_b3_hostile_json(caller: Caller, server: LoopbackServer, mode: str, fault: str) -> None:
    assert type(failure(caller, mode, server.url(fault=f"B3.{fault}"))) is errors.ResponseDecodeError


def test_b3_odd_text_is_an_answer(caller: Caller, server: LoopbackServer, mode: str) -> None:
    assert caller.run(mode, make_spec(server.url(fault="B3.nul"))).text == "a \0 b"
    text = caller.run(mode, make_spec(server.url(fault="B3.surrogate"))).text
    assert text.startswith("half ")
    assert text.endswith(" pair")
    text.encode()


def test_b4_a_bomb(caller: Caller, server: LoopbackServer, mode: str) -> None:
    error = failure(caller, mode, server.url(fault="B4.gzip"))
    assert isinstance(error, errors.ResponseTooLarge)
    assert not error.retryable
    server.wait_for(lambda s: s.connections == 0, 1)


def test_b4_a_bomb_in_an_error(caller: Caller, server: LoopbackServer) -> None:
    import zlib

    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(70)) + packer.flush()
    server.reply(status=500, body=bomb, headers={"content-encoding": "gzip", "content-type": "text/plain"})
    # The status says what it is, and no more of the body is read than a message may have.
    assert type(failure(caller, "chat", server.url())) is errors.ServerError


@pytest.mark.parametrize("fault", ["one-1", "deltas-1000-1"])
def test_b5_large_arguments(caller: Caller, server: LoopbackServer, mode: str, fault: str) -> None:
    [call] = caller.run(mode, make_spec(server.url(fault=f"B5.{fault}"))).tool_calls
    assert len(call.arguments) > 1_000_000
    assert call.parse().keys() == {"text"}


def test_b5_takes_linear_time(caller: Caller, server: LoopbackServer) -> None:
    def seconds(megabytes: int) -> float:
        started = time.process_time()
        caller.run("stream", make_spec(server.url(fault=f"B5.deltas-2000-{megabytes}")))
        return time.process_time() - started

    seconds(1)
    once, double = min(seconds(2) for _ in range(2)), min(seconds(4) for _ in range(2))
    assert double < 2.5 * once + 0.05


# E: event streams, and slow answers


@pytest.mark.parametrize("fault", ["E1.before", "E1.before-eof", "E1.after", "E1.after-eof"])
def test_e1_an_end_without_a_marker(caller: Caller, server: LoopbackServer, stream_mode: str, fault: str) -> None:
    error = failure(caller, stream_mode, server.url(fault=fault))
    assert type(error) is errors.StreamTruncated
    assert error.retryable is ("before" in fault)
    assert error.maybe_billed


def test_e1_either_marker_will_do(caller: Caller, server: LoopbackServer, stream_mode: str) -> None:
    without_done = caller.run(stream_mode, make_spec(server.url(fault="E1.no-done")))
    assert (without_done.text, without_done.finish_reason) == (FAULT_TEXT, "stop")
    without_reason = caller.run(stream_mode, make_spec(server.url(fault="E1.no-finish")))
    assert (without_reason.text, without_reason.finish_reason) == (FAULT_TEXT, "other")
    assert without_reason.raw_finish_reason is None


@pytest.mark.parametrize("tokens", [0, 1, 3])
def test_e2_a_reset(caller: Caller, server: LoopbackServer, stream_mode: str, tokens: int) -> None:
    error = failure(caller, stream_mode, server.url(fault=f"E2.{tokens}"))
    assert type(error) is (errors.StreamInterrupted if tokens else errors.TransportClosed)
    assert error.maybe_billed
    assert error.retryable is (tokens == 0)
    if tokens:
        assert type(error.__cause__) is errors.TransportClosed


def test_e2_what_came_was_delivered_once(caller: Caller, server: LoopbackServer) -> None:
    call = make_call(make_spec(server.url(fault="E2.3")), stream=True)
    chunks = caller.gateway.stream(call, caller.gateway.prepare(call))
    seen = ""
    while len(seen) < len("".join(FAULT_TOKENS[:3])):
        seen += next(chunks).text
    assert seen == "".join(FAULT_TOKENS[:3])
    with pytest.raises(errors.StreamInterrupted):
        next(chunks)


@pytest.mark.parametrize(("status", "kind"), [(503, errors.Overloaded), (429, errors.RateLimitError)])
def test_e3_an_error_event(
    caller: Caller, server: LoopbackServer, stream_mode: str, status: int, kind: type[errors.HBError]
) -> None:
    before = failure(caller, stream_mode, server.url(fault=f"E3.a-{status}"))
    assert type(before) is kind
    assert before.retryable
    assert not before.maybe_billed
    after = failure(caller, stream_mode, server.url(fault=f"E3.b-{status}"))
    assert type(after) is errors.StreamInterrupted
    assert type(after.__cause__) is kind
    assert after.maybe_billed
    assert not after.retryable


@pytest.mark.parametrize("newline", ["lf", "cr", "crlf"])
def test_e4_bytes_one_by_one(caller: Caller, server: LoopbackServer, stream_mode: str, newline: str) -> None:
    answer = caller.run(stream_mode, make_spec(server.url(fault=f"E4.{newline}-bytes")))
    assert (answer.text, answer.finish_reason) == (FAULT_TEXT, "stop")


def test_e4_cut_anywhere(caller: Caller, server: LoopbackServer) -> None:
    for place in random.Random(4).sample(range(1, 1200), 25):
        assert caller.run("stream", make_spec(server.url(fault=f"E4.crlf-cut-{place}"))).text == FAULT_TEXT


def test_e5_separators_in_text(caller: Caller, server: LoopbackServer, stream_mode: str) -> None:
    assert caller.run(stream_mode, make_spec(server.url(fault="E5.text"))).text == SEPARATORS_TEXT


@pytest.mark.parametrize("fault", ["E6", "E6.after"])
def test_e6_bytes_without_content(caller: Caller, server: LoopbackServer, stream_mode: str, fault: str) -> None:
    started = time.monotonic()
    error = failure(caller, stream_mode, server.url(fault=fault), timeout={"stall": 0.15})
    assert type(error) is errors.StallTimeout
    assert 0.1 < time.monotonic() - started < 1.5
    assert error.maybe_billed
    assert error.retryable is (fault == "E6")


def test_e6_by_default_the_stall_clock_has_its_own_name(caller: Caller, server: LoopbackServer) -> None:
    error = failure(caller, "stream", server.url(fault="E6"), timeout={"stall": 0.1, "first_token": 0.1})
    assert type(error) is errors.StallTimeout


@pytest.mark.parametrize("fault", ["E7.event-20", "E7.line"])
def test_e7_an_event_without_measure(caller: Caller, server: LoopbackServer, stream_mode: str, fault: str) -> None:
    error = failure(caller, stream_mode, server.url(fault=fault))
    assert isinstance(error, errors.EventTooLarge | errors.StreamInterrupted)
    assert isinstance(error, errors.EventTooLarge) or type(error.__cause__) is errors.EventTooLarge
    server.wait_for(lambda s: s.connections == 0, 1)


@pytest.mark.parametrize("fault", ["no-index", "reused-index", "one-based"])
def test_e8_tool_calls_however_they_are_numbered(caller: Caller, server: LoopbackServer, mode: str, fault: str) -> None:
    calls = caller.run(mode, make_spec(server.url(fault=f"E8.{fault}"))).tool_calls
    assert [(call.id, call.name, call.parse()) for call in calls] == [
        ("call_1", "get_weather", {"city": "Paris"}),
        ("call_2", "get_time", {"zone": "CET"}),
    ]


def test_e8_no_arguments_are_an_empty_object(caller: Caller, server: LoopbackServer, mode: str) -> None:
    [call] = caller.run(mode, make_spec(server.url(fault="E8.empty-arguments"))).tool_calls
    assert call.arguments == "{}"


def outlasted(is_late: Callable[[errors.HBError], bool], ask: Callable[[float], errors.HBError]) -> errors.HBError:
    """The error of the shortest limit that is longer than what the machine, which may be loaded, takes before it."""
    for limit in (0.1, 0.5, 2.5, 12.5):
        if not is_late(error := ask(limit)):
            break
    return error


def test_e9_silence(caller: Caller, server: LoopbackServer, mode: str) -> None:
    caller.run(mode, make_spec(server.url()))  # what is loaded on the first call takes its own time
    unanswered = failure(caller, mode, server.url(fault="E9.a"), timeout={"first_token": 0.1})
    assert type(unanswered) is errors.ResponseTimeout
    assert (unanswered.retryable, unanswered.maybe_billed) == (True, True)
    empty = outlasted(
        lambda error: type(error) is errors.ResponseTimeout,  # before the headers were there
        lambda limit: failure(caller, mode, server.url(fault="E9.b"), timeout={"first_token": limit}),
    )
    assert type(empty) is errors.FirstTokenTimeout
    assert (empty.retryable, empty.maybe_billed) == (True, True)
    cut = failure(caller, mode, server.url(fault="E9.c"), timeout={"idle": 0.1})
    assert type(cut) is errors.IdleTimeout
    assert (cut.retryable, cut.maybe_billed) == (False, True)
    server.wait_for(lambda s: s.connections == 0)


def test_e9_the_total_limit_ends_everything(caller: Caller, server: LoopbackServer, mode: str) -> None:
    error = outlasted(
        lambda error: not error.maybe_billed,  # before the request was sent
        lambda limit: failure(caller, mode, server.url(fault="E9.b"), timeout=limit),
    )
    assert type(error) is errors.DeadlineExceeded
    assert error.maybe_billed
    assert not error.retryable


def test_e10_a_dropped_stream_is_closed(server: LoopbackServer, caller: Caller) -> None:
    call = make_call(make_spec(server.url(fault="E9.c")), stream=True)
    chunks = caller.gateway.stream(call, caller.gateway.prepare(call))
    for chunk in chunks:
        if chunk.text:
            break
    del chunks
    gc.collect()
    server.wait_for(lambda s: s.connections == 0, 1)


def test_e10_a_dropped_async_stream_is_closed(server: LoopbackServer, caller: Caller, stream_mode: str) -> None:
    if stream_mode == "stream":
        return

    async def work() -> None:
        call = make_call(make_spec(server.url(fault="E9.c")), stream=True, is_async=True)
        chunks = caller.gateway.astream(call, caller.gateway.prepare(call))
        async for chunk in chunks:
            if chunk.text:
                break
        del chunks
        gc.collect()
        await server.await_for(lambda s: s.connections == 0, 1)
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1
        await caller.clients.aclose()

    asyncio.run(work())


@pytest.mark.parametrize("with_aiohttp", [True, False])
def test_e11_cancelled_at_random_moments(
    server: LoopbackServer, caller: Caller, with_aiohttp: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not with_aiohttp:
        monkeypatch.setattr("heavenbase.http.transport.connections.has_aiohttp", lambda: False)
    dice = random.Random(11)
    record = {"max_connections": 10}
    good = make_spec(server.url(), gateway_record=record)
    bad = [make_spec(server.url(fault=f), gateway_record=record) for f in ("E9.a", "E9.b", "E9.c")]
    long = [{"role": "user", "content": "x" * 3_000_000}]

    async def work() -> None:
        for _ in range(6):
            tasks = [
                asyncio.create_task(
                    caller.arun(
                        dice.choice(["achat", "astream"]),
                        dice.choice([good, *bad]),
                        messages=long if dice.random() < 0.1 else [{"role": "user", "content": "hi"}],
                    )
                )
                for _ in range(20)
            ]
            await asyncio.sleep(dice.random() * 0.03)
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert not [end for end in ended if isinstance(end, Exception)]
        answers = await asyncio.gather(*(caller.arun("achat", good) for _ in range(100)))
        assert {answer.text for answer in answers} == {"echo: hi"}
        await caller.clients.aclose()

    asyncio.run(work())
    server.wait_for(lambda s: s.connections == 0, 2)


def test_t1_a_full_pool(server: LoopbackServer, caller: Caller) -> None:
    spec = make_spec(server.url(fault="E9.b"), gateway_record={"max_connections": 2}, model_id="m-held")

    async def work() -> None:
        held = [asyncio.create_task(caller.arun("achat", spec)) for _ in range(2)]
        await server.await_for(lambda s: s.request_count == 2)
        with pytest.raises(errors.PoolTimeout, match=r"2 connections .* custom/m-held \(2\)") as caught:
            await caller.arun("achat", spec, timeout={"pool": 0.05})
        assert not caught.value.retryable
        assert not caught.value.maybe_billed
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        await caller.clients.aclose()

    asyncio.run(work())
    assert server.request_count == 2


def test_t2_no_attempt_begins_after_the_deadline(caller: Caller, server: LoopbackServer, mode: str) -> None:
    spec = make_spec(server.url(), timeouts=QUICK)
    is_async = mode.startswith("a")
    call = make_call(spec, is_async=is_async, stream="stream" in mode, timeout=0.001)
    time.sleep(0.005)
    request = caller.gateway.prepare(call)

    async def work() -> None:
        try:
            if mode == "achat":
                await caller.gateway.achat(call, request)
            else:
                async for _ in caller.gateway.astream(call, request):
                    pass
        finally:
            await caller.clients.aclose()

    def attempt() -> None:
        if is_async:
            asyncio.run(work())
        elif mode == "chat":
            caller.gateway.chat(call, request)
        else:
            list(caller.gateway.stream(call, request))

    with pytest.raises(errors.DeadlineExceeded) as caught:
        attempt()
    assert not caught.value.maybe_billed
    assert server.request_count == 0


def test_the_key_is_in_no_message_of_a_refusal(caller: Caller, server: LoopbackServer, mode: str) -> None:
    error = failure(caller, mode, server.url(fault="S1.401"))
    assert CANARY not in str(error)
    assert "***" in str(error)
